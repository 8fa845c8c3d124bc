"""`cnnkit summary --diagram`: everything is drawn, nothing overlaps, and the words are right."""

from __future__ import annotations

import itertools
import re

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from places import CONFIGS

from cnnkit.arithmetic import output_row, read_keras_file, walk_stack
from cnnkit.cli import main
from cnnkit.config import load_config, read_layers
from cnnkit.plots.diagram.layout import layout_of
from cnnkit.plots.diagram.steps import steps_of

_NETWORKS = sorted(CONFIGS.glob("*.yaml"))


def drawing(layers, shape=(32, 32, 3), num_classes=10):
    """Return (steps, layout) of a stack with its output layer."""
    rows = walk_stack(layers, shape)
    rows.append(output_row(rows, num_classes, sigmoid=False))
    steps = steps_of(rows, shape)
    assert sorted(row for step in steps for row in step.rows) == list(range(len(rows)))
    return steps, layout_of(steps)


def stack(*layers):
    """Return the layers of a config."""
    return read_layers(list(layers))


def svg_of(config, tmp_path, *words):
    """Return the text of the SVG that the command draws."""
    file = tmp_path / "net.svg"
    command = ["summary", str(config), "--num-classes", "10", "--diagram", str(file), *words]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    return file.read_text()


def words_of(svg):
    """Return the texts of an SVG, in the order of the file."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


# --- places


def check_layout(steps, layout):
    """Check that everything is drawn once, touches what it belongs to, and overlaps nothing."""
    bodies = {body.step: body for body in layout.bodies}
    assert len(bodies) == len(layout.bodies)
    assert set(range(len(steps))) == set(bodies) or layout.frames
    for step in bodies:
        for source in set(steps[step].inputs) & set(bodies):
            assert any((w.source, w.target) == (source, step) for w in layout.wires)
    for wire in layout.wires:
        _touches(bodies[wire.source], wire.points[0])
        _touches(bodies[wire.target], wire.points[-1])
    boxes = [_box(body) for body in layout.bodies]
    boxes += [
        (t.x - t.width / 2, t.y - t.height / 2, t.x + t.width / 2, t.y + t.height / 2)
        for t in layout.texts
        if t.role != "pill"
    ]
    for box in boxes:
        assert box[0] > 0 and box[1] > 0 and box[2] < layout.width and box[3] < layout.height
    for one, two in itertools.combinations(boxes, 2):
        assert not _overlap(one, two), (one, two)


def _box(body):
    return (
        body.x,
        body.y,
        body.x + body.width + body.depth,
        body.y + body.height + body.depth,
    )


def _touches(body, point):
    left, top, right, bottom = _box(body)
    assert left - 1e-6 <= point[0] <= right + 1e-6
    assert top - 1e-6 <= point[1] <= bottom + 1e-6


def _overlap(one, two):
    return (
        min(one[2], two[2]) - max(one[0], two[0]) > 1e-6
        and min(one[3], two[3]) - max(one[1], two[1]) > 1e-6
    )


@pytest.mark.parametrize("path", _NETWORKS, ids=lambda path: path.stem)
def test_nothing_overlaps_in_the_drawings_of_the_shipped_networks(path):
    config = load_config(path)
    height, width = config.data.image_size
    shape = (height, width, 1 if config.data.color_mode == "grayscale" else 3)
    steps, layout = drawing(config.model.layers, shape)
    check_layout(steps, layout)
    assert layout.width < 24


_CONV = {"conv": {"filters": 6, "kernel_size": 3, "padding": "same"}}
_PLAIN = st.sampled_from(
    [
        _CONV,
        {"conv": {"filters": 90, "kernel_size": 1, "activation": "relu"}},
        "batch_norm",
        {"activation": "relu"},
        {"dropout": 0.2},
        {"squeeze_excite": {"ratio": 2}},
        {"SeparableConv2D": {"filters": 12, "kernel_size": 5, "padding": "same"}},
        {"pool": {"pool_size": 3, "strides": 1, "padding": "same"}},
    ]
)
_STACKS = st.recursive(
    st.lists(_PLAIN, max_size=3),
    lambda inner: st.lists(
        _PLAIN
        | inner.filter(bool).map(lambda layers: {"residual": layers})
        | st.lists(inner, min_size=2, max_size=4).map(lambda stacks: {"branches": stacks}),
        max_size=4,
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(_STACKS, st.sampled_from([["flatten"], ["global_pool", {"dense": 30}], ["pool", "flatten"]]))
def test_nothing_overlaps_in_the_drawings_of_random_nested_networks(layers, head):
    check_layout(*drawing(stack(*layers, *head), (16, 16, 3)))


def test_a_stack_of_one_layer_and_one_of_many_equal_ones():
    steps, layout = drawing(stack("flatten"))
    check_layout(steps, layout)
    assert [body.form for body in layout.bodies] == ["sheets", "bar", "bar"]
    steps, layout = drawing(stack(*[_CONV] * 200, "flatten"))
    check_layout(steps, layout)
    assert [frame.count for frame in layout.frames] == [200]
    assert len(layout.bodies) == 4


def test_a_layer_after_one_that_only_keras_knows_has_no_size(tmp_path):
    layers = [{"conv": {"filters": 4, "kernel_size": 3}}, {"Reshape": {"target_shape": [-1, 4]}}]
    steps, layout = drawing(stack(*layers, "flatten"))
    check_layout(steps, layout)


def test_a_shortcut_is_an_arc_above_its_block_and_a_projection_is_named_on_it():
    block = {"residual": [_CONV, {"conv": {"filters": 3, "kernel_size": 3, "padding": "same"}}]}
    grows = {"residual": [_CONV, _CONV]}
    steps, layout = drawing(stack(block, grows, "flatten"))
    check_layout(steps, layout)
    bodies = {body.step: body for body in layout.bodies}
    first, second = [number for number, step in enumerate(steps) if step.symbol == "+"]
    (arc,) = [w for w in layout.wires if (w.source, w.target) == (0, first)]
    assert min(y for _, y in arc.points) < min(bodies[step].y for step in (1, 2))
    (named,) = [body for body in layout.bodies if body.form == "pill"]
    assert steps[named.step].words == "conv 1 x 1"
    assert named.y < min(bodies[step].y for step in range(first + 1, second) if step != named.step)
    assert {(w.source, w.target) for w in layout.wires} >= {
        (first, named.step),
        (named.step, second),
    }


def test_branches_are_lanes_below_each_other_in_the_order_of_the_config():
    branches = [[{"conv": {"filters": n, "kernel_size": 1}}] for n in (2, 3, 4)]
    steps, layout = drawing(stack({"branches": [*branches, []]}, "flatten"))
    check_layout(steps, layout)
    maps = [
        body for body in layout.bodies if steps[body.step].inputs == (0,) and body.form != "gate"
    ]
    assert [steps[b.step].shape[-1] for b in sorted(maps, key=lambda b: b.y)] == [2, 3, 4]
    (gate,) = [body for body in layout.bodies if body.form == "gate"]
    ends = [w.points[-1][1] for w in layout.wires if w.target == gate.step]
    assert len(ends) == 4 and ends == sorted(ends)
    assert steps[gate.step + 1].shape == (32, 32, 12)


def test_a_merge_of_branches_that_leave_the_same_branch_is_drawn_once(tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(4, 3, padding="same")(image)
    second = keras.layers.Conv2D(5, 3, padding="same")(first)
    joined = keras.layers.Concatenate()([second, first, image])
    keras.Model(image, keras.layers.Conv2D(2, 1)(joined)).save(tmp_path / "model.keras")
    shape, rows = read_keras_file(tmp_path / "model.keras")
    steps = steps_of(rows, shape)
    layout = layout_of(steps)
    check_layout(steps, layout)
    (gate,) = [body.step for body in layout.bodies if body.form == "gate"]
    assert len([wire for wire in layout.wires if wire.target == gate]) == 3


# --- words


def test_lenet_is_drawn_with_its_maps_and_operations(tmp_path):
    words = words_of(svg_of(CONFIGS / "digits_lenet5.yaml", tmp_path))
    sizes = [word for word in words if re.fullmatch(r"\d+ @ \d+ x \d+|[\d,]+", word)]
    assert sizes == [
        "1 @ 32 x 32", "6 @ 28 x 28", "6 @ 14 x 14", "16 @ 10 x 10", "16 @ 5 x 5",
        "400", "120", "84", "10",
    ]  # fmt: skip
    operations = " ".join(word for word in words if word not in sizes)
    for operation in ("image", "conv 5 x 5", "pool 2 x 2", "flatten", "dense", "softmax"):
        assert operation in operations


def test_a_resnet_has_its_sums_and_shows_how_often_a_block_is_repeated(tmp_path):
    words = words_of(svg_of(CONFIGS / "resnet50.yaml", tmp_path))
    assert words.count("+") == 8
    assert [word for word in words if word.startswith("x ")] == ["x 2", "x 3", "x 5", "x 2"]
    assert sum(word.startswith("conv 1 x 1, stride 2") for word in words) == 3


def test_a_layer_that_keeps_the_map_is_named_with_the_operation_before_it():
    conv = {"conv": {"filters": 4, "kernel_size": 3, "strides": 2}}
    steps, _ = drawing(
        stack(conv, "batch_norm", {"activation": "relu"}, {"dropout": 0.1}, "flatten")
    )
    assert [step.words for step in steps] == [
        "image",
        "conv 3 x 3, stride 2, batch norm, relu, dropout 0.1",
        "flatten",
        "dense, softmax",
    ]


def test_a_border_is_named_with_its_mode(tmp_path):
    conv = {"filters": 4, "kernel_size": 3, "pad": {"size": [[1, 2], [0, 3]], "mode": "edge"}}
    reflect = {"filters": 4, "kernel_size": 3, "pad": {"size": 1, "mode": "reflect"}}
    steps, _ = drawing(stack({"conv": conv}, {"conv": reflect}, "flatten"))
    assert [step.words for step in steps[1:3]] == [
        "conv 3 x 3, pad [[1, 2], [0, 3]] edge",
        "conv 3 x 3, pad 1 reflect",
    ]


# --- files


def test_the_same_network_is_the_same_file_and_png_is_a_picture(tmp_path):
    config = CONFIGS / "lenet5.yaml"
    first = svg_of(config, tmp_path)
    assert svg_of(config, tmp_path, "--overwrite") == first
    command = ["summary", str(config), "--num-classes", "10", "--diagram"]
    assert CliRunner().invoke(main, [*command, str(tmp_path / "net.png")]).exit_code == 0
    with Image.open(tmp_path / "net.png") as picture:
        assert picture.width > 4 * picture.height
        assert len(picture.convert("RGB").getcolors(1 << 16)) > 20


def test_other_kinds_of_file_are_refused_and_no_file_is_replaced_without_overwrite(tmp_path):
    command = ["summary", str(CONFIGS / "lenet5.yaml"), "--num-classes", "10", "--diagram"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "net.jpg")])
    assert (done.exit_code, "must end in .svg or .png" in done.stderr) == (2, True)
    (tmp_path / "net.svg").write_text("mine")
    done = CliRunner().invoke(main, [*command, str(tmp_path / "net.svg")])
    assert (done.exit_code, "cnnkit did not draw it" in done.stderr) == (2, True)
    assert (tmp_path / "net.svg").read_text() == "mine"
