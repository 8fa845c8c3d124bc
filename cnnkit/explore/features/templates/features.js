// The page of `cnnkit features`. Choose a layer and a channel and point at a number to see its sum.

const stages = data.stages;
const state = { stage: 0, channel: 0, row: 0, column: 0, below: null };
const MOST_WINDOWS = 6;
const MOST_CELLS = 121;
const MOST_THUMBS = 256;

// ---- numbers of a stage -------------------------------------------------------------------------

function values(stage) {
  if (!stage.decoded) {
    if (stage.preview) stage.decoded = null;
    else if (stage.kind === "relu") {
      stage.decoded = values(stages[stage.parents[0]]).map((value) => Math.max(0, value));
    } else if (stage.kind === "scale") {
      const [scale, shift] = [stage.scale, stage.shift].map((text) => decode(text, Float32Array));
      const channels = stage.shape[2];
      stage.decoded = values(stages[stage.parents[0]]).map(
        (value, index) => value * scale[index % channels] + shift[index % channels]);
    } else if (stage.kind === "image") {
      stage.decoded = Float32Array.from(decode(stage.values, Uint8Array));
    } else stage.decoded = decode(stage.values, Float32Array);
  }
  return stage.decoded;
}

function whole(stage) { return !stage.preview; }

function at(stage, row, column, channel) {
  const [height, width, channels] = stage.shape;
  if (whole(stage)) return values(stage)[(row * width + column) * channels + channel];
  const { channels: kept, low, high, levels } = stage.preview;
  stage.levels = stage.levels || decode(levels, Uint8Array);
  const place = kept.indexOf(channel);
  const level = stage.levels[(place * height + row) * width + column];
  return low + (level / 255) * (high - low);
}

function channelsOf(stage) {
  return whole(stage) ? [...Array(stage.shape[2]).keys()] : stage.preview.channels;
}

function range(stage) {
  if (!stage.range) {
    let [low, high] = [Infinity, -Infinity];
    const numbers = whole(stage) ? values(stage) : [stage.preview.low, stage.preview.high];
    for (const value of numbers) { low = Math.min(low, value); high = Math.max(high, value); }
    stage.range = [low, high];
  }
  return stage.range;
}

function weights(stage) {
  stage.weights = stage.weights || decode(stage.kernel, Float32Array);
  return stage.weights;
}

function biases(stage) {
  stage.biases = stage.biases || decode(stage.bias, Float32Array);
  return stage.biases;
}

function isRow(stage) { return stage.shape[0] === 1 && stage.shape[1] === 1; }

// ---- where a number comes from ------------------------------------------------------------------

// The positions of the window; `outside` marks padding.
function windowCells(stage, row, column) {
  const below = stages[stage.parents[0]].shape;
  const cells = [];
  for (let i = 0; i < stage.size[0]; i += 1) {
    for (let j = 0; j < stage.size[1]; j += 1) {
      const r = row * stage.stride[0] - stage.before[0] + i * stage.dilation[0];
      const c = column * stage.stride[1] - stage.before[1] + j * stage.dilation[1];
      const outside = r < 0 || c < 0 || r >= below[0] || c >= below[1];
      cells.push({ i, j, row: r, column: c, outside });
    }
  }
  return cells;
}

function frameOf(cells) {
  const rows = cells.map((cell) => cell.row);
  const columns = cells.map((cell) => cell.column);
  return [Math.min(...rows), Math.min(...columns), Math.max(...rows), Math.max(...columns)];
}

// The parts of a weighted sum: one for each channel below that the filter sees.
function parts(stage, row, column, channel) {
  const below = stages[stage.parents[0]];
  const cells = windowCells(stage, row, column);
  const filters = stage.shape[2];
  const group = Math.floor(channel / (filters / (below.shape[2] / stage.depth)));
  const result = [];
  for (let d = 0; d < stage.depth; d += 1) {
    const source = group * stage.depth + d;
    let sum = 0;
    for (const { i, j, row: r, column: c, outside } of cells) {
      if (outside) continue;
      const place = ((i * stage.size[1] + j) * stage.depth + d) * filters + channel;
      sum += at(below, r, c, source) * weights(stage)[place];
    }
    result.push({ source, depth: d, sum });
  }
  return { cells, result };
}

