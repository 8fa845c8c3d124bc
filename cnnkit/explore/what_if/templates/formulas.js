// The formulas of a row, with the numbers filled in; those of cnnkit.arithmetic.formulas.

const AXES = {1: ["steps"], 2: ["height", "width"], 3: ["depth", "height", "width"]};
const line = (quantity, expression, result) => `${quantity}: ${expression} = ${counted(result)}`;
const windowText = slide => slide.dilation === 1 ? String(slide.kernel) : `((${slide.kernel} - 1)*${slide.dilation} + 1)`;

function sizeLines(found) {
  const key = slide => JSON.stringify(slide), equal = found.every(slide => key(slide) === key(found[0]));
  const axes = AXES[found.length];
  const pairs = equal && found.length > 1 ? [[axes.join(", "), found[0]]] : found.map((slide, i) => [axes[i], slide]);
  return pairs.flatMap(([axis, slide]) => [...sameLines(axis, slide), sizeLine(axis, slide)]);
}

function sameLines(axis, slide) {
  if (slide.padding !== "same") return [];
  const covered = `(ceil(${slide.size}/${slide.stride}) - 1)*${slide.stride} + ${windowText(slide)}`;
  const name = `padding of ${axis} (${slide.before} before, ${slide.after} after)`;
  return [line(name, `max(${covered} - ${slide.size}, 0)`, slide.before + slide.after)];
}

function sizeLine(axis, slide) {
  const both = slide.before ? ` + 2*${slide.before}` : "";
  const padding = slide.before === slide.after ? both : ` + ${slide.before} + ${slide.after}`;
  return line(axis, `floor((${slide.size}${padding} - ${windowText(slide)})/${slide.stride}) + 1`, slide.output);
}

function fieldLines(row, found) {
  if (row.field === null || row.before === null) return [];
  const {size, stride} = row.before, seen = row.field.size;
  const equal = size[0] === size[1] && stride[0] === stride[1] && found[0].window === found[1].window;
  const names = equal ? ["receptive field"] : ["receptive field height", "receptive field width"];
  return names.map((name, i) => line(name, `${size[i]} + (${windowText(found[i])} - 1)*${stride[i]}`, seen[i]));
}

function denseLine(row) {
  const [entered] = row.shapes, bias = row.node.arguments.use_bias;
  const weights = (product(entered) + Number(bias)) * product(row.shape);
  return line("parameters if it were dense", `(${entered.join("*")}${bias ? " + 1" : ""}) * ${row.shape.join("*")}`, weights);
}

const kernelText = found => found.map(slide => slide.kernel).join("*");
const biased = (text, given) => given.use_bias ? `(${text} + 1)` : text;

function convLines(row, found) {
  const {groups} = row.node.arguments, channels = row.shapes[0].at(-1), kernel = kernelText(found);
  const each = groups === 1 ? `${kernel}*${channels}` : `${kernel}*(${channels}//${groups})`;
  return [
    ...sizeLines(found),
    line("parameters", `${biased(each, row.node.arguments)} * ${row.shape.at(-1)}`, row.parameters),
    line("multiply-adds", `${each} * ${row.shape.join("*")}`, row.multiplyAdds),
    denseLine(row),
  ];
}

function depthwiseLines(row, found) {
  const kernel = kernelText(found);
  return [
    ...sizeLines(found),
    line("parameters", `${biased(kernel, row.node.arguments)} * ${row.shape.at(-1)}`, row.parameters),
    line("multiply-adds", `${kernel} * ${row.shape.join("*")}`, row.multiplyAdds),
    denseLine(row),
  ];
}

function separableLines(row, found) {
  const given = row.node.arguments, between = row.shapes[0].at(-1) * given.depth_multiplier;
  const weights = `${kernelText(found)}*${between} + ${between}*${given.filters}`;
  return [
    ...sizeLines(found),
    line("parameters", weights + (given.use_bias ? ` + ${given.filters}` : ""), row.parameters),
    line("multiply-adds", `(${weights}) * ${row.shape.slice(0, -1).join("*")}`, row.multiplyAdds),
    denseLine(row),
  ];
}

function transposedLines(row) {
  const given = row.node.arguments, [entered] = row.shapes, filters = row.shape.at(-1);
  const kernel = spread(given.kernel_size, row.shape.length - 1).join("*"), each = `${kernel}*${entered.at(-1)}`;
  return [
    line("parameters", `${biased(each, given)} * ${filters}`, row.parameters),
    line("multiply-adds", `${kernel}*${filters} * ${entered.join("*")}`, row.multiplyAdds),
  ];
}

function denseLines(row) {
  const positions = row.shapes[0].slice(0, -1), entered = row.shapes[0].at(-1), {units} = row.node.arguments;
  const repeated = positions.map(size => `${size}*`).join("");
  return [
    line("parameters", `${biased(String(entered), row.node.arguments)} * ${units}`, row.parameters),
    line("multiply-adds", `${repeated}${entered} * ${units}`, row.multiplyAdds),
  ];
}

function batchNormLines(row) {
  const size = row.fixed / 2;
  return [
    line("trained parameters (gamma, beta)", `${row.parameters / size} * ${size}`, row.parameters),
    line("moving averages (mean, variance)", `2 * ${size}`, row.fixed),
  ];
}

function normLines(row) {
  const {scale, center} = row.node.arguments, parts = Number(scale ?? true) + Number(center ?? false);
  return parts ? [line("parameters", `${parts} * ${row.parameters / parts}`, row.parameters)] : [];
}

function squeezeLines(row) {
  const channels = row.shape.at(-1), {ratio} = row.node.arguments, few = squeezed(channels, ratio);
  return [
    line("units between", `max(1, ${channels}//${ratio})`, few),
    line("parameters", `(${channels} + 1) * ${few} + (${few} + 1) * ${channels}`, row.parameters),
    line("multiply-adds", `${channels}*${few} + ${few}*${channels}`, row.multiplyAdds),
  ];
}

function borderLines(row) {
  const axes = AXES[row.shape.length - 1], [entered] = row.shapes;
  return axes.map((axis, i) => line(axis, `${entered[i]} + ${row.shape[i] - entered[i]}`, row.shape[i]));
}

function globalLines(row) {
  const positions = row.shapes[0].slice(0, -1);
  return [line("numbers pooled in each channel", positions.join("*"), product(positions))];
}

const joinedLines = row => [line("channels", row.shapes.map(shape => shape.at(-1)).join(" + "), row.shape.at(-1))];
const flattenLines = row => [line("units", row.shapes[0].join("*"), row.shape[0])];
const poolLines = (row, found) => sizeLines(found);

const SLIDING = ["Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling"];
const LINES = {
  Conv: convLines, ConvTranspose: transposedLines, DepthwiseConv: depthwiseLines, SeparableConv: separableLines,
  MaxPooling: poolLines, AveragePooling: poolLines, GlobalMaxPooling: globalLines, GlobalAveragePooling: globalLines,
  Flatten: flattenLines, Dense: denseLines, BatchNormalization: batchNormLines, LayerNormalization: normLines,
  RMSNormalization: normLines, GroupNormalization: normLines, SqueezeExcite: squeezeLines, Concatenate: joinedLines,
  ZeroPadding: borderLines, Cropping: borderLines,
};

function formulasOf(row) {
  const family = familyOf(row.node.kind);
  if (row.shape === null || row.shapes.includes(null) || !LINES[family]) return [];
  if (!SLIDING.includes(family)) return LINES[family](row);
  const found = slidesOf(row.shapes[0], row.node.arguments);
  return [...LINES[family](row, found), ...fieldLines(row, found)];
}
