// Classify pictures in the browser with the model of this folder. For your own page:
//
//   import { loadClassifier } from "./classifier.js";
//   const classifier = await loadClassifier();
//   const answer = await classifier.classify(file);
//
// An answer has the keys of `cnnkit predict --json`: prediction, probability, top (all classes, the
// most probable first), and for a calibrated model distance, and reason if it is "unknown". In
// addition, milliseconds: { pixels, network }.

import { loadAndCompile, loadLiteRt, Tensor } from "./litert/index.js";
import { readPixels } from "./pixels.js";

/** Load the model of a folder that `cnnkit export --format browser` has written. */
export async function loadClassifier(folder = new URL("./", import.meta.url)) {
  const info = await (await get(new URL("cnnkit.json", folder))).json();
  const model = new Uint8Array(await (await get(new URL("model.tflite", folder))).arrayBuffer());
  // The runtime reports each step of its start as an error; its loader takes this object.
  globalThis.Module = {
    printErr: (line) => console[/^(INFO|WARNING|VERBOSE):/.test(line) ? "debug" : "error"](line),
  };
  await loadLiteRt(new URL("litert/", folder).href);
  const compiled = await loadAndCompile(model, { accelerator: "wasm" });
  return new Classifier(info, compiled);
}

async function get(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be loaded: ${response.status}`);
  return response;
}

class Classifier {
  #model;

  constructor(info, model) {
    this.info = info;
    this.#model = model;
  }

  /**
   * Return the answer for a picture.
   *
   * @param source a Blob (or File) of an image, or a video, image or canvas element.
   */
  async classify(source) {
    const start = performance.now();
    const pixels = await readPixels(source, this.info.pixels);
    const middle = performance.now();
    const outputs = await this.#run(pixels);
    const end = performance.now();
    const answer = answerOf(outputs, this.info);
    return { ...answer, milliseconds: { pixels: middle - start, network: end - middle } };
  }

  async #run(pixels) {
    const input = this.#model.getInputDetails()[0];
    const tensor = new Tensor(pixels, [...input.shape]);
    const tensors = await this.#model.run({ [input.name]: tensor });
    tensor.delete();
    const outputs = {};
    for (const [name, output] of Object.entries(tensors)) {
      outputs[name] = Array.from(await output.data());
      output.delete();
    }
    return outputs;
  }
}

function answerOf(outputs, info) {
  const raw = outputs.probabilities ?? Object.values(outputs)[0];
  // The one sigmoid unit is the probability of the second class.
  const probabilities = info.output === "sigmoid" ? [1 - raw[0], raw[0]] : raw;
  const distance = outputs.distance?.[0];
  const top = probabilities
    .map((probability, label) => ({ class: info.class_names[label], probability }))
    .sort((one, other) => other.probability - one.probability);
  const reason = info.calibration && refusal(probabilities, distance, info);
  return {
    prediction: reason ? "unknown" : top[0].class,
    probability: top[0].probability,
    ...(reason && { reason }),
    ...(distance !== undefined && { distance }),
    top,
  };
}

/** Return why a picture gets no answer, null if it gets one. */
function refusal(probabilities, distance, { calibration, class_names: names }) {
  const most = calibration.largest_distance;
  if (distance !== undefined && !(distance <= most)) {
    return `unlike the training images: distance ${distance.toFixed(3)}, ` +
      `at most ${most.toFixed(3)} is accepted`;
  }
  const label = probabilities.indexOf(Math.max(...probabilities));
  const name = names[label];
  const threshold = calibration.thresholds[label];
  if (threshold === null) {
    return `perhaps ${name}, but no answer ${name} was reliable enough on validation`;
  }
  if (probabilities[label] < threshold) {
    return `not sure enough: ${name} has probability ` +
      `${probabilities[label].toFixed(3)}, at least ${threshold.toFixed(3)} is needed`;
  }
  return null;
}