function explain(stage, row, column, channel) {
  const value = at(stage, row, column, channel);
  if (!whole(stage)) return { value, text: "the exact numbers of this layer are left out of this page" };
  if (stage.kind === "image") return { value, text: "a level of the image, 0 to 255" };
  const parents = stage.parents.map((index) => stages[index]);
  if (!parents.length || !parents.every(whole)) {
    return { value, text: "the numbers it is computed from are not on this page" };
  }
  const below = parents[0];
  switch (stage.kind) {
    case "sum": {
      if (!stage.kernel) return { value, text: "its kernel is too large for this page" };
      const { cells, result } = parts(stage, row, column, channel);
      const bias = biases(stage)[channel];
      const computed = result.reduce((sum, part) => sum + part.sum, 0) + bias;
      const products = result.length * cells.filter((cell) => !cell.outside).length;
      const text = `${products} products add up to ${number(computed - bias)}` +
        (biases(stage).some((each) => each) ? `; plus bias ${number(bias)} is ${number(computed)}` : "");
      return { value, computed, text, cells, result };
    }
    case "max":
    case "mean": {
      const cells = windowCells(stage, row, column);
      const inside = cells.filter((cell) => !cell.outside);
      const numbers = inside.map((cell) => at(below, cell.row, cell.column, channel));
      const max = stage.kind === "max";
      const computed = max ? numbers.reduce((a, b) => Math.max(a, b))
        : numbers.reduce((a, b) => a + b, 0) / numbers.length;
      const word = max ? "largest" : "mean";
      const text = `the ${word} of ${numbers.length} numbers is ${number(computed)}`;
      return { value, computed, text, cells, result: [{ source: channel }] };
    }
    case "move": {
      const cells = windowCells(stage, row, column);
      const { row: r, column: c, outside } = cells[0];
      const computed = outside ? 0 : at(below, r, c, channel);
      const text = outside ? "padding" : `the number at row ${r}, column ${c} below`;
      return { value, computed, text, cells, result: [{ source: channel }] };
    }
    case "scale": {
      const scale = decode(stage.scale, Float32Array)[channel];
      const shift = decode(stage.shift, Float32Array)[channel];
      const before = at(below, row, column, channel);
      const computed = before * scale + shift;
      const text = `${number(before)} x ${number(scale)} + ${number(shift)} = ${number(computed)}`;
      return { value, computed, text, same: true };
    }
    case "relu": {
      const before = at(below, row, column, channel);
      const text = `before ${number(before)}, after max(0, ${number(before)}) = ${number(value)}`;
      return { value, computed: Math.max(0, before), text, same: true };
    }
    case "flatten": {
      const [, width, channels] = below.shape;
      const place = Math.floor(channel / channels);
      const cell = { row: Math.floor(place / width), column: place % width, source: channel % channels };
      const computed = at(below, cell.row, cell.column, cell.source);
      const text = `the number at row ${cell.row}, column ${cell.column} of channel ${cell.source}`;
      const cells = [{ i: 0, j: 0, outside: false, ...cell }];
      return { value, computed, text, cells, result: [{ source: cell.source }], single: true };
    }
    default: {
      const there = parents.filter((parent) => parent.shape.join() === stage.shape.join());
      const text = there.map((parent) =>
        `${parent.name} has ${number(at(parent, row, column, channel))} there`).join(", ");
      return { value, text: text || `computed by ${stage.title}`, same: there.length > 0 };
    }
  }
}

// ---- the page -----------------------------------------------------------------------------------

const page = document.getElementById("page");
const layerSelect = element("select", { id: "layer" });
const channelSelect = element("select", { id: "channel" });
const belowSelect = element("select", { id: "below-channel" });
const canvases = {};

function panel(id, heading, ...more) {
  const canvas = element("canvas", { id: `${id}-canvas` });
  canvases[id] = canvas;
  const title = element("h2", { id: `${id}-title` }, heading);
  const legendLine = element("p", { className: "quiet", id: `${id}-legend` });
  return element("div", { className: "panel", id }, title, canvas, legendLine, ...more);
}

