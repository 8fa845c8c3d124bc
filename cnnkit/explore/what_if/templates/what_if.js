// The page: fields for what can be changed, the numbers of each layer, and what they were before.

const data = JSON.parse(document.getElementById("data").textContent);
const original = structuredClone(data);
const byId = id => document.getElementById(id);
const make = (name, attributes = {}, ...inside) => {
  const node = Object.assign(document.createElement(name), attributes);
  node.append(...inside);
  return node;
};
const WORDS = {kernel_size: "kernel", pool_size: "window", strides: "stride", dilation_rate: "dilation"};
const COLUMNS = ["output", "parameters", "multiply-adds", "receptive field"];

// `autocomplete: off`: on a reload, Firefox would fill in the numbers that were typed before.

// --- what can be changed: `read` and `write` one value, `start` is the value of the config

function settingsOf(node, index) {
  const entry = entryAt(node.path), first = original.nodes[index].arguments;
  const isGiven = new Set(Object.keys(entry.arguments ?? {}));
  return node.fields.flatMap(name => {
    const put = value => {
      node.arguments[name] = value;
      // What the config does not say is written only if it differs from the default.
      if (isGiven.has(name) || JSON.stringify(value) !== JSON.stringify(first[name])) entry.arguments[name] = value;
      else delete entry.arguments[name];
    };
    const word = WORDS[name] ?? name, most = data.most[name];
    if (!Array.isArray(first[name])) return [
      {word, name, most, start: first[name], read: () => node.arguments[name], write: put}];
    return first[name].map((start, axis) => ({
      word: `${word} ${AXES[first[name].length][axis]}`, name, most, start,
      read: () => node.arguments[name][axis],
      write: value => put(node.arguments[name].map((old, i) => i === axis ? value : old)),
    }));
  });
}

const imageSettings = () => ["height", "width"].map((word, axis) => ({
  word, name: "image_size", most: data.most.image_size, start: original.input_shape[axis],
  read: () => data.input_shape[axis], write: value => { data.input_shape[axis] = value; },
}));

// The entry of the YAML that a path of cnnkit.arithmetic leads to, such as [4, "residual", "layers", 1].
const entryAt = path => path.reduce((place, part) => place.stacks?.[part] ?? place[part] ?? place, data.stack);

function fieldOf(setting, place) {
  const {word, most, start} = setting, ariaLabel = `${place}, ${word}`;
  if (setting.name === "padding") {
    const select = make("select", {ariaLabel, autocomplete: "off"}, ...["valid", "same"].map(text => make("option", {textContent: text})));
    select.value = setting.read();
    select.addEventListener("change", () => { setting.write(select.value); show(); });
    setting.fill = () => { select.value = setting.read(); };
    return make("label", {}, word, select);
  }
  // Without strides, the windows of a pooling touch.
  const input = make("input", {
    ariaLabel, type: "number", autocomplete: "off", min: 1, max: most, step: 1, value: setting.read() ?? "", inputMode: "numeric"});
  if (start === null) input.placeholder = "window";
  input.addEventListener("input", () => {
    const text = input.value.trim(), value = Number(text), isEmpty = text === "" && !input.validity.badInput;
    const isFine = isEmpty ? start === null : Number.isInteger(value) && value >= 1 && value <= most && !input.validity.badInput;
    input.ariaInvalid = String(!isFine);
    if (isFine) setting.write(isEmpty ? null : value);
    setting.wrong = isFine ? "" : `${ariaLabel}: type a whole number from 1 to ${counted(most)}. ` +
      `The page still shows ${setting.read() ?? "the size of the window"}.`;
    show();
  });
  setting.fill = () => { input.value = setting.read() ?? ""; input.ariaInvalid = "false"; setting.wrong = ""; };
  return make("label", {}, word, input);
}

// --- the rows

const bodies = [];

