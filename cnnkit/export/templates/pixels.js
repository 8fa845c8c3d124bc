// Bring a picture to the pixels that a network expects: upright, at its size, in its colours.
//
// The browser decodes the picture. The size is changed here, with the arithmetic of Pillow's
// bilinear filter, because browsers shrink pictures in ways of their own.

const WEIGHT_BITS = 22; // of a weight as a whole number, as in Pillow
const STRIP_ROWS = 128; // read from the canvas at once: the whole picture may be very large
const NO_SOUNDS = "Sounds cannot be read here. “cnnkit predict” and “cnnkit serve” read WAV files.";

/**
 * Return the Uint8Array (height, width, channels) of a picture.
 *
 * @param source a Blob (or File) of an image, or a video, image or canvas element.
 * @param settings `pixels` of cnnkit.json: image_size, color_mode, resize and background.
 */
export async function readPixels(source, settings) {
  if (source instanceof Blob && (await isSound(source))) throw new Error(NO_SOUNDS);
  // Colour profiles are not applied, as in training. The browser turns the picture upright.
  const bitmap = await createImageBitmap(source, { colorSpaceConversion: "none" });
  try {
    return resized(bitmap, settings);
  } finally {
    bitmap.close();
  }
}

async function isSound(blob) {
  const head = new TextDecoder("latin1").decode(await blob.slice(0, 12).arrayBuffer());
  return head.startsWith("RIFF") && head.endsWith("WAVE");
}

function resized(bitmap, settings) {
  const [height, width] = settings.image_size;
  const whole = [0, 0, bitmap.width, bitmap.height];
  if (settings.resize === "stretch") return scaled(bitmap, settings, whole, width, height);
  const scales = [width / bitmap.width, height / bitmap.height];
  if (settings.resize === "crop") {
    const kept = [width / Math.max(...scales), height / Math.max(...scales)];
    const left = Math.max((bitmap.width - kept[0]) / 2, 0);
    const top = Math.max((bitmap.height - kept[1]) / 2, 0);
    const right = Math.min(left + kept[0], bitmap.width);
    const bottom = Math.min(top + kept[1], bitmap.height);
    return scaled(bitmap, settings, [left, top, right, bottom], width, height);
  }
  const side = (length, most) => Math.min(most, Math.max(1, rounded(length * Math.min(...scales))));
  const inner = [side(bitmap.width, width), side(bitmap.height, height)];
  return padded(scaled(bitmap, settings, whole, ...inner), inner, settings);
}

function padded(pixels, [innerWidth, innerHeight], settings) {
  const [height, width] = settings.image_size;
  const channels = pixels.length / (innerWidth * innerHeight);
  const canvas = new Uint8Array(height * width * channels).fill(settings.background);
  const left = rounded((width - innerWidth) / 2);
  const top = rounded((height - innerHeight) / 2);
  for (let y = 0; y < innerHeight; y++) {
    const row = pixels.subarray(y * innerWidth * channels, (y + 1) * innerWidth * channels);
    canvas.set(row, ((top + y) * width + left) * channels);
  }
  return canvas;
}

/** Round as Python does: a half goes to the even number. */
function rounded(value) {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

/** Return the part `box` (left, top, right, bottom) of a picture at another size. */
function scaled(bitmap, settings, [left, top, right, bottom], width, height) {
  const channels = settings.color_mode === "grayscale" ? 1 : 3;
  const columns = weightsOf(bitmap.width, left, right, width);
  const rows = weightsOf(bitmap.height, top, bottom, height);
  const firstRow = rows[0].first;
  const lastRow = Math.max(...rows.map((row) => row.first + row.weights.length));
  const narrow = new Uint8Array((lastRow - firstRow) * width * channels);
  for (let y = firstRow; y < lastRow; y += STRIP_ROWS) {
    const count = Math.min(STRIP_ROWS, lastRow - y);
    const strip = stripOf(bitmap, y, count, settings);
    const begin = (y - firstRow) * width * channels;
    for (let row = 0; row < count; row++) {
      mix(strip, row * bitmap.width * channels, channels, columns, 0,
        narrow, begin + row * width * channels, channels, channels);
    }
  }
  const result = new Uint8Array(height * width * channels);
  mix(narrow, 0, width * channels, rows, firstRow, result, 0, width * channels, width * channels);
  return result;
}

/**
 * Return for each new pixel of a row or column the first old one that counts, and the weights.
 *
 * The filter is a triangle whose half width is one pixel of the coarser of the two grids.
 */
function weightsOf(size, from, to, newSize) {
  const scale = (to - from) / newSize;
  const reach = Math.max(scale, 1);
  return Array.from({ length: newSize }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(size, Math.trunc(centre + reach + 0.5));
    const weights = [];
    for (let i = first; i < last; i++) {
      weights.push(Math.max(0, 1 - Math.abs(i - centre + 0.5) / reach));
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const whole = weights.map((weight) => Math.floor((weight / sum) * 2 ** WEIGHT_BITS + 0.5));
    return { first, weights: Int32Array.from(whole) };
  });
}

/** For each new place, mix `count` neighbouring values of old places, `step` values apart. */
function mix(old, begin, step, places, firstPlace, result, target, targetStep, count) {
  for (const [place, { first, weights }] of places.entries()) {
    const start = begin + (first - firstPlace) * step;
    for (let c = 0; c < count; c++) {
      let sum = 1 << (WEIGHT_BITS - 1);
      for (let i = 0; i < weights.length; i++) sum += old[start + i * step + c] * weights[i];
      result[target + place * targetStep + c] = sum >> WEIGHT_BITS;
    }
  }
}

/** Return rows of the picture in rgb or grey, with the background behind transparent pixels. */
function stripOf(bitmap, y, count, settings) {
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = count;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const level = settings.background;
  context.fillStyle = `rgb(${level}, ${level}, ${level})`;
  context.fillRect(0, 0, canvas.width, count);
  context.drawImage(bitmap, 0, y, bitmap.width, count, 0, 0, bitmap.width, count);
  const { data } = context.getImageData(0, 0, canvas.width, count);
  return settings.color_mode === "grayscale" ? greyOf(data) : withoutAlpha(data);
}

function withoutAlpha(data) {
  const result = new Uint8Array((data.length / 4) * 3);
  for (let i = 0, j = 0; i < data.length; i += 4, j += 3) {
    result[j] = data[i];
    result[j + 1] = data[i + 1];
    result[j + 2] = data[i + 2];
  }
  return result;
}

/** Return the luma of ITU-R 601, with Pillow's whole-number weights. */
function greyOf(data) {
  const result = new Uint8Array(data.length / 4);
  for (let i = 0; i < result.length; i++) {
    const [red, green, blue] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    result[i] = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16;
  }
  return result;
}