function build() {
  const answer = element("div", { className: "answer", id: "answer" });
  for (const [name, probability] of data.answer) {
    const bar = element("i", {});
    bar.style.width = `${100 * probability}%`;
    answer.append(element("span", {}, name), element("span", {}, bar),
      element("span", {}, probability.toFixed(4)));
  }
  const notes = data.notes.map((note) => element("p", { className: "quiet" }, note));
  const controls = element("div", { className: "controls" },
    element("label", {}, "Layer ", layerSelect), element("label", {}, "Channel ", channelSelect),
    element("span", { className: "quiet" },
      "Point at a number of the map, or go to the map with Tab and use the arrow keys."));
  const windowLabel = element("label", { id: "below-choice" }, "channel ", belowSelect);
  page.replaceChildren(answer, ...notes, controls,
    element("div", { className: "panels" }, panel("image", "Image: the receptive field of this value"),
      panel("below", "Layer below: its window", windowLabel), panel("map", "Map")),
    element("div", { className: "sum", id: "sum" }),
    element("section", {}, element("h2", {}, "All channels of this layer"),
      element("div", { className: "thumbs", id: "thumbs" })));
  fill(layerSelect, stages.map((stage, index) => [index, `${stage.name}: ${stageText(stage)}`]));
  layerSelect.addEventListener("change", () => chooseLayer(Number(layerSelect.value)));
  channelSelect.addEventListener("change", () => chooseChannel(Number(channelSelect.value)));
  belowSelect.addEventListener("change", () => {
    state.below = Number(belowSelect.value);
    show();
  });
  listen(canvases.map);
}

function stageText(stage) {
  const size = isRow(stage) ? `${stage.shape[2]} numbers` : stage.shape.join(" x ");
  return `${stage.title}, ${size}`;
}

function listen(canvas) {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of the layer: arrow keys choose a number");
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const [height, width] = mapShape(stages[state.stage]);
    const row = Math.floor(((event.clientY - box.top) / box.height) * height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * width);
    point(row, column);
  });
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [row, column] = pointed(stages[state.stage]);
    point(row + move[0], column + move[1]);
  });
}

// A row of numbers is drawn as lines of cells, one cell per channel.
function rowWidth(stage) {
  const count = channelsOf(stage).length;
  return count <= 16 ? count : Math.ceil(Math.sqrt(count));
}

function mapShape(stage) {
  if (!isRow(stage)) return stage.shape;
  const width = rowWidth(stage);
  return [Math.ceil(channelsOf(stage).length / width), width];
}

function pointed(stage) {
  if (!isRow(stage)) return [state.row, state.column];
  const place = channelsOf(stage).indexOf(state.channel);
  return [Math.floor(place / rowWidth(stage)), place % rowWidth(stage)];
}

function point(row, column) {
  const stage = stages[state.stage];
  const [height, width] = mapShape(stage);
  const r = Math.min(Math.max(row, 0), height - 1);
  const c = Math.min(Math.max(column, 0), width - 1);
  if (isRow(stage)) {
    const kept = channelsOf(stage);
    state.channel = kept[Math.min(r * width + c, kept.length - 1)];
    channelSelect.value = state.channel;
  } else [state.row, state.column] = [r, c];
  state.below = null;
  show();
}

function chooseLayer(index) {
  const before = stages[state.stage].shape;
  const stage = stages[index];
  state.stage = index;
  const scale = (place, from, to) => Math.min(to - 1, Math.floor(((place + 0.5) * to) / from));
  state.row = scale(state.row, before[0], stage.shape[0]);
  state.column = scale(state.column, before[1], stage.shape[1]);
  const kept = channelsOf(stage);
  if (!kept.includes(state.channel)) [state.channel] = kept;
  state.below = null;
  layerSelect.value = index;
  fill(channelSelect, kept.map((channel) => [channel, channel]));
  drawThumbs();
  chooseChannel(state.channel);
}

function chooseChannel(channel) {
  state.channel = channel;
  state.below = null;
  channelSelect.value = channel;
  show();
}