function addBody({name, text = "", depth = 0, settings = [], path = null}) {
  const head = make("th", {scope: "row"}, name), badge = make("span", {className: "badge"});
  head.append(badge);
  head.style.setProperty("--depth", depth);
  const fields = settings.map(setting => fieldOf(setting, name));
  const cell = make("td", {}, make("div", {className: "settings"}, ...fields, make("span", {className: "quiet", textContent: text})));
  const numbers = COLUMNS.map(label => {
    const number = make("td", {className: "number"});
    number.dataset.label = label;
    return number;
  });
  const lines = make("td", {colSpan: 6});
  const body = make("tbody", {}, make("tr", {}, head, cell, ...numbers), make("tr", {className: "lines"}, lines));
  bodies.push({body, badge, numbers, lines, settings, path});
  byId("stack").append(body);
}

const inputName = data.base ? data.base.name : "image";
addBody({name: inputName, text: data.base ? data.base.text : "", settings: data.base ? [] : imageSettings()});
let count = 0;  // without shortcuts, which are not written in the config
data.nodes.forEach((node, index) => addBody({
  name: node.kind === "Shortcut" ? node.name : `${count += 1} ${node.name}`, text: node.text, depth: node.depth, settings: settingsOf(node, index), path: node.path,
}));
addBody({name: "output", text: data.output.text});
const allSettings = bodies.flatMap(each => each.settings);

// --- the numbers

const pair = numbers => numbers === null ? "" : times(numbers);
const number = value => value === null ? "?" : value ? counted(value) : "";

// The whole table for a stack: cells and formulas per row, totals, and the fault if something does not fit.
function tableOf({nodes, input_shape, base, output}) {
  const first = base ? {shape: base.shape, field: base.field} : {shape: input_shape, field: HERE};
  const {rows, fault, last} = walk(nodes, first);
  if (!fault) rows.push(step({...output, inputs: [], path: []}, [last])[1]);
  const inputRow = base
    ? {...base, multiplyAdds: base.multiply_adds}
    : {shape: input_shape, parameters: 0, fixed: 0, multiplyAdds: 0, field: HERE};
  const known = [inputRow, ...rows];
  return {
    fault,
    cells: known.map(row => row && [
      row.shape ? times(row.shape) : "?", number(row.parameters === null ? null : row.parameters + row.fixed),
      number(row.multiplyAdds), row.field ? pair(row.field.size) : ""]),
    lines: known.map((row, i) => row && i ? formulasOf(row) : []),
    totals: totalsOf(known.filter(Boolean), base, input_shape, !fault),
  };
}

function totalsOf(rows, base, image, isWhole) {
  const shown = text => isWhole ? text : "–";
  const total = key => rows.some(row => row[key] === null) ? null : sum(rows.map(row => row[key]));
  const trained = total("parameters"), fixed = total("fixed"), costs = total("multiplyAdds");
  const maps = rows.filter(row => row.shape?.length === 3);
  // A backbone that ends with a row of numbers has its last map inside.
  const seen = maps.length ? maps.at(-1).field?.size : base?.seen;
  return {
    "parameters": shown(trained === null ? "?" : counted(trained + fixed)),
    "not trained": shown(counted(fixed)),
    "multiply-adds": shown(costs === null ? "?" : counted(costs)),
    "each value of the last map sees": shown(seen
      ? `${pair(seen.map((size, i) => Math.min(size, image[i])))} of ${pair(image.slice(0, 2))} pixels` : "?"),
  };
}

const before = tableOf(original);
const wasText = (now, old) => now !== old && old !== undefined ? [make("span", {className: "was", textContent: `was ${old || "none"}`})] : [];

