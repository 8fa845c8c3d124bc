"""`repeat`, `block` and `$name`: the layers they stand for, and where mistakes are reported."""

from __future__ import annotations

import pytest

from cnnkit.config import config_from_text, dump_config
from cnnkit.errors import ConfigError

HEAD = "data: {source: digits, image_size: 32}\nmodel:\n"


def _yaml(*lines):
    return HEAD + "".join(f"  {line}\n" for line in lines)


def _layers(text):
    return [call.to_yaml() for call in config_from_text(text).model.layers]


def _refused(text):
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    return str(error.value).splitlines()


def test_repeat_writes_its_layers_out_round_by_round():
    text = _yaml(
        "layers:",
        "  - repeat:",
        "      each: {filters: [4, 8], size: [3, 5]}",
        "      layers:",
        "        - conv: {filters: $filters, kernel_size: $size, padding: same}",
        "        - repeat: {times: 2, layers: [{residual: [{conv: {filters: $filters,"
        " kernel_size: 1}}]}]}",
        "  - flatten",
    )
    residuals = [[{"residual": [{"conv": {"filters": n, "kernel_size": 1}}]}] * 2 for n in (4, 8)]
    convs = [
        {"conv": {"filters": n, "kernel_size": k, "padding": "same"}} for n, k in ((4, 3), (8, 5))
    ]
    assert _layers(text) == [convs[0], *residuals[0], convs[1], *residuals[1], "flatten"]


def test_blocks_have_values_and_contain_other_blocks():
    text = _yaml(
        "blocks:",
        "  twice: [{block: {name: once, units: $units}}, {block: {name: once, units: 3}}]",
        "  once: [{dense: $units}, batch_norm]",
        "layers:",
        "  - flatten",
        "  - block: {name: twice, units: 7}",
        "  - branches: [[{block: {name: once, units: 2}}], []]",
    )
    dense = [{"dense": {"units": n}} for n in (7, 3, 2)]
    expected = ["flatten", dense[0], "batch_norm", dense[1], "batch_norm"]
    assert _layers(text) == [*expected, {"branches": [[dense[2], "batch_norm"], []]}]


def test_a_saved_config_has_everything_written_out_and_loads_as_the_same():
    text = _yaml(
        "blocks: {head: [flatten, {dense: 4}]}",
        "layers: [{repeat: {times: 2, layers: [pool]}}, {block: head}]",
    )
    config = config_from_text(text)
    saved = dump_config(config)
    assert "repeat" not in saved
    assert "blocks" not in saved
    assert config_from_text(saved) == config