function thumb(stage, channel) {
  const [height, width] = stage.shape;
  const canvas = element("canvas", {});
  const [low, high] = range(stage);
  paint(canvas, height, width, (r, c) => shade(stage, r, c, channel, low, high));
  canvas.style.width = "48px";
  canvas.style.height = `${Math.min(96, Math.max(8, (48 * height) / width))}px`;
  const button = element("button", { type: "button" }, canvas, String(channel));
  button.dataset.channel = channel;
  button.setAttribute("aria-label", `channel ${channel}`);
  button.addEventListener("click", () => chooseChannel(channel));
  return button;
}

function drawThumbs() {
  const stage = stages[state.stage];
  const shown = isRow(stage) ? [] : channelsOf(stage).slice(0, MOST_THUMBS);
  const thumbs = document.getElementById("thumbs");
  thumbs.replaceChildren(...shown.map((channel) => thumb(stage, channel)));
  thumbs.parentElement.hidden = !shown.length;
}

function shade(stage, row, column, channel, low, high) {
  if (stage.kind !== "image") return colour(at(stage, row, column, channel), low, high);
  const grey = stage.shape[2] === 1;
  return [0, 1, 2].map((index) => at(stage, row, column, grey ? 0 : index));
}

function drawMap(id, stage, channel, mark) {
  const canvas = canvases[id];
  const [height, width] = mapShape(stage);
  const times = Math.max(1, Math.floor(360 / Math.max(height, width)));
  const [low, high] = range(stage);
  const kept = channelsOf(stage);
  const pixel = !isRow(stage)
    ? (r, c) => shade(stage, r, c, channel, low, high)
    : (r, c) => (r * width + c < kept.length
      ? colour(at(stage, 0, 0, kept[r * width + c]), low, high) : [128, 128, 128]);
  paint(canvas, height, width, pixel, times);
  if (mark) frame(canvas, times, mark);
  const line = document.getElementById(`${id}-legend`);
  line.replaceChildren(stage.kind === "image" ? "the image as the model sees it" : legend(low, high));
}

function show() {
  const stage = stages[state.stage];
  const { channel } = state;
  const [row, column] = isRow(stage) ? [0, 0] : [state.row, state.column];
  const explained = explain(stage, row, column, channel);
  const [markRow, markColumn] = pointed(stage);
  drawMap("map", stage, channel, [markRow, markColumn, markRow, markColumn]);
  const name = isRow(stage) ? `${stage.name}: numbers` : `${stage.name}: channel ${channel}`;
  document.getElementById("map-title").textContent = name;
  drawBelow(stage, explained, row, column);
  drawImage(stage, explained, row, column);
  drawSum(stage, explained, row, column);
  for (const button of document.getElementById("thumbs").children) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.channel) === channel));
  }
}

// The channel below that is drawn: the chosen one, or else the one that contributes most.
function belowChannel(stage, explained) {
  if (explained.same) return state.channel;
  if (!explained.result) return 0;
  const sources = explained.result.map((part) => part.source);
  if (state.below !== null && sources.includes(state.below)) return state.below;
  const sorted = [...explained.result].sort((a, b) => Math.abs(b.sum || 0) - Math.abs(a.sum || 0));
  return sorted[0].source;
}

function drawBelow(stage, explained, row, column) {
  const known = explained.result || explained.same;
  document.getElementById("below").hidden = !known;
  if (!known) return;
  const below = stages[stage.parents[0]];
  const channel = belowChannel(stage, explained);
  let mark = explained.same ? [row, column, row, column] : frameOf(explained.cells);
  if (isRow(below)) {
    const width = rowWidth(below);
    const [r, c] = [Math.floor(channel / width), channel % width];
    mark = [r, c, r, c];
  }
  drawMap("below", below, channel, mark);
  const what = isRow(below) ? `${below.name}: number ${channel}` : `${below.name}: its window`;
  document.getElementById("below-title").textContent = what;
  const sources = explained.result ? explained.result.map((part) => part.source) : [channel];
  fill(belowSelect, sources.map((source) => [source, source]));
  belowSelect.value = channel;
  document.getElementById("below-choice").hidden = sources.length < 2;
}

