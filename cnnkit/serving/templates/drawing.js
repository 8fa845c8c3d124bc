// A sheet to draw on, with the mouse, a finger or the arrow keys; each stroke is answered at once.

const PEN_PX = 26; // of a sheet of 280: about as thick as the strokes of handwritten digits
const STEP_PX = 10;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function startDrawing(chooser) {
  const sheet = byId("sheet");
  const context = sheet.getContext("2d");
  let pen = [sheet.width / 2, sheet.height / 2];

  function clear() {
    context.fillStyle = byId("invert").checked ? "#fff" : "#000";
    context.fillRect(0, 0, sheet.width, sheet.height);
  }

  function lineTo(place) {
    context.strokeStyle = byId("invert").checked ? "#000" : "#fff";
    context.lineWidth = PEN_PX;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...pen);
    context.lineTo(...place);
    context.stroke();
    moveTo(place);
  }

  function moveTo(place) {
    pen = place;
    byId("pen").style.left = `${(100 * pen[0]) / sheet.width}%`;
    byId("pen").style.top = `${(100 * pen[1]) / sheet.height}%`;
  }

  function placeOf(event) {
    const scale = sheet.width / sheet.clientWidth;
    return [event.offsetX * scale, event.offsetY * scale];
  }

  byId("draw").addEventListener("click", () => {
    chooser.stopCamera();
    chooser.display(byId("drawing"));
    sheet.focus();
  });
  byId("clear").addEventListener("click", () => {
    clear();
    chooser.answered(sheet, true);
  });
  byId("invert").addEventListener("change", () => {
    context.globalCompositeOperation = "difference"; // black becomes white, white becomes black
    context.fillStyle = "#fff";
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.globalCompositeOperation = "source-over";
    chooser.answered(sheet, true);
  });
  sheet.addEventListener("pointerdown", (event) => {
    sheet.setPointerCapture(event.pointerId);
    moveTo(placeOf(event));
    lineTo(pen);
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!sheet.hasPointerCapture(event.pointerId)) return;
    lineTo(placeOf(event));
    chooser.answered(sheet, false);
  });
  sheet.addEventListener("pointerup", () => chooser.answered(sheet, true));
  sheet.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault(); // else the page scrolls
    const [x, y] = ARROWS[event.key];
    const place = [pen[0] + x * STEP_PX, pen[1] + y * STEP_PX].map((part) =>
      Math.min(Math.max(part, 0), sheet.width));
    if (event.shiftKey) moveTo(place);
    else {
      lineTo(place);
      chooser.answered(sheet, true);
    }
  });
  moveTo(pen);
  clear();
}
