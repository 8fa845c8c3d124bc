// What a layer does to a map: shape, costs, window; and the walk through the stack. This is the
// arithmetic of cnnkit.arithmetic; tests/test_what_if.py compares the two for random edits.

const product = numbers => numbers.reduce((a, b) => a * b, 1);
const sum = numbers => numbers.reduce((a, b) => a + b, 0);
const times = shape => shape.join(" x ");
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
const spread = (value, count) => typeof value === "number" ? Array(count).fill(value) : value;
const listed = value => Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
const THOUSANDS = new Intl.NumberFormat("en-US");
const counted = number => THOUSANDS.format(number);
const WHOLE = "whole", UNKNOWN = "unknown";

// A layer cannot take its input. `explain` makes the message for people.
class Unfit extends Error {
  constructor(text, explain = name => `${name}: ${text}`) {
    super(text);
    this.explain = explain;
  }
}

function collapses(text) {
  const side = size => size.every(length => length === size[0]) ? String(size[0]) : times(size);
  return new Unfit(text, (name, shape, history) =>
    `${name} ${text} does not fit: the image is already ${times(shape.slice(0, -1))} here ` +
    `(${history.map(side).join(" > ")}). Remove this layer, use padding: same, or increase data.image_size.`);
}

function borders(value, axes) {
  if (axes === 1 && typeof value !== "number" && value.length === 2) return [value];
  return spread(value, axes).map(part => spread(part, 2));
}

// How a window slides along each axis.
function slidesOf(shape, given) {
  const axes = shape.length - 1;
  const kernel = spread(given.kernel_size ?? given.pool_size, axes);
  const strides = given.strides === null ? kernel : spread(given.strides, axes);
  const dilation = spread(given.dilation_rate ?? 1, axes);
  const border = given.pad ? borders(given.pad.size, axes) : null;
  const found = kernel.map((size, i) =>
    slideOf(shape[i], size, dilation[i], strides[i], border && border[i], given.padding));
  if (given.pad?.mode === "reflect") checkReflection(shape, border);
  if (found.some(slide => slide.output < 1)) throw collapses(`of ${times(found.map(slide => slide.window))}`);
  return found;
}

function slideOf(size, kernel, dilation, stride, added, padding) {
  const window = (kernel - 1) * dilation + 1;
  let before = 0, after = 0;
  if (added) {
    [before, after] = added;
    padding = "explicit";
  } else if (padding === "same") {
    const total = Math.max((Math.ceil(size / stride) - 1) * stride + window - size, 0);
    before = Math.floor(total / 2);
    after = total - before;
  } else if (padding === "causal") before = window - 1;
  const output = Math.floor((size + before + after - window) / stride) + 1;
  return {size, kernel, dilation, stride, before, after, padding, window, output};
}

function checkReflection(shape, border) {
  border.forEach((pair, i) => {
    if (Math.max(...pair) >= shape[i]) throw new Unfit(
      `pad with mode: reflect can mirror at most ${shape[i] - 1} of the ${shape[i]} positions ` +
      `here, not ${Math.max(...pair)}. Use mode: edge, or a smaller size.`);
  });
}

function checkStrides(given) {
  const largest = value => Math.max(...spread(value, 1));
  if (largest(given.strides) > 1 && largest(given.dilation_rate) > 1) throw new Unfit(
    `strides of ${listed(given.strides)} and dilation_rate of ${listed(given.dilation_rate)} cannot be ` +
    "combined in Keras. Set one of them to 1.");
}

const windowOf = slides => ({
  size: slides.map(slide => slide.window),
  stride: slides.map(slide => slide.stride),
  before: slides.map(slide => slide.before),
});
const moved = before => ({size: before.map(() => 1), stride: before.map(() => 1), before});
const outputs = slides => slides.map(slide => slide.output);
const kernelOf = slides => product(slides.map(slide => slide.kernel));
const effect = (shape, more = {}) => ({shape, parameters: 0, fixed: 0, multiplyAdds: 0, window: null, ...more});

function conv(shape, given) {
  const channels = shape.at(-1), {filters, groups} = given;
  if (channels % groups || filters % groups) throw new Unfit(
    `groups=${groups} must divide both the ${channels} channels of its input and the ${filters} filters.`);
  checkStrides(given);
  const found = slidesOf(shape, given);
  const weights = kernelOf(found) * (channels / groups) * filters;
  return effect([...outputs(found), filters], {
    parameters: weights + filters * given.use_bias,
    multiplyAdds: weights * product(outputs(found)),
    window: windowOf(found),
  });
}