function show() {
  const table = tableOf(data), withLines = byId("formulas").checked;
  const isAt = path => table.fault && path && same(path, table.fault.path);
  bodies.forEach((each, i) => {
    const cells = table.cells[i], old = before.cells[i];
    const isEdited = each.settings.some(setting => setting.read() !== setting.start);
    const isPassed = cells === null || (cells === undefined && old === null);  // a shortcut that changes nothing
    each.body.hidden = isPassed;
    each.body.classList.toggle("edited", isEdited);
    each.body.classList.toggle("changed", Boolean(cells && old && !same(cells, old)));
    each.body.classList.toggle("faulty", Boolean(isAt(each.path)));
    each.badge.textContent = isAt(each.path) ? "does not fit" : isEdited ? "edited" : "";
    each.numbers.forEach((cell, column) => {
      const now = cells ? cells[column] : "–";
      cell.replaceChildren(now, ...(cells ? wasText(now, old?.[column]) : []));
    });
    each.lines.replaceChildren(...(table.lines[i] ?? []).map(text => make("div", {textContent: text})));
    each.lines.parentNode.hidden = !withLines || !table.lines[i]?.length;
  });
  const wrong = allSettings.find(setting => setting.wrong);
  byId("fault").textContent = wrong ? wrong.wrong : table.fault ? table.fault.text : "";
  byId("totals").replaceChildren(...Object.entries(table.totals).map(([name, text]) =>
    make("div", {}, make("dt", {textContent: name}), make("dd", {}, text, ...(text === "–" ? [] : wasText(text, before.totals[name]))))));
  byId("copied").textContent = "";
  byId("yaml").hidden = true;
}

// --- YAML

const WORDS_OF_YAML = new Set("true false yes no on off null y n".split(" "));
function scalar(value) {
  if (Array.isArray(value)) return `[${value.map(scalar).join(", ")}]`;
  if (value !== null && typeof value === "object") return `{${Object.entries(value).map(([key, part]) => `${key}: ${scalar(part)}`).join(", ")}}`;
  const isPlain = typeof value === "string" && /^[A-Za-z_]\w*$/.test(value) && !WORDS_OF_YAML.has(value.toLowerCase());
  return isPlain ? value : JSON.stringify(value);
}

function yamlLines(stack) {
  return stack.flatMap(({name, arguments: given, stacks}) => {
    if (!stacks) return [`- ${name}${Object.keys(given).length ? `: ${scalar(given)}` : ""}`];
    const inner = Object.entries(stacks).flatMap(([key, part]) => [`${key}:`, ...indented(name === "branches"
      ? part.flatMap(branch => branch.length ? ["-", ...indented(yamlLines(branch))] : ["- []"]) : yamlLines(part))]);
    const others = Object.entries(given).map(([key, value]) => `${key}: ${scalar(value)}`);
    return [`- ${name}:`, ...indented(indented([...inner, ...others]))];
  });
}
const indented = lines => lines.map(text => `  ${text}`);

function yamlText() {
  const isResized = !same(data.input_shape, original.input_shape);
  const size = isResized ? ["data:", `  image_size: [${data.input_shape.slice(0, 2).join(", ")}]`] : [];
  const stack = data.stack.length ? [`  ${data.key}:`, ...indented(indented(yamlLines(data.stack)))] : [`  ${data.key}: []`];
  return [...size, "model:", ...stack, ""].join("\n");
}

// --- the buttons

byId("copy").addEventListener("click", async () => {
  const area = byId("yaml");
  area.value = yamlText();
  area.hidden = false;
  area.select();
  let isCopied = true;
  try { await navigator.clipboard.writeText(area.value); } catch { isCopied = document.execCommand("copy"); }
  byId("copied").textContent = isCopied
    ? `Copied. It replaces model.${data.key} of the config.` : "Copy the text below with Ctrl-C.";
});
byId("reset").addEventListener("click", () => {
  for (const setting of allSettings) {
    if (setting.read() !== setting.start) setting.write(setting.start);
    setting.fill();
  }
  show();
});
byId("formulas").checked = data.nodes.length <= 12;
byId("formulas").addEventListener("change", show);
show();
