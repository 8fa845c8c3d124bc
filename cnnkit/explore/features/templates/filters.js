// The page of `cnnkit filters`. Choose a layer and a channel to see its kernel and what it responds to.

const layers = data.layers;
const page = document.getElementById("page");
const layerSelect = element("select", { id: "layer" });
const channelSelect = element("select", { id: "channel" });
const kernelBox = element("div", { className: "pictures", id: "kernel" });
const weightLine = element("p", { id: "weight" });
const climbedBox = element("div", { className: "pictures", id: "climbed" });
const patchBox = element("div", { className: "pictures", id: "patches" });
const CELL = 20;

function build() {
  const notes = data.notes.map((note) => element("p", { className: "quiet" }, note));
  page.replaceChildren(...notes,
    element("div", { className: "controls" }, element("label", {}, "Layer ", layerSelect),
      element("label", {}, "Channel ", channelSelect),
      element("span", { className: "quiet" }, "The channels with the strongest response come first.")),
    element("section", {}, element("h2", {}, "Kernel"), weightLine, kernelBox),
    element("section", {}, element("h2", {}, "Picture that maximises the channel (gradient ascent)"),
      climbedBox),
    element("section", {}, element("h2", {}, "Patches of images with the strongest response"), patchBox));
  fill(layerSelect, layers.map((layer, index) => [index, `${layer.name}: ${layer.title}, ` +
    `${layer.shape[3]} filters of ${layer.shape.slice(0, 3).join(" x ")}`]));
  layerSelect.addEventListener("change", chooseLayer);
  channelSelect.addEventListener("change", show);
}

function chooseLayer() {
  const layer = layers[Number(layerSelect.value)];
  fill(channelSelect, layer.channels.map((channel, index) => [index, channel.channel]));
  show();
}

function show() {
  const layer = layers[Number(layerSelect.value)];
  const channel = layer.channels[Number(channelSelect.value)];
  showKernel(layer, channel.kernel);
  climbedBox.replaceChildren(figure(channel.climbed, 224, "the model's input size"));
  patchBox.replaceChildren(...channel.patches.map((patch) => {
    const [top, left, bottom, right] = patch.box;
    const label = patch.label ? `${patch.label}, ` : "";
    return figure(patch.picture, 112, `${number(patch.value)} at row ${patch.place[0]}, column ` +
      `${patch.place[1]}: ${label}${patch.path}, rows ${top} to ${bottom}, columns ${left} to ${right}`);
  }));
}

function figure(source, side, caption) {
  const image = element("img", { src: source, alt: caption });
  image.style.cssText = `width: ${side}px; image-rendering: pixelated; display: block`;
  return element("figure", {}, image, caption);
}

function showKernel(layer, kernel) {
  const weights = decode(kernel.weights, Float32Array);
  const [height, width, depth] = layer.shape;
  const value = (slice, row, column) => weights[(slice * height + row) * width + column];
  const reach = kernel.reach || 1;
  const some = kernel.slices.length < depth
    ? ` Shown are the ${kernel.slices.length} of ${depth} channels below with the largest weights.` : "";
  const rest = `Weights from -${number(reach)} to ${number(reach)}.${some} Point at a weight.`;
  weightLine.textContent = rest;
  const grids = kernel.slices.map((slice, index) => {
    const pixel = (row, column) => colour(value(index, row, column), -reach, reach);
    const text = `channel ${slice} below`;
    return grid(height, width, pixel, text, (row, column) =>
      `channel ${slice} below, row ${row}, column ${column}: weight ${value(index, row, column)}`);
  });
  if (layer.coloured) {
    const level = (slice, row, column) => 127.5 * (1 + value(slice, row, column) / reach);
    const pixel = (row, column) => [0, 1, 2].map((slice) => level(slice, row, column));
    grids.unshift(grid(height, width, pixel, "in colour; grey is 0", (row, column) => "red, green, blue: " +
      [0, 1, 2].map((slice) => number(value(slice, row, column))).join(", ")));
  }
  kernelBox.replaceChildren(...grids);
}

// A kernel as squares. Pointing at a square, or moving with the arrow keys, shows its weight.
function grid(height, width, pixel, caption, describe) {
  const times = Math.max(4, Math.min(CELL, Math.floor(140 / width)));
  const canvas = element("canvas", { tabIndex: 0, "aria-label": `kernel ${caption}`, role: "img" });
  let place = [0, 0];
  const point = (row, column) => {
    place = [Math.min(Math.max(row, 0), height - 1), Math.min(Math.max(column, 0), width - 1)];
    paint(canvas, height, width, pixel, times);
    frame(canvas, times, [...place, ...place]);
    weightLine.textContent = describe(...place);
  };
  paint(canvas, height, width, pixel, times);
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    point(Math.floor(((event.clientY - box.top) / box.height) * height),
      Math.floor(((event.clientX - box.left) / box.width) * width));
  });
  canvas.addEventListener("mouseleave", () => paint(canvas, height, width, pixel, times));
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    point(place[0] + move[0], place[1] + move[1]);
  });
  return element("figure", {}, canvas, caption);
}

build();
chooseLayer();
