"""The page of `cnnkit what-if`, edited in headless Chromium, against cnnkit.arithmetic."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import pytest
from places import CONFIGS

from cnnkit.arithmetic import (
    StackError,
    formulas_of,
    nodes_of,
    output_row,
    times,
    walk_stack,
)
from cnnkit.config import load_config, read_layers, read_yaml
from cnnkit.explore.what_if.what_if_page import write_what_if

# Every kind of layer whose arithmetic is known, with arguments in all forms.
_ODD = """
data: {source: digits, image_size: [29, 24], color_mode: rgb}
model:
  layers:
    - conv: {filters: 12, kernel_size: [3, 2], strides: [1, 2], padding: same}
    - conv: {filters: 12, kernel_size: 3, pad: {size: 1, mode: reflect}, groups: 3}
    - depthwise_conv: {kernel_size: 3, padding: same, depth_multiplier: 2, use_bias: false}
    - separable_conv: {filters: 8, kernel_size: 3, dilation_rate: 2, padding: same}
    - Conv2DTranspose: {filters: 4, kernel_size: 3, strides: 2, padding: same, output_padding: 1}
    - pool: {type: average, pool_size: 3}
    - ZeroPadding2D: [[1, 2], [0, 3]]
    - Cropping2D: 1
    - UpSampling2D: 2
    - CenterCrop: {height: 9, width: 7}
    - batch_norm: {scale: false}
    - layer_norm
    - group_norm: {groups: 2}
    - PReLU: {shared_axes: [1, 2]}
    - squeeze_excite: 2
    - residual:
        layers:
          - conv: {filters: 16, kernel_size: 3, strides: 2, padding: same}
          - spatial_dropout: 0.25
        activation: relu
    - residual:
        layers:
          - conv: {filters: 16, kernel_size: 3, padding: same, activation: relu}
        shortcut:
          - conv: {filters: 16, kernel_size: 1}
    - branches:
        stacks:
          - - conv: {filters: 4, kernel_size: 1}
          - - conv: {filters: 4, kernel_size: 3, padding: same}
            - residual: [{conv: {filters: 4, kernel_size: 3, padding: same}}]
          - []
    - branches:
        stacks: [[{conv: {filters: 6, kernel_size: 1}}], [{conv: {filters: 6, kernel_size: 1}}]]
        merge: add
    - Permute: [2, 1, 3]
    - Reshape: [-1, 6]
    - Conv1D: {filters: 5, kernel_size: 3, padding: causal}
    - MaxPooling1D: {pool_size: 2, padding: same}
    - activation: relu
    - GlobalAveragePooling1D
    - dense: {units: 6, use_bias: false}
    - RepeatVector: 3
    - dense: 4
    - flatten
    - dropout: 0.1
