// The page of the folder: the classifier is loaded at once, and pictures wait for it.

const FROM_DISK =
  "Browsers do not load the network from a file. Start a web server in this folder, such as " +
  "“python -m http.server”, and open http://localhost:8000.";

const loading = loaded();
loading.then(
  () => {
    if (!lastAnswer) byId("said").textContent = "Ready for a picture";
  },
  (error) => setFault(error.message),
);

async function loaded() {
  if (location.protocol === "file:") throw new Error(FROM_DISK);
  byId("said").textContent = "Loading the network …";
  const { loadClassifier } = await import("./classifier.js");
  return loadClassifier();
}

function latencyText({ milliseconds: { pixels, network } }) {
  return `${pixels.toFixed(0)} ms to read and resize the picture, ` +
    `${network.toFixed(0)} ms for the network`;
}

async function answerPicture(source) {
  const classifier = await loading;
  try {
    return await classifier.classify(source);
  } catch (error) {
    if (error.name !== "InvalidStateError" && error.name !== "EncodingError") throw error;
    throw new Error("This browser cannot read that file as a picture.");
  }
}

startChooser(answerPicture, showAnswer);
