// A picture that is dropped, pasted, chosen or photographed is given to `answerPicture`, which
// returns a promise of the answer. Of several pictures, only the newest is answered.

const byId = (id) => document.getElementById(id);

function startChooser(answerPicture, showAnswer) {
  const camera = byId("camera");
  let newest = 0;
  let stream = null;

  async function answered(source, { aloud }) {
    const mine = ++newest;
    byId("status").setAttribute("aria-live", aloud ? "polite" : "off");
    try {
      const answer = await answerPicture(source);
      if (mine !== newest) return;
      setFault("");
      showAnswer(answer);
    } catch (error) {
      if (mine === newest) {
        showAnswer(null);
        setFault(error.message);
      }
    }
  }

  function show(picture) {
    stopCamera();
    const image = byId("shown");
    if (image.src) URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(picture);
    display(image);
    return answered(picture, { aloud: true });
  }

  function display(element) {
    for (const each of [byId("hint"), byId("shown"), camera]) each.hidden = each !== element;
    byId("drop").classList.toggle("full", element !== byId("hint"));
  }

  function choose(files) {
    const file = [...files].find((each) => each.type.startsWith("image/")) ?? files[0];
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
      await answered(camera, { aloud: false });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function stopCamera() {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    newest++; // the answer for its last frame comes too late
    camera.srcObject = null;
    display(byId("hint"));
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
  return show;
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

function frameOf(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
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
