// Show an answer: the class or `unknown`, and a bar for each class.

const FEW = 10; // bars that are shown at first
let allBars = false;
let lastAnswer = null;

function showAnswer(answer) {
  lastAnswer = answer;
  const reason = answer?.reason ?? "";
  const share = answer && !reason ? `, ${percent(answer.probability)}` : "";
  byId("said").textContent = (answer?.prediction ?? "") + share;
  byId("why").textContent = reason && `${reason[0].toUpperCase()}${reason.slice(1)}.`;
  byId("latency").textContent = answer ? latencyText(answer) : "";
  showBars(answer?.top ?? [], Boolean(reason));
}

function showBars(top, isRefused) {
  const bars = byId("bars");
  bars.classList.toggle("refused", isRefused);
  bars.replaceChildren(...top.slice(0, allBars ? top.length : FEW).map(barOf));
  const more = byId("more");
  more.hidden = top.length <= FEW;
  more.textContent = allBars ? `Show only ${FEW} classes` : `Show all ${top.length} classes`;
  more.setAttribute("aria-expanded", String(allBars));
}

function barOf(each) {
  const line = document.createElement("li");
  const texts = { name: each.class, share: percent(each.probability), track: "" };
  for (const [kind, text] of Object.entries(texts)) {
    const part = line.appendChild(document.createElement("span"));
    part.className = kind;
    part.textContent = text;
  }
  const bar = line.lastChild.appendChild(document.createElement("i"));
  bar.style.width = `${100 * each.probability}%`;
  return line;
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

byId("more").addEventListener("click", () => {
  allBars = !allBars;
  showBars(lastAnswer.top, Boolean(lastAnswer.reason));
});
