const data = JSON.parse(document.getElementById("data").textContent);

// An image is in the page once; other places of it only say where.
const sourceOf = id => document.getElementById(id).src;
for (const image of document.querySelectorAll("img[data-same]")) image.src = sourceOf(image.dataset.same);

// A click on a heading sorts a table by that column, a second one the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort === "" ? -Infinity : Number(cell.dataset.sort);
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const rising = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const rows = [...body.rows].map(row => [key(row, column), row]);
      rows.sort(([a], [b]) => typeof a === "number" ? a - b : a.localeCompare(b, undefined, {numeric: true}));
      body.append(...(rising ? rows : rows.reverse()).map(([, row]) => row));
    });
  });
}

// The images of a cell of the confusion matrix.
const dialog = document.getElementById("pictures");
const make = (name, properties) => Object.assign(document.createElement(name), properties);
function picture(image) {
  const figure = document.createElement("figure");
  const source = image.same ? sourceOf(image.same) : image.source;
  const shown = source
    ? make("img", {src: source, alt: image.path})
    : make("span", {className: "no-image", textContent: image.reason});
  const caption = make("figcaption", {textContent: image.probability});
  caption.append(make("small", {textContent: image.path}));
  figure.append(shown, caption);
  return figure;
}
function show(key) {
  const cell = data.cells[key];
  document.getElementById("pictures-title").textContent = cell.title;
  document.getElementById("pictures-count").textContent = cell.count;
  dialog.querySelector(".gallery").replaceChildren(...cell.images.map(picture));
  dialog.showModal();
}
document.getElementById("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
for (const node of document.querySelectorAll("[data-cell]")) node.addEventListener("click", () => show(node.dataset.cell));

// The keyboard: one cell of the matrix can be reached with Tab, the others with the arrow keys.
const grid = document.querySelector(".matrix");
if (grid) {
  const rows = [...grid.tBodies[0].rows].map(row => [...row.cells].slice(1));
  const steps = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  rows[0][0].tabIndex = 0;
  grid.addEventListener("keydown", event => {
    const row = rows.findIndex(cells => cells.includes(event.target));
    if (row < 0) return;
    if (["Enter", " "].includes(event.key) && event.target.dataset.cell) {
      event.preventDefault();
      show(event.target.dataset.cell);
    }
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    const next = rows[row + down]?.[rows[row].indexOf(event.target) + right];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

// Paper cannot be unfolded: all details are open in print, and as before afterwards.
const folded = [];
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; folded.push(part); }
});
addEventListener("afterprint", () => { for (const part of folded.splice(0)) part.open = false; });
