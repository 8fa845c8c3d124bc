"""The pictures of `cnnkit features` and `cnnkit filters`: what they show, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnkit.backend import keras
from cnnkit.explore.features.feature_maps import _draw_layer
from cnnkit.explore.features.model_graph import steps_of
from cnnkit.explore.features.overview import draw_overview, in_lines
from cnnkit.explore.features.stages import most_active, stages_of
from cnnkit.plots import map_pictures
from cnnkit.plots.figures import save_figure
from cnnkit.plots.map_pictures import Column, plot_path, plot_pictures

layers = keras.layers
_ANSWER = [("cat", 0.75), ("a dog of a long name", 0.25)]


@pytest.fixture
def figures(monkeypatch):
    """Return the figures that are saved, as they are drawn."""
    saved = []
    monkeypatch.setattr(
        "cnnkit.plots.map_pictures.save_figure",
        lambda figure, path: (save_figure(figure, path), saved.append(figure)),
    )
    return saved


def _stages():
    """Return the stages of a net with batch normalisation on two branches, and their positions."""
    keras.utils.set_random_seed(1)
    image = keras.Input((12, 12, 3), dtype="uint8")
    x = layers.Conv2D(4, 3, name="conv_1")(layers.Rescaling(1 / 255, name="rescaling")(image))
    x = layers.ReLU(name="relu_1")(layers.BatchNormalization(name="norm_1")(x))
    y = layers.Conv2D(4, 3, padding="same", name="conv_2")(x)
    y = layers.BatchNormalization(name="norm_2")(y)
    x = layers.Add(name="residual_1_shortcut_add")([x, y])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="answer")(x))
    model.get_layer("norm_1").gamma.assign([5.0, 5.0, 5.0, 5.0])
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    stages = stages_of(steps_of(model), pixels)
    return stages, {stage.name: i for i, stage in enumerate(stages)}


def test_a_layer_picture_has_the_normalisation_between_sums_and_relu(figures, tmp_path):
    stages, at = _stages()
    order = most_active(stages)[at["conv_1"]]
    _draw_layer(stages, at["conv_1"], order, "a.png", tmp_path / "conv_1.png")
    titles = [axis.get_title(loc="left") for axis in figures[0].axes]
    titles = [title for title in titles if title]
    assert [title.partition(":")[0] for title in titles] == [
        "sums",
        "after BatchNormalization",
        "after ReLU",
    ]
    highest = [float(title.rpartition(" ")[2]) for title in titles]
    assert highest[1] == highest[2] > 2 * highest[0]


def test_the_overview_names_what_scales_the_numbers_between_its_columns(figures, tmp_path):
    stages, _ = _stages()
    draw_overview(stages, range(len(stages)), _ANSWER, "t", tmp_path / "overview.png")
    titles = [axis.get_title() for axis in figures[0].axes]
    assert titles == [
        "image\n12 x 12 x 3",
        "Rescaling\nthen conv_1\n10 x 10 x 4",
        "BatchNormalization\nthen ReLU\n10 x 10 x 4",
        "conv_2\n10 x 10 x 4",
        "BatchNormalization\nthen residual_1_\nshortcut_add\n10 x 10 x 4",
        "pool\n4 numbers",
        "probabilities",
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("conv_1", ["conv_1"]),
        ("branches_1_concatenate", ["branches_1_", "concatenate"]),
        ("backbone/conv2_block1_0_conv", ["backbone/conv2_", "block1_0_conv"]),
        ("a" * 40, ["a" * 18, "a" * 18, "a" * 4]),
        ("x" * 50 + "y" * 50, ["x" * 18, "x" * 9 + "\u2026" + "y" * 8, "y" * 18]),
    ],
)
def test_a_long_name_is_broken_into_lines(name, lines):
    assert in_lines(name).split("\n") == lines


@pytest.mark.parametrize("num_columns", [1, 8, 9, 10, 11, 21, 22, 33])
def test_the_probabilities_follow_a_layer_on_an_axis_from_0_to_1(
    tmp_path, monkeypatch, num_columns
):
    figures = []  # not saved: that would take a second each
    monkeypatch.setattr("cnnkit.plots.map_pictures.save_figure", lambda f, path: figures.append(f))
    columns = [Column(f"stage {i}", np.ones(3)) for i in range(num_columns)]
    plot_path("t", np.zeros((4, 4, 3), np.uint8), columns, _ANSWER, tmp_path / "a.png")
    *others, answer = figures[0].axes
    place = answer.get_subplotspec()
    before = others[-1].get_subplotspec()
    assert before.rowspan == place.rowspan
    assert before.colspan.stop <= place.colspan.start
    assert len({axis.get_subplotspec().num1 for axis in others}) == num_columns + 1
    assert answer.get_xlim() == (0, 1)


def test_the_numbers_of_the_probabilities_are_next_to_the_axis(figures, tmp_path):
    columns = [Column("stage", np.ones((4, 4, 5)), list("abcde"))]
    plot_path("t", np.zeros((4, 4, 3), np.uint8), columns, _ANSWER, tmp_path / "a.png")
    figure = figures[0]
    figure.dpi = 120  # as when it is saved: letters are wider with fewer dots
    answer = figure.axes[-1]
    edge = answer.get_window_extent().x1
    assert [text.get_text() for text in answer.texts] == ["0.750", "0.250"]
    for text in answer.texts:
        box = text.get_window_extent()
        assert edge < box.x0 and box.x1 <= figure.bbox.x1


def test_a_white_picture_has_a_frame(tmp_path):
    white, path = np.full((8, 8, 3), 255, np.uint8), tmp_path / "a.png"
    plot_pictures("", [("", [white], [""])], path, columns=2)
    with Image.open(path) as picture:
        dark = np.asarray(picture.convert("L")) < 200
    rows, columns = np.nonzero(dark)
    assert len(rows) > 0
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert abs(height - width) <= 2 and height > 50  # one frame; the empty cell has none
    assert not dark[rows.min() + 5 : rows.max() - 4, columns.min() + 5 : columns.max() - 4].any()


@pytest.mark.parametrize("number", range(1, 34))
def test_the_overview_has_no_empty_place(number, monkeypatch):
    """The probabilities take what is left of the last line."""
    figures = []
    monkeypatch.setattr(map_pictures, "save_figure", lambda figure, _: figures.append(figure))
    columns = [Column("relu", np.zeros(3))] * number
    plot_path("title", np.zeros((4, 4, 3), np.uint8), columns, _ANSWER, Path("a.png"))
    [figure] = figures
    spans = [axis.get_subplotspec() for axis in figure.axes]
    lines, across = map_pictures.path_layout(number)
    assert sum(len(span.rowspan) * len(span.colspan) for span in spans) == lines * across
    assert len(spans[-1].colspan) >= 2
