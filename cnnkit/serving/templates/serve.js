// The page of the server: it sends pictures, and shows what comes back.

const KEY = "cnnkit-api-key"; // kept until the browser's tab is closed
let tab = "tab-bars";
let picture = null; // the last one that was answered
let models = [];

async function ask(path, body) {
  const headers = { "Content-Type": "application/octet-stream" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const value = await response.json();
  if (response.status === 401) byId("key-form").hidden = false;
  if (!response.ok) throw new Error(value.error);
  return value;
}

/** Return the address of an endpoint for the chosen model. */
function addressOf(endpoint, values = {}) {
  const { name, version } = models[byId("model").selectedIndex] ?? {};
  const query = new URLSearchParams({ ...(name && { model: name, version }), ...values });
  return `${endpoint}?${query}`;
}

async function answerPicture(source) {
  const blob = await blobOf(source);
  const start = performance.now();
  const value = await ask(addressOf("predict", { topk: 100000 }), blob);
  return { ...value.predictions[0], blob, milliseconds: performance.now() - start };
}

function blobOf(source) {
  if (source instanceof Blob) return source;
  if (source instanceof HTMLVideoElement) return frameOf(source);
  return new Promise((resolve) => source.toBlob(resolve, "image/png"));
}

function latencyText({ milliseconds }) {
  return `${milliseconds.toFixed(0)} ms to the server and back`;
}

async function showAll(answer) {
  showAnswer(answer);
  picture = answer?.blob ?? null;
  await showMore();
}

/** Fill the open tab for the last picture. */
async function showMore() {
  if (tab === "tab-look") await filled("look", () => explained(picture));
  if (tab === "tab-maps") await filled("maps", () => mapped(picture));
}

async function filled(panel, fill) {
  const state = byId(`${panel}-state`);
  state.className = "quiet";
  if (!picture) {
    byId(panel).hidden = true;
    state.textContent = "Choose a picture first.";
    return;
  }
  state.textContent = "Computing … the first time takes some seconds.";
  try {
    await fill();
    byId(panel).hidden = false;
    state.textContent = "";
  } catch (error) {
    byId(panel).hidden = true;
    state.className = "fault";
    state.textContent = error.message;
  }
}

async function explained(mine) {
  const chosen = byId("class").value;
  const value = await ask(addressOf("explain", chosen && { class: chosen }), mine);
  if (mine !== picture) return;
  byId("overlay").src = pngUrl(value.overlay);
  byId("overlay").alt = `The picture, with what speaks for ${value.class} marked`;
  byId("look-caption").textContent =
    `${value.class}, ${percent(value.probability)}, by layer ${value.layer}. ${value.note ?? ""}`;
}

async function mapped(mine) {
  const value = await ask(addressOf("features"), mine);
  if (mine === picture) await showMaps(value);
}

async function loadModels() {
  ({ models } = await ask("model"));
  const texts = models.map(({ name, version }) => `${name}, version ${version}`);
  fill(byId("model"), texts.map((text) => [text, text]));
  byId("model-setting").hidden = models.length < 2;
  byId("key-form").hidden = true;
  setFault("");
  describeModel();
}

function describeModel() {
  const { name, classes, image_size: size, color_mode: mode } = models[byId("model").selectedIndex];
  byId("about").textContent =
    `${name}: ${classes.length} classes, ${size[1]} x ${size[0]} pixels, ${mode}. ` +
    "Pictures are sent to this server, which answers them and keeps none.";
  byId("draw").hidden = mode !== "grayscale"; // a drawing has no colours
  fill(byId("class"), [["", "the most probable one"], ...classes.map((each) => [each, each])]);
  byId("said").textContent ||= "Ready for a picture";
}

const chooser = startChooser(answerPicture, showAll);
startDrawing(chooser);
startTabs((id) => {
  tab = id;
  document.body.classList.toggle("wide", id === "tab-maps");
  showMore();
});
byId("class").addEventListener("change", showMore);
byId("model").addEventListener("change", () => {
  describeModel();
  if (picture) chooser.answered(picture, true);
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("key").value);
  loadModels().catch((error) => setFault(error.message));
});
loadModels().catch((error) => setFault(error.message));