BLOCK = _yaml(
    "blocks:",
    "  one:",
    "    - conv: {filters: $filters, kernel_size: 3}",
    "    - pool",
    "layers:",
    "  - block: {name: one, filters: 4}",
    "  - repeat: {each: {n: [8, 0]}, layers: [{block: {name: one, filters: $n}}]}",
    "  - flatten",
)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            BLOCK,
            [
                "a.yaml:5:25  model.blocks.one[0].conv.filters  expected a whole number of at "
                "least 1, received 0. (In the block one, used at "
                "model.layers[1].repeat.layers[0].block.)"
            ],
        ),
        (
            BLOCK.replace("[8, 0]", "[8, 4]").replace("kernel_size: 3", "kernel_size: 15"),
            [
                "a.yaml:5:9  model.blocks.one[0]  conv of 15 x 15 does not fit: the image is "
                "already 9 x 9 here (32 > 18 > 9). Remove this layer, use padding: same, or "
                "increase data.image_size. (In the block one, used at "
                "model.layers[1].repeat.layers[0].block.)"
            ],
        ),
        (
            BLOCK.replace("$filters", "$filtres"),
            [
                "a.yaml:5:25  model.blocks.one[0].conv.filters  there is no value $filtres. Did "
                "you mean $filters? Values here: $filters."
            ],
        ),
        (
            BLOCK.replace("filters: 4}", "filters: 4, size: 3}").replace("0]", "1]"),
            [
                "a.yaml:8:38  model.layers[0].block.size  no layer uses $size, so this has no "
                "effect. Remove it."
            ],
        ),
        (
            BLOCK.replace("{name: one, filters: 4}", "oen"),
            [
                "a.yaml:8:14  model.layers[0].block  there is no block oen in model.blocks. Did "
                "you mean one? Blocks: one."
            ],
        ),
        (
            _yaml("blocks: {a: [{block: b}], b: [{block: a}]}", "layers: [{block: a}]"),
            ["a.yaml:3:41  model.blocks.b[0].block  the block a contains itself."],
        ),
        (
            _yaml("blocks: {a: 3}", "layers: [{block: a}]"),
            ["a.yaml:3:15  model.blocks.a  expected a list of at least one layer, received 3."],
        ),
        (
            _yaml("blocks: {a: [], b: conv, c: }", "layers: [flatten]"),
            [
                "a.yaml:3:15  model.blocks.a  expected a list of at least one layer, received [].",
                "a.yaml:3:22  model.blocks.b  expected a list of at least one layer, received "
                '"conv".',
                "a.yaml:3:30  model.blocks.c  expected a list of at least one layer, received "
                "null.",
            ],
        ),
        (
            _yaml("blocks: {a: [{block: b}], b: [{conv: {kernle: 3}}]}", "layers: [flatten]"),
            [
                f"a.yaml:3:{column}  model.blocks.{name}  no layer uses this block. Remove it, or "
                f"use it: block: {name}."
                for column, name in ((12, "a"), (29, "b"))
            ],
        ),
        (
            _yaml("blocks: {a: [pool]}", "backbone: {name: MobileNetV2}"),
            [
                "a.yaml:3:12  model.blocks.a  no layer uses this block. Remove it, or use it: "
                "block: a."
            ],
        ),
        (
            BLOCK.replace("{name: one, filters: 4}", "one"),
            [
                "a.yaml:8:14  model.layers[0].block  the block one needs a value for $filters. "
                "Give it one: block: {name: one, filters: ...}."
            ],
        ),
        (
            _yaml(
                "blocks: {a: [{repeat: {each: {n: [1, 2]}, layers: [{block: {name: b, n: $n}}]}}],"
                " b: [{dense: {units: $n, activation: $then}}]}",
                "layers: [flatten, {block: a}]",
            ),
            [
                "a.yaml:3:62  model.blocks.a[0].repeat.layers[0].block  the block b needs a "
                "value for $then. Give it one: block: {name: b, then: ...}."
            ],
        ),
        (
            _yaml(
                "layers:",
                "  - repeat: {times: 3, layers: [{conv: {filters: 2, kernel_size: 1, name: a}}]}",
                "  - flatten",
            ),
            [
                "a.yaml:4:77  model.layers[0].repeat.layers[0].conv.name  another layer has the "
                "name a. Rename one of them, or remove its name. (In round 2 of 3 of this repeat.)"
            ],
        ),
        (
            _yaml("layers: [{repeat: {layers: [pool]}}, flatten]"),
            [
                "a.yaml:3:21  model.layers[0].repeat  the number of rounds is missing. Add times: "
                "3, or lists of values in each, as in each: {filters: [32, 64]}."
            ],
        ),
        (
            _yaml("layers: [{repeat: {times: 3, each: {n: [1, 2]}, layers: [{dense: $n}]}}]"),
            [
                "a.yaml:3:21  model.layers[0].repeat  times and the lists in each must have the "
                "same number of rounds, received times 3, each.n 2."
            ],
        ),
        (
            _yaml("layers: [{repeat: {times: 0, layer: [pool]}}, flatten]"),
            [
                "a.yaml:3:29  model.layers[0].repeat.times  expected a whole number from 1 to "
                "1000, received 0.",
                "a.yaml:3:32  model.layers[0].repeat.layer  unknown argument for repeat. Did you "
                "mean layers? Allowed: layers, times, each.",
            ],
        ),
        (
            _yaml("layers: [flatten, {dense: $units}]"),
            [
                "a.yaml:3:29  model.layers[1].dense  there is no value $units. Values exist "
                "only inside a repeat or block."
            ],
        ),
        (
            _yaml("layers: [{repeat: {each: {n: [1, 2]}, layers: [pool]}}, flatten]"),
            [
                "a.yaml:3:29  model.layers[0].repeat.each.n  no layer uses $n, so this has no "
                "effect. Remove it."
            ],
        ),
    ],
)
def test_a_mistake_is_reported_where_it_is_written(text, lines):
    assert _refused(text) == lines


