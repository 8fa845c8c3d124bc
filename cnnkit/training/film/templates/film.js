// A training as a film: a slider over epochs; every section is drawn again for the chosen frame.

const FRAME_MS = 400;
const frames = data.frames;
const slider = document.getElementById("slider");
const playButton = document.getElementById("play");
const epochLine = document.getElementById("epoch");
const film = document.getElementById("film");
const draw = []; // one function per section; each is called with the number of the frame
let timer = 0;

function section(title, ...children) {
  film.append(element("section", {}, element("h2", {}, title), ...children));
}

function quiet(...children) {
  return element("p", { className: "quiet" }, ...children);
}

// Small pictures of filters or maps, side by side.
function pictures(title, part, what) {
  const levels = decode(part.levels, Uint8Array);
  const [count, height, width, depth] = part.shape;
  const size = height * width * depth;
  const value = (level) => part.low + (level * (part.high - part.low)) / 255;
  const canvases = Array.from({ length: count }, (_, number) =>
    element("canvas", { role: "img", "aria-label": `${what} ${number}` }));
  const inColour = depth === 3;
  const some = count < part.all ? `The first ${count} of ${part.all}. ` : "";
  const still = part.changes ? "" : " Nothing here changes in this training.";
  const scale = inColour
    ? `Red, green and blue are the weights of these channels, from ${number(part.low)} to ${number(part.high)}; grey is 0.`
    : "";
  const line = inColour ? quiet(some, scale, still) : quiet(some, legend(part.low, part.high), still);
  section(title, line, element("div", { className: "grid" }, ...canvases));
  draw.push((frame) => canvases.forEach((canvas, place) => {
    const start = (frame * count + place) * size;
    paint(canvas, height, width, (row, column) => {
      const at = start + (row * width + column) * depth;
      return inColour ? [levels[at], levels[at + 1], levels[at + 2]] : colour(value(levels[at]), part.low, part.high);
    });
  }));
}

function image() {
  const { path, split, label, shape: [height, width, channels] } = data.image;
  const levels = decode(data.image.levels, Uint8Array);
  const canvas = element("canvas", { id: "image", role: "img", "aria-label": path });
  paint(canvas, height, width, (row, column) => {
    const at = (row * width + column) * channels;
    return [levels[at], levels[at + (channels > 1)], levels[at + 2 * (channels > 1)]];
  });
  const shown = data.answer?.classes.length ?? 0, all = data.class_names.length;
  const some = shown && shown < all ? ` Of ${all} classes, the true one and the most likely:` : "";
  section("The image and its answer", canvas, quiet(`${path} (${split}): ${label}.${some}`), answer());
}

function answer() {
  const bars = element("div", { className: "answer" });
  if (!data.answer) return bars;
  const values = decode(data.answer.values, Float32Array);
  const classes = data.answer.classes;
  const parts = classes.map((place) => {
    const name = data.class_names[place];
    const bar = element("i");
    const share = element("span");
    bars.append(element("span", { className: name === data.image.label ? "true" : "" }, name), bar, share);
    return [bar, share];
  });
  draw.push((frame) => parts.forEach(([bar, share], place) => {
    const probability = values[frame * classes.length + place];
    bar.style.width = `${100 * probability}%`;
    share.textContent = `${(100 * probability).toFixed(1)} %`;
  }));
  return bars;
}

function confusion() {
  const counts = decode(data.confusion, Uint32Array);
  const names = data.class_names;
  const corner = element("tr", {}, element("th"), ...names.map((name) => element("th", { scope: "col", title: name }, name)));
  const cells = [];
  const rows = names.map((name, row) => element("tr", {}, element("th", { scope: "row", title: name }, name),
    ...names.map((_, column) => {
      cells.push(element("td", { className: row === column ? "right" : "" }));
      return cells.at(-1);
    })));
  const table = element("table", {}, element("thead", {}, corner), element("tbody", {}, ...rows));
  section("Confusion matrix of the validation images",
    quiet("Rows are true classes, columns answers. The colour is the share of the row: ", legend(0, 1)),
    element("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": "Confusion matrix" }, table));
  draw.push((frame) => names.forEach((_, row) => {
    const start = (frame * names.length + row) * names.length;
    const line = counts.subarray(start, start + names.length);
    const sum = line.reduce((one, other) => one + other, 0);
    line.forEach((count, column) => {
      const cell = cells[row * names.length + column];
      const [red, green, blue] = colour(sum ? count / sum : 0, 0, 1);
      cell.textContent = count;
      cell.style.background = `rgb(${red}, ${green}, ${blue})`;
      cell.style.color = 0.3 * red + 0.59 * green + 0.11 * blue > 125 ? "#000" : "#fff";
    });
  }));
}

function show(place) {
  const frame = Math.min(Math.max(place, 0), frames.length - 1);
  slider.value = frame;
  const { epoch, phase, train_loss, train_accuracy, val_loss, val_accuracy } = frames[frame];
  const said = [["training", train_loss, train_accuracy], ["validation", val_loss, val_accuracy]]
    .filter(([, loss]) => loss !== null)
    .map(([what, loss, accuracy]) => `${what} loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`);
  const where = frames.some((each) => each.phase > 1) && phase ? ` (phase ${phase})` : "";
  epochLine.textContent = [`epoch ${epoch} of ${data.num_epochs}${where}`, ...said].join(" · ");
  slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
  draw.forEach((each) => each(frame));
}

function stop() {
  clearInterval(timer);
  timer = 0;
  playButton.textContent = "Play";
}

function toggle() {
  if (timer) return stop();
  if (Number(slider.value) === frames.length - 1) show(0);
  playButton.textContent = "Pause";
  timer = setInterval(() => {
    show(Number(slider.value) + 1);
    if (Number(slider.value) === frames.length - 1) stop();
  }, FRAME_MS);
}

const KEYS = {
  " ": toggle,
  ArrowLeft: () => go(Number(slider.value) - 1),
  ArrowRight: () => go(Number(slider.value) + 1),
  Home: () => go(0),
  End: () => go(frames.length - 1),
};

function go(place) {
  stop();
  show(place);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in KEYS)) return;
  // A button does on Space what it does on a click; a matrix that is wider than the page is scrolled.
  if ((event.key === " " && event.target === playButton) || event.target.closest?.(".wide")) return;
  event.preventDefault();
  KEYS[event.key]();
});
playButton.addEventListener("click", toggle);
slider.addEventListener("input", () => go(Number(slider.value)));
slider.max = frames.length - 1;
image();
if (data.filters) pictures(`Filters of ${data.filters.layer}`, data.filters, "filter");
data.maps.forEach((part) => pictures(`Feature maps of ${part.layer}`, part, "map"));
if (data.confusion) confusion();
show(frames.length - 1);
