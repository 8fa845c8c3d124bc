"""Configs with a backbone or phases: mistakes are reported with their place."""

from __future__ import annotations

import pytest
from transfer_runs import DATA

from cnnkit.config import config_from_text, dump_config
from cnnkit.errors import ConfigError

pytest_plugins = ["transfer_fixtures"]


@pytest.mark.parametrize(
    ("model", "training", "line"),
    [
        (
            "{backbone: {name: VGG16, hub: b}}",
            "",
            "expected one of name, hub, run, file; received name",
        ),
        ("{backbone: {weights: none}}", "", "expected one of name, hub, run, file; none of them"),
        (
            "{backbone: {run: a, alpha: 0.5}}",
            "",
            "backbone.alpha  goes only with name, but run is given",
        ),
        (
            "{backbone: {run: a}, layers: [flatten]}",
            "",
            "model.layers  cannot be combined with backbone",
        ),
        ("{layers: [flatten], head: [flatten]}", "", "model.head  goes only with a backbone"),
        (
            "{layers: [flatten]}",
            "{fine_tune: true}",
            "training.fine_tune  goes only with model.backbone",
        ),
        (
            "{backbone: {run: a}}",
            "{phases: 3}",
            "training.phases  expected a list of sections, each with the keys train",
        ),
        (
            "{backbone: {run: a}}",
            "{phases: [{epochs: 3}]}",
            "phases[0].train  required, but missing",
        ),
        ("{backbone: {run: a}}", "{phases: [{train: heat}]}", "Did you mean head?"),
        (
            "{backbone: {run: a}}",
            "{phases: [{train: {last_layer: 2}}]}",
            "Did you mean last_layers?",
        ),
        ("{backbone: {run: a}}", "{phases: [{train: {gradual: 1}}]}", "from 2 to 100"),
        (
            "{backbone: {run: a}}",
            "{fine_tune: true, phases: [{train: head}]}",
            "fine_tune already means two phases",
        ),
        (
            "{backbone: {run: a}}",
            "{phases: [{train: linear_probe, epochs: 4, layer_decay: 0.5}]}",
            "phases[0].epochs  has no effect if train is linear_probe. Remove it.",
        ),
        (
            "{backbone: {run: a}}",
            "{phases: [{train: head}, {train: head, batch_norm: training}]}",
            "phases[1].batch_norm  has no effect if train is head. Remove it.",
        ),
        (
            "{backbone: {run: a}}",
            "{phases: [{train: {gradual: 9}, epochs: 2}]}",
            "train.gradual  each step takes at least one epoch, but the phase has only 2 epochs.",
        ),
        (
            "{backbone: {run: a}}",
            "{feature_views: 4}",
            "training.feature_views  views are augmented images, but no augmentation here changes",
        ),
    ],
)
def test_what_does_not_go_together_is_reported_with_its_place(model, training, line):
    text = f"data: {{source: digits, image_size: 32}}\nmodel: {model}\n"
    with pytest.raises(ConfigError) as caught:
        config_from_text(text + (f"training: {training}\n" if training else ""))
    assert line in str(caught.value), str(caught.value)


def test_a_config_with_a_backbone_is_written_and_read_back_unchanged(folder, tmp_path):
    text = f"""{DATA}
model:
  backbone: {{run: runs/start, layer: second}}
  head: [global_pool, dropout: 0.1]
training:
  phases:
    - {{train: head, epochs: 2}}
    - {{train: {{last_layers: 1}}, optimizer: {{adam: {{learning_rate: 0.001}}}}, layer_decay: 0.5}}
"""
    config = config_from_text(text, folder=folder)
    written = dump_config(config)
    assert config_from_text(written) == config
    assert str(folder / "runs" / "start") in written
    assert "alpha" not in written
