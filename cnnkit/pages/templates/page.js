// Decode numbers, draw them, make elements.

const data = JSON.parse(document.getElementById("data").textContent);

function decode(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Few enough digits to be read easily; 32-bit floats have no more than seven.
function number(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(3);
  return String(Number(value.toFixed(size < 1 ? 5 : size < 100 ? 4 : 3)));
}

// If there are negative numbers: from blue over white (zero) to red. Otherwise from dark (zero) to
// light (`high`).
const DARK_TO_LIGHT = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const BLUE_TO_RED = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]];

function colour(value, low, high) {
  const both = low < 0;
  const most = both ? Math.max(-low, high) : high;
  const share = most ? (both ? (value / most + 1) / 2 : value / most) : (both ? 0.5 : 0);
  const stops = both ? BLUE_TO_RED : DARK_TO_LIGHT;
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const start = Math.min(Math.floor(place), stops.length - 2);
  return stops[start].map((from, i) => from + (stops[start + 1][i] - from) * (place - start));
}

// Draw one pixel per number; `pixel(row, column)` returns [red, green, blue].
function paint(canvas, height, width, pixel, times = 1) {
  const small = element("canvas", { width, height });
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const [red, green, blue] = pixel(row, column);
      image.data.set([red, green, blue, 255], 4 * (row * width + column));
    }
  }
  small.getContext("2d").putImageData(image, 0, 0);
  canvas.width = width * times;
  canvas.height = height * times;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width * times, height * times);
  return canvas;
}

// Frame the positions top..bottom, left..right (inclusive) on a canvas painted `times` larger.
function frame(canvas, times, [top, left, bottom, right]) {
  const context = canvas.getContext("2d");
  const side = [left * times, top * times, (right - left + 1) * times, (bottom - top + 1) * times];
  for (const [style, width] of [["#000", 5], ["#ffb000", 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(...side);
  }
}

function legend(low, high) {
  const bar = element("canvas", { className: "legend" });
  const from = low < 0 ? -Math.max(-low, high) : 0;
  const to = low < 0 ? -from : high;
  paint(bar, 1, 64, (_, column) => colour(from + ((to - from) * column) / 63, low, high));
  return element("span", {}, number(from), bar, number(to));
}

function fill(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
}