function drawImage(stage, explained, row, column) {
  const [top, bottom] = stage.rows[row];
  const [left, right] = stage.columns[column];
  const seen = top <= bottom && left <= right;
  drawMap("image", stages[0], 0, seen ? [top, left, bottom, right] : null);
  document.getElementById("image-title").textContent = "Image: the receptive field of this value";
  document.getElementById("image-legend").textContent = seen
    ? `rows ${top} to ${bottom}, columns ${left} to ${right} of ${stages[0].shape.slice(0, 2).join(" x ")}`
    : "only padding";
}

function drawSum(stage, explained, row, column) {
  const place = isRow(stage) ? `number ${state.channel}`
    : `row ${row}, column ${column}, channel ${state.channel}`;
  const total = element("p", { className: "total", id: "total" },
    `${stage.name}, ${place}: ${number(explained.value)}`);
  total.dataset.value = explained.value;
  if (explained.computed !== undefined) total.dataset.computed = explained.computed;
  const how = element("p", { id: "how" }, explained.text);
  const box = document.getElementById("sum");
  box.replaceChildren(total, how);
  if (explained.result) box.append(tables(stage, explained));
}

function tables(stage, explained) {
  const below = stages[stage.parents[0]];
  const box = element("div", { className: "windows", id: "windows" });
  if (explained.single) return box;
  const first = belowChannel(stage, explained);
  const sorted = [...explained.result].sort((a, b) =>
    (b.source === first) - (a.source === first) || Math.abs(b.sum || 0) - Math.abs(a.sum || 0));
  if (explained.cells.length === 1 && stage.kernel) {
    box.append(termTable(stage, below, sorted.slice(0, 24)));
  } else if (explained.cells.length <= MOST_CELLS) {
    for (const part of sorted.slice(0, MOST_WINDOWS)) {
      box.append(windowTable(stage, below, explained.cells, part));
    }
  }
  const rest = sorted.slice(explained.cells.length === 1 ? 24 : MOST_WINDOWS);
  if (rest.length && stage.kernel) {
    const sum = rest.reduce((added, part) => added + part.sum, 0);
    box.append(element("p", { className: "quiet" },
      `${rest.length} more channels below add up to ${number(sum)}.`));
  }
  return box;
}

function windowTable(stage, below, cells, part) {
  const sum = part.sum === undefined ? "" : `: adds ${number(part.sum)}`;
  const table = element("table", {},
    element("caption", {}, `channel ${part.source} of ${below.name}${sum}`));
  const filters = stage.shape[2];
  const largest = stage.kind === "max" ? at(stage, state.row, state.column, state.channel) : null;
  for (let i = 0; i < stage.size[0]; i += 1) {
    const line = element("tr", {});
    for (const cell of cells.filter((one) => one.i === i)) {
      const entry = element("td", {});
      const value = cell.outside ? 0 : at(below, cell.row, cell.column, part.source);
      if (cell.outside) entry.className = "outside";
      if (!cell.outside && value === largest) entry.className = "most";
      entry.append(cell.outside ? "padding" : number(value));
      if (stage.kernel) {
        const place = ((cell.i * stage.size[1] + cell.j) * stage.depth + part.depth) * filters;
        const weight = weights(stage)[place + state.channel];
        entry.append(element("small", {}, `x ${number(weight)}`));
      }
      line.append(entry);
    }
    table.append(line);
  }
  return table;
}

// For a window of one position: one line per channel below.
function termTable(stage, below, sorted) {
  const table = element("table", {}, element("caption", {}, `the largest of ${stage.depth} products`));
  const { row, column, outside } = windowCells(stage, isRow(stage) ? 0 : state.row,
    isRow(stage) ? 0 : state.column)[0];
  for (const part of sorted) {
    const value = outside ? 0 : at(below, row, column, part.source);
    const weight = weights(stage)[part.depth * stage.shape[2] + state.channel];
    table.append(element("tr", {}, element("td", {}, `${below.name} ${part.source}`),
      element("td", {}, number(value)), element("td", {}, `x ${number(weight)}`),
      element("td", {}, `= ${number(part.sum)}`)));
  }
  return table;
}

build();
const start = stages.findIndex((stage) => stage.convolution);
state.row = Math.floor(stages[0].shape[0] / 2);
state.column = Math.floor(stages[0].shape[1] / 2);
chooseLayer(Math.max(start, 0));