function depthwise(shape, given) {
  const channels = shape.at(-1) * given.depth_multiplier, found = slidesOf(shape, given);
  const weights = kernelOf(found) * channels;
  return effect([...outputs(found), channels], {
    parameters: weights + channels * given.use_bias,
    multiplyAdds: weights * product(outputs(found)),
    window: windowOf(found),
  });
}

function separable(shape, given) {
  const first = depthwise(shape, {...given, use_bias: false}), size = first.shape.slice(0, -1);
  const point = first.shape.at(-1) * given.filters;
  return {
    ...first,
    shape: [...size, given.filters],
    parameters: first.parameters + point + given.filters * given.use_bias,
    multiplyAdds: first.multiplyAdds + point * product(size),
  };
}

function transposed(shape, given) {
  checkStrides(given);
  const axes = shape.length - 1, {filters, padding} = given;
  const [kernel, strides, dilation] = ["kernel_size", "strides", "dilation_rate"].map(name => spread(given[name], axes));
  const extra = given.output_padding === null ? Array(axes).fill(null) : spread(given.output_padding, axes);
  if (extra.some((number, i) => number !== null && number >= strides[i])) throw new Unfit(
    `output_padding of ${listed(given.output_padding)} must be less than strides on every axis.`);
  const size = kernel.map((length, i) =>
    enlarged(shape[i], (length - 1) * dilation[i] + 1, strides[i], extra[i], padding));
  const weights = product(kernel) * shape.at(-1) * filters;
  return effect([...size, filters], {
    parameters: weights + filters * given.use_bias,
    multiplyAdds: weights * product(shape.slice(0, -1)),
    window: UNKNOWN,
  });
}

function enlarged(size, window, stride, extra, padding) {
  if (extra === null) return size * stride + (padding === "valid" ? Math.max(window - stride, 0) : 0);
  return (size - 1) * stride + (padding === "valid" ? window : window % 2) + extra;
}

function pool(shape, given) {
  const found = slidesOf(shape, given);
  return effect([...outputs(found), shape.at(-1)], {window: windowOf(found)});
}

function globalPool(shape, given) {
  const kept = given.keepdims ? Array(shape.length - 1).fill(1) : [];
  return effect([...kept, shape.at(-1)], {window: WHOLE});
}

function zeroPadding(shape, given) {
  const added = borders(given.padding, shape.length - 1);
  const size = added.map(([before, after], i) => shape[i] + before + after);
  return effect([...size, shape.at(-1)], {window: moved(added.map(pair => pair[0]))});
}

function cropping(shape, given) {
  const cut = borders(given.cropping, shape.length - 1);
  const size = cut.map(([before, after], i) => shape[i] - before - after);
  if (Math.min(...size) < 1) throw collapses(`of ${times(cut.map(sum))}`);
  return effect([...size, shape.at(-1)], {window: moved(cut.map(pair => -pair[0]))});
}

function upSampling(shape, given) {
  const size = spread(given.size, shape.length - 1).map((factor, i) => shape[i] * factor);
  return effect([...size, shape.at(-1)], {window: UNKNOWN});
}

const flatten = shape => effect([product(shape)], {window: WHOLE});

function dense(shape, given) {
  return effect([...shape.slice(0, -1), given.units], {
    parameters: (shape.at(-1) + Number(given.use_bias)) * given.units,
    multiplyAdds: product(shape) * given.units,
  });
}

const axesOf = (shape, axis) => [axis].flat().map(part => part < 0 ? part + shape.length : part - 1);
const over = (shape, axis) => axesOf(shape, axis).some(part => part < shape.length - 1) ? WHOLE : null;
const along = (shape, axis) => product(axesOf(shape, axis).map(part => shape[part]));

function batchNorm(shape, given) {
  const size = along(shape, given.axis);
  return effect(shape, {parameters: size * (given.scale + given.center), fixed: 2 * size});
}

function layerNorm(shape, given) {
  const weights = Number(given.scale ?? true) + Number(given.center ?? false);
  return effect(shape, {parameters: along(shape, given.axis) * weights, window: over(shape, given.axis)});
}

function groupNorm(shape, given) {
  const channels = shape[axesOf(shape, given.axis)[0]];
  if (given.groups !== -1 && channels % given.groups) throw new Unfit(
    `groups=${given.groups} must divide the ${channels} channels of its input.`);
  return effect(shape, {parameters: channels * (given.scale + given.center), window: WHOLE});
}

function prelu(shape, given) {
  const kept = [...shape];
  // Keras takes a negative axis for the one before it.
  for (const axis of [given.shared_axes ?? []].flat()) kept[axis < 0 ? axis - 1 + shape.length : axis - 1] = 1;
  return effect(shape, {parameters: product(kept)});
}

