// Show the feature maps of a picture, layer by layer.

async function showMaps({ image, layers }) {
  const seen = element("img", { className: "seen", src: pngUrl(image), alt: "" });
  const figure = element("figure", {}, seen,
    element("figcaption", { className: "quiet" }, "The picture as the network sees it"));
  const sections = await Promise.all(layers.map(layerSection));
  byId("maps").replaceChildren(figure, ...sections);
}

async function layerSection(layer) {
  const [height, width, count] = layer.shape;
  const isRow = height === 1 && width === 1;
  const noun = (isRow ? "number" : "channel") + (count === 1 ? "" : "s");
  const what = `${count} ${noun}${isRow ? "" : ` of ${height} x ${width}`}`;
  const fewer = layer.channels.length < count;
  const some = fewer ? `, ${isRow ? "the first" : "of which these"} ${layer.channels.length}` : "";
  const levels = await levelsOf(layer.maps);
  const value = (place) => layer.low + (levels[place] / 255) * (layer.high - layer.low);
  const paintOf = (place) => colour(value(place), layer.low, layer.high);
  const maps = element("div", { className: "maps" });
  if (isRow) {
    const row = element("canvas", { className: "row" });
    paint(row, 1, levels.length, (_, x) => paintOf(x));
    maps.append(labelled(row, `${layer.name}, ${what}`));
  } else {
    maps.style.setProperty("--ratio", `${width} / ${height}`);
    for (const [place, channel] of layer.channels.entries()) {
      const start = place * height * width;
      const map = paint(element("canvas"), height, width, (y, x) => paintOf(start + y * width + x));
      maps.append(labelled(map, `${layer.name}, channel ${channel}`));
    }
  }
  const kind = element("span", {}, ` ${layer.kind}`);
  const scale = legend(layer.low, layer.high);
  const facts = element("div", { className: "quiet" }, `${what}${some} `, scale);
  return element("section", { className: "layer" },
    element("h3", {}, layer.name, kind), facts, maps);
}

function labelled(canvas, text) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  canvas.title = text;
  return canvas;
}

function pngUrl(text) {
  return `data:image/png;base64,${text}`;
}

/** Return the grey levels of a PNG file in base64. */
async function levelsOf(text) {
  const blob = new Blob([decode(text, Uint8Array)], { type: "image/png" });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const canvas = element("canvas", { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data: colours } = context.getImageData(0, 0, canvas.width, canvas.height);
  return Uint8Array.from({ length: colours.length / 4 }, (_, place) => colours[4 * place]);
}
