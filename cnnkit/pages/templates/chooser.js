// A picture that is dropped, pasted, chosen or photographed is given to `answerPicture`, which
// returns a promise of the answer for `showAnswer`. One picture is answered at a time; of those
// that come meanwhile, only the newest.

const byId = (id) => document.getElementById(id);
const HINT = byId("hint").textContent;

function startChooser(answerPicture, showAnswer) {
  const camera = byId("camera");
  let answering = null;
  let waiting = null;
  let round = 0; // increased when earlier answers are not wanted any more
  let stream = null;
  let address = ""; // of the file that is shown

  function answered(source, aloud) {
    waiting = { source, aloud, round };
    answering ??= answerWaiting();
    return answering;
  }

  async function answerWaiting() {
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await answerOne(next);
      }
    } finally {
      answering = null;
    }
  }

  async function answerOne({ source, aloud, round: mine }) {
    const status = byId("status");
    status.setAttribute("aria-live", aloud ? "polite" : "off");
    status.setAttribute("aria-busy", String(aloud)); // frames follow each other without flicker
    let answer = null;
    let fault = "";
    try {
      answer = await answerPicture(source);
    } catch (error) {
      fault = error.message;
    }
    status.setAttribute("aria-busy", "false");
    if (mine !== round) return;
    setFault(fault);
    await showAnswer(answer);
  }

  function show(file) {
    stopCamera();
    round++;
    URL.revokeObjectURL(address);
    address = URL.createObjectURL(file);
    if (isSound(file) && byId("sound")) {
      byId("sound-name").textContent = file.name;
      byId("player").src = address;
      display(byId("sound"));
    } else {
      byId("shown").src = address;
      display(byId("shown"));
    }
    return answered(file, true);
  }

  function showHint(text) {
    byId("hint").textContent = text;
    display(byId("hint"));
  }

  function display(element) {
    byId("player")?.pause();
    for (const each of byId("drop").children) each.hidden = each !== element;
    byId("drop").classList.toggle("full", element !== byId("hint"));
    byId("drop").dataset.shows = element.id;
  }

  function choose(files) {
    const isPicture = (file) => file.type.startsWith("image/");
    const file = [...files].find(isPicture) ?? [...files].find(isSound) ?? files[0];
    if (file) show(file);
  }

  async function startCamera() {
    try {
      const wanted = { video: { facingMode: "environment" } };
      stream = await navigator.mediaDevices.getUserMedia(wanted);
    } catch (error) {
      setFault(cameraFault(error));
      return;
    }
    setFault("");
    camera.srcObject = stream;
    await camera.play();
    display(camera);
    setCameraButtons(true);
    byId("take").focus();
    followCamera();
  }

  // One frame after the other, as fast as they are answered, and never several at a time.
  async function followCamera() {
    while (stream) {
      await answered(camera, false);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function stopCamera() {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    round++; // the answer for its last frame comes too late
    camera.srcObject = null;
    showHint(HINT);
    setCameraButtons(false);
  }

  function setCameraButtons(isOn) {
    byId("start-camera").hidden = isOn;
    byId("take").hidden = byId("stop-camera").hidden = !isOn;
  }

  async function take() {
    const picture = await frameOf(camera);
    await show(picture);
    byId("start-camera").focus();
  }

  byId("shown").addEventListener("error", () => showHint("This browser cannot show that file."));
  byId("drop").addEventListener("click", () => {
    if (!byId("hint").hidden) byId("file").click(); // while it is empty
  });
  byId("file").addEventListener("change", (event) => {
    choose(event.target.files);
    event.target.value = ""; // so that the same file can be chosen again
  });
  byId("start-camera").addEventListener("click", startCamera);
  byId("take").addEventListener("click", take);
  byId("stop-camera").addEventListener("click", () => {
    stopCamera();
    byId("start-camera").focus();
  });
  document.addEventListener("paste", (event) => choose(event.clipboardData.files));
  acceptDrops(choose);
  return { show, answered, display, stopCamera };
}

function acceptDrops(choose) {
  const page = document.documentElement;
  page.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser opens the picture instead of this page
    page.classList.add("dragging");
  });
  page.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) page.classList.remove("dragging");
  });
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    page.classList.remove("dragging");
    if (event.dataTransfer.files.length) choose(event.dataTransfer.files);
    else setFault("That was no file. Save the picture first, and drop its file here.");
  });
}

function isSound(file) {
  return file.type.startsWith("audio/") || /\.wav$/i.test(file.name);
}

function frameOf(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}

function cameraFault(error) {
  if (!window.isSecureContext) {
    return "Browsers give the camera only to pages from https:// or from this machine " +
      "(http://localhost). On a phone, “Choose a picture” offers to take one.";
  }
  if (error.name === "NotAllowedError") return "The browser was told not to use the camera.";
  if (error.name === "NotFoundError") return "This device has no camera.";
  return `The camera cannot be used: ${error.message}`;
}

function setFault(text) {
  byId("fault").textContent = text;
  byId("fault").hidden = !text;
}