function normalization(shape, given) {
  const axes = axesOf(shape, given.axis).sort((a, b) => a - b), {mean} = given;
  if (mean === null) return effect(shape, {fixed: 2 * product(axes.map(axis => shape[axis])) + 1});
  const length = Array.isArray(mean) ? mean.length : 0, size = shape[axes.at(-1)];
  if (length > 1 && length !== size) throw new Unfit(
    `mean and variance have ${length} values, but axis ${listed(given.axis)} of ${times(shape)} has size ` +
    `${size}. Give one value, or as many as that.`);
  return effect(shape);
}

function reshape(shape, given) {
  const target = [...given.target_shape], known = product(target.filter(size => size !== -1));
  const free = target.indexOf(-1);
  if (free >= 0 && known && product(shape) % known === 0) target[free] = product(shape) / known;
  if (target.includes(-1) || product(target) !== product(shape)) throw new Unfit(
    `${times(shape)} has ${counted(product(shape))} numbers, which cannot be reshaped to ${times(given.target_shape)}.`);
  return effect(target, {window: same(target, shape) ? null : UNKNOWN});
}

function permute(shape, given) {
  const isMoved = given.dims.some((axis, i) => axis !== i + 1);
  return effect(given.dims.map(axis => shape[axis - 1]), {window: isMoved ? UNKNOWN : null});
}

const repeatVector = (shape, given) => effect([given.n, ...shape], {window: UNKNOWN});

function resizing(shape, given) {
  const size = [given.height, given.width];
  return effect([...size, shape[2]], {window: same(size, shape.slice(0, 2)) ? null : UNKNOWN});
}

function centerCrop(shape, given) {
  const size = [given.height, given.width], cut = size.map((kept, i) => shape[i] - kept);
  // Keras enlarges a map that is too small; of an odd number, it cuts one more at the end.
  const window = Math.min(...cut) < 0 ? UNKNOWN : moved(cut.map(part => 0 - Math.floor(part / 2)));
  return effect([...size, shape[2]], {window});
}

const squeezed = (channels, ratio) => Math.max(1, Math.floor(channels / ratio));

function squeezeExcite(shape, given) {
  const channels = shape[2], few = squeezed(channels, given.ratio), weights = 2 * channels * few;
  return effect(shape, {parameters: weights + few + channels, multiplyAdds: weights, window: WHOLE});
}

const unchanged = shape => effect(shape);
const overAxis = (shape, given) => effect(shape, {window: over(shape, given.axis)});
const EFFECTS = {
  Conv: conv, DepthwiseConv: depthwise, SeparableConv: separable, ConvTranspose: transposed,
  MaxPooling: pool, AveragePooling: pool, GlobalMaxPooling: globalPool, GlobalAveragePooling: globalPool,
  ZeroPadding: zeroPadding, Cropping: cropping, UpSampling: upSampling, SpatialDropout: unchanged,
  Flatten: flatten, Dense: dense, BatchNormalization: batchNorm, LayerNormalization: layerNorm,
  RMSNormalization: layerNorm, GroupNormalization: groupNorm, PReLU: prelu, Normalization: normalization,
  Softmax: overAxis, UnitNormalization: overAxis, Reshape: reshape, Permute: permute,
  RepeatVector: repeatVector, Resizing: resizing, CenterCrop: centerCrop, SqueezeExcite: squeezeExcite,
};
for (const kind of ("Activation ReLU LeakyReLU ELU Identity Dropout AlphaDropout GaussianDropout GaussianNoise " +
  "ActivityRegularization Rescaling").split(" ")) EFFECTS[kind] = unchanged;
// Conv2D -> Conv
const familyOf = kind => kind.replace(/[123]D/, "");

// --- where several maps meet

const ADVICE = {
  residual: "Use padding: same inside, and the same strides and filters on both branches.",
  branches: "Use padding: same and the same strides in each branch; merge: add also needs the same filters.",
};
const mergeFault = text => new Unfit(text, () => text);

function mergedShape(node, shapes) {
  const joins = node.kind === "Concatenate", part = shape => joins ? shape.slice(0, -1) : shape;
  if (shapes.some(shape => !same(part(shape), part(shapes[0])))) throw mergeFault(
    (node.name === "residual"
      ? `the shortcut gives ${times(shapes[0])}, but the layers inside give ${times(shapes[1])}. `
      : `the branches end with different maps: ${shapes.map(times).join(", ")}. `) + ADVICE[node.name]);
  return joins ? [...part(shapes[0]), sum(shapes.map(shape => shape.at(-1)))] : shapes[0];
}