"""

_SCRIPT = """
const bodies = [...document.querySelectorAll("tbody")];
function edit([row, word, value]) {
  const labels = [...bodies[row].querySelectorAll("label")];
  const label = labels.find(each => each.firstChild.data === word);
  const field = label.querySelector("input, select");
  field.value = value;
  field.dispatchEvent(new Event(field.localName === "select" ? "change" : "input"));
}
function seen() {
  return {
    rows: bodies.map(body => body.hidden ? null : {
      cells: [...body.querySelectorAll("td.number")].map(cell => cell.firstChild?.data ?? ""),
      was: [...body.querySelectorAll("td.number .was")].map(part => part.textContent),
      lines: [...body.querySelectorAll(".lines div")].map(line => line.textContent),
      marks: body.className, badge: body.querySelector(".badge").textContent,
    }),
    fault: document.getElementById("fault").textContent,
    totals: Object.fromEntries([...document.querySelectorAll("#totals > div")].map(part =>
      [part.querySelector("dt").textContent, part.querySelector("dd").firstChild.data])),
  };
}
function yaml() {
  document.getElementById("copy").click();
  return document.getElementById("yaml").value;
}
function tried(edits) {
  document.getElementById("reset").click();
  edits.forEach(edit);
  return {...seen(), yaml: yaml()};
}
"""


def _tried(page, trials):
    return page.evaluate(f"trials => {{ {_SCRIPT} return trials.map(tried); }}", trials)


# --- the same edits in Python


def _edited(calls, path, name, value):
    """Return calls with one argument changed; `path` is that of a node."""
    index, *rest = path
    call = calls[index]
    if rest:
        part = rest[1]
        inside = call.arguments[part]
        if part == "stacks":
            number, *below = rest[2:]
            changed = list(inside)
            changed[number] = _edited(inside[number], below, name, value)
            inside = tuple(changed)
        else:
            inside = _edited(inside, rest[2:], name, value)
        name, value = part, inside
    changed = replace(call, arguments={**call.arguments, name: value})
    return (*calls[:index], changed, *calls[index + 1 :])


_WORDS = {
    "kernel_size": "kernel",
    "pool_size": "window",
    "strides": "stride",
    "dilation_rate": "dilation",
}
_RANGES = {"filters": 40, "units": 99, "kernel_size": 6, "pool_size": 4, "strides": 3, "ratio": 5}
_SIDES = {1: ("steps",), 2: ("height", "width")}


def _editable(node):
    arguments = node.arguments
    if node.kind in ("Dense", "SqueezeExcite"):
        return ["units" if node.kind == "Dense" else "ratio"]
    slides = re.match(r"(Depthwise|Separable)?Conv|(Max|Average)Pooling", node.kind)
    names = ("filters", "kernel_size", "pool_size", "strides", "padding", "dilation_rate")
    found = [name for name in names if slides and name in arguments]
    if arguments.get("pad") or arguments.get("padding") == "causal":
        found.remove("padding")
    return found


def _random_edit(draw, nodes):
    """Return (row on the page, word of the field, value to type) and (path, name, new value)."""
    index = draw.choice([i for i, node in enumerate(nodes) if _editable(node)])
    node = nodes[index]
    name = draw.choice(_editable(node))
    word, old = _WORDS.get(name, name), node.given.get(name)
    value = (
        draw.choice(["valid", "same"])
        if name == "padding"
        else draw.randint(1, _RANGES.get(name, 3))
    )
    if not isinstance(old, list | tuple):
        return [index + 1, word, value], (node.path, name, value)
    axis = draw.randrange(len(old))
    whole = [value if i == axis else size for i, size in enumerate(old)]
    return [index + 1, f"{word} {_SIDES[len(old)][axis]}", value], (node.path, name, whole)


def _trial(draw, config):
    """Return edits for the page, and the layers and the input shape after the same edits."""
    calls = config.model.layers
    shape = [*config.data.image_size, 3 if config.data.color_mode == "rgb" else 1]
    typed = []
    for _ in range(draw.randint(0, 3)):
        on_page, (path, name, value) = _random_edit(draw, nodes_of(calls))
        typed.append(on_page)
        calls = _edited(calls, path, name, value)
    if draw.random() < 0.25:
        axis = draw.randrange(2)
        shape[axis] = draw.randint(shape[axis] // 2, shape[axis] + 40)
        typed.append([0, ("height", "width")[axis], shape[axis]])
    return typed, calls, tuple(shape)


def _number(value):
    return "?" if value is None else f"{value:,}" if value else ""


def _cells(row):
    count = None if row.parameters is None else row.parameters + row.non_trainable
    field = times(row.receptive_field) if row.receptive_field else ""
    return [times(row.output_shape), _number(count), _number(row.multiply_adds), field]


def _check(found, calls, shape, output, *, pixels=None):
    """Compare what the page shows with the arithmetic of the edited layers."""
    nodes, units, sigmoid = nodes_of(calls), *output
    try:
        rows = walk_stack(calls, shape)
    except StackError as error:
        assert found["fault"] == error.message
        faulty = [i for i, row in enumerate(found["rows"]) if row and "faulty" in row["marks"]]
        assert error.path in [nodes[i - 1].path for i in faulty]
        return False
    rows.append(output_row(rows, units, sigmoid=sigmoid))
    assert found["fault"] == ""
    by_path = {row.path: position for position, row in enumerate(rows)}
    for place, shown in zip(
        [*(node.path for node in nodes), ("output",)], found["rows"][1:], strict=True
    ):
        if place not in by_path:
            assert shown is None, place
            continue
        position = by_path[place]
        assert shown["cells"] == _cells(rows[position]), place
        assert shown["lines"] == [str(formula) for formula in formulas_of(rows, position)], place
    trained, fixed = sum(r.parameters for r in rows), sum(r.non_trainable for r in rows)
    maps = [row for row in rows if len(row.output_shape) == 3]
    field = maps[-1].receptive_field if maps else None
    image = shape[:2]
    seen = f"{times(list(map(min, field, image)))} of {times(image)} pixels" if field else "?"
    assert found["totals"] == {
        "parameters": f"{trained + fixed:,}",
        "not trained": f"{fixed:,}",
        "multiply-adds": f"{sum(row.multiply_adds for row in rows):,}",
        "each value of the last map sees": seen,
    }
    return True


def _normal(node):
    """Return the arguments of a node with 1 for [1, 1], the same default in other words."""
    return {name: 1 if value == [1, 1] else value for name, value in node.arguments.items()}


def _check_yaml(text, calls, shape):
    """The copied layers are the edited ones, with all their arguments."""
    copied = read_yaml(text, "copied").data
    layers = read_layers(copied["model"]["layers"])
    pairs = zip(nodes_of(layers), nodes_of(calls), strict=True)
    for copy, node in pairs:
        assert (copy.path, copy.kind, _normal(copy)) == (node.path, node.kind, _normal(node))
    if "data" in copied:
        assert tuple(copied["data"]["image_size"]) == shape[:2]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    path = tmp_path_factory.mktemp("what_if") / "odd.yaml"
    path.write_text(_ODD)
    return path


def _compare(config_path, open_page, folder, trials, seed):
    file = folder / "page.html"
    write_what_if(config_path, file)
    config = load_config(config_path)
    draw = random.Random(seed)
    chosen = [_trial(draw, config) for _ in range(trials)]
    page = open_page(file)
    data = json.loads(page.text_content("#data"))["output"]
    units = data["arguments"]["units"]
    fitting = 0
    for (typed, calls, shape), found in zip(
        chosen, _tried(page, [typed for typed, *_ in chosen]), strict=True
    ):
        try:
            fitting += _check(found, calls, shape, (units, "sigmoid" in data["text"]))
            _check_yaml(found["yaml"], calls, shape)
        except AssertionError as error:
            raise AssertionError(f"after {typed}: {error}") from error
    assert 0.2 * trials < fitting


@pytest.mark.parametrize(
    "name", ["digits_lenet5", "shapes_cnn", "alexnet", "googlenet", "mobilenet", "cifar10_resnet20"]
)
def test_random_edits_give_the_numbers_of_summary(name, open_page, tmp_path):
    _compare(CONFIGS / f"{name}.yaml", open_page, tmp_path, 12, seed=1)


def test_random_edits_of_every_kind_of_layer(odd, open_page, tmp_path):
    _compare(odd, open_page, tmp_path, 60, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_many_random_edits_of_all_shipped_configs(path, open_page, tmp_path):
    _compare(path, open_page, tmp_path, 300, seed=3)