def test_a_repeat_in_a_repeat_ends():
    layers = "[pool]"
    for _ in range(4):
        layers = f"[{{repeat: {{times: 1000, layers: {layers}}}}}]"
    (line,) = _refused(_yaml(f"layers: {layers}"))
    assert "repeats and blocks turn this into more than 10,000 layers." in line


@pytest.mark.parametrize("innermost", ["{dense: 3}", "{block: nowhere}", ""])
def test_blocks_that_double_end_at_once(innermost):
    doubling = [f"  b{n}: [{{block: b{n - 1}}}, {{block: b{n - 1}}}]" for n in range(1, 31)]
    blocks = ["blocks:", f"  b0: [{innermost}]", *doubling]
    lines = _refused(_yaml(*blocks, "layers: [flatten, {block: b30}]"))
    assert "repeats and blocks turn this into more than 10,000 layers." in lines[-1]


def test_only_layers_are_counted_not_the_numbers_in_their_arguments():
    conv = "{conv: {filters: 1, kernel_size: [1, 1], strides: [1, 1], dilation_rate: [1, 1]}}"
    inner = f"{{repeat: {{times: 30, layers: [{conv}]}}}}"
    layers = _layers(_yaml(f"layers: [{{repeat: {{times: 100, layers: [{inner}]}}}}, flatten]"))
    assert len(layers) == 3001


def test_a_block_can_repeat_a_stack_that_is_given_to_it():
    text = _yaml(
        "blocks: {thrice: [{repeat: {times: 3, layers: $inner}}]}",
        "layers: [flatten, {block: {name: thrice, inner: [{dense: 4}, batch_norm]}}]",
    )
    assert _layers(text) == ["flatten", *[{"dense": {"units": 4}}, "batch_norm"] * 3]
    lines = _refused(text.replace("[{dense: 4}, batch_norm]", "4"))
    assert len(lines) == 1
    assert "expected a list of at least one layer, received 4." in lines[0]
    (line,) = _refused(text.replace("$inner", "$iner"))
    assert "there is no value $iner. Did you mean $inner?" in line


def test_mistakes_elsewhere_are_reported_together_with_those_in_a_repeat():
    text = _yaml("layers: [{repeat: {layers: [pool]}}]") + "training: {epochs: 0}\n"
    assert [line.split("  ")[1] for line in _refused(text)] == [
        "model.layers[0].repeat",
        "training.epochs",
    ]


def test_one_mistake_in_a_residual_block_is_found_by_its_path():
    text = _yaml(
        "layers:",
        "  - pool",
        "  - residual: [{conv: {filters: 0, kernel_size: 3}}]",
        "  - residual: {layers: [{conv: {filters: 0, kernel_size: 3}}]}",
        "  - branches: [[pool], [{conv: {filters: 0, kernel_size: 3}}]]",
        "  - flatten",
    )
    assert [line.split("  ")[1] for line in _refused(text)] == [
        "model.layers[1].residual[0].conv.filters",
        "model.layers[2].residual.layers[0].conv.filters",
        "model.layers[3].branches[1][0].conv.filters",
    ]