// The 1 x 1 convolution that replaces a shortcut between different shapes.
function projection(node, start, end) {
  const strides = projectionStrides(start, end);
  if (strides === null) throw mergeFault(
    `the shortcut gives ${times(start)}, but the layers inside give ${times(end)}, and no 1 x 1 convolution leads ` +
    "from one to the other. Use padding: same inside the block, or write its shortcut yourself.");
  const given = {filters: end.at(-1), kernel_size: 1, strides, padding: "same", dilation_rate: 1, groups: 1, use_bias: true};
  return {...node, kind: "Conv2D", arguments: given};
}

function projectionStrides(start, end) {
  if (start.length !== 3 || end.length !== 3) return null;
  const strides = [0, 1].map(i => Math.ceil(start[i] / end[i]));
  return strides.every((stride, i) => Math.ceil(start[i] / stride) === end[i]) ? strides : null;
}

// --- receptive fields: the region of the image that the number at (0, 0) sees

function fieldAfter(field, shape, {window}) {
  if (field === null || window === UNKNOWN) return null;
  if (window === null) return field;
  if (window === WHOLE) return wholeField(field, shape);
  if (window.size.length !== 2) return null;
  return {
    size: field.size.map((size, i) => size + (window.size[i] - 1) * field.stride[i]),
    stride: field.stride.map((stride, i) => stride * window.stride[i]),
    start: field.start.map((start, i) => start - window.before[i] * field.stride[i]),
  };
}

function wholeField(field, shape) {
  if (shape.length !== 3) return field;
  const size = field.size.map((length, i) => length + (shape[i] - 1) * field.stride[i]);
  return {size, stride: [0, 0], start: field.start};
}

function fieldOfAll(fields, shape) {
  if (fields.includes(null)) return null;
  let known = fields;
  if (known.some(field => same(field.stride, [0, 0]))) known = known.map(field => wholeField(field, shape));
  const differ = known.some(field => !same(field.stride, known[0].stride));
  if (differ && Math.max(1, ...shape.slice(0, -1)) > 1) return null;
  const start = [0, 1].map(i => Math.min(...known.map(field => field.start[i])));
  const end = [0, 1].map(i => Math.max(...known.map(field => field.start[i] + field.size[i])));
  return {size: end.map((place, i) => place - start[i]), stride: known[0].stride, start};
}

// --- the walk

const HERE = {size: [1, 1], stride: [1, 1], start: [0, 0]};

// Return a row or null per node, and the fault that ended the walk, if one did. `first` is the state of the
// input: its shape and its receptive field.
function walk(nodes, first) {
  const image = {...first, history: [first.shape.slice(0, -1)]}, states = [], rows = [];
  for (const node of nodes) {
    const entering = node.inputs.map(position => position < 0 ? image : states[position]);
    try {
      const [state, row] = step(node, entering);
      states.push(state);
      rows.push(row);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      const text = error.explain(node.name, entering[0].shape, entering[0].history);
      // A shortcut is not written in the config, so its block is named instead.
      return {rows, fault: {text, path: node.kind === "Shortcut" ? node.path.slice(0, -2) : node.path}};
    }
  }
  return {rows, fault: null, last: states.at(-1) ?? image};
}

function step(node, entering) {
  const shapes = entering.map(state => state.shape);
  if (shapes.includes(null)) return unknownStep(node, entering);
  if (node.kind === "Shortcut") {
    if (same(shapes[0], shapes[1])) return [entering[0], null];  // passed on as it is, without a row
    node = projection(node, shapes[0], shapes[1]);
    entering = entering.slice(0, 1);
  }
  let found, field;
  if (node.kind === "Add" || node.kind === "Concatenate") {
    found = effect(mergedShape(node, shapes));
    field = fieldOfAll(entering.map(state => state.field), found.shape);
  } else {
    const compute = EFFECTS[familyOf(node.kind)];
    if (!compute) return unknownStep(node, entering);
    found = compute(shapes[0], node.arguments);
    field = fieldAfter(entering[0].field, shapes[0], found);
  }
  let history = entering.at(-1).history;
  const size = found.shape.slice(0, -1);
  if (size.length && !same(size, history.at(-1))) history = [...history, size];
  const row = {...found, node, field, shapes: entering.map(state => state.shape), before: entering[0].field};
  return [{shape: found.shape, field, history}, row];
}

function unknownStep(node, entering) {
  const row = {shape: null, parameters: null, fixed: 0, multiplyAdds: null, field: null, node, shapes: [null], before: null};
  return [{shape: null, field: null, history: entering[0].history}, row];
}
