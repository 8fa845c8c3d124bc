"""`cnnkit filters`: patches against a plain search, gradient ascent, files and the page."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from images import noise, write_image
from notes import Notes
from PIL import Image

from cnnkit.backend import keras
from cnnkit.cli import main
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import ImageRecord
from cnnkit.errors import DataError
from cnnkit.explore.features.gradient_ascent import climbed_pictures
from cnnkit.explore.features.model_graph import run_steps, steps_of
from cnnkit.explore.features.patches import exciting_patches
from cnnkit.progress import Report

layers = keras.layers
_SETTINGS = PixelSettings((20, 20))


@pytest.fixture(scope="module")
def model():
    """Return a random model with two convolutions."""
    keras.utils.set_random_seed(1)
    image = keras.Input((20, 20, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="second")(x)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


def _records(folder, count):
    paths = [write_image(folder / f"{i}.png", seed=i, width=20, height=20) for i in range(count)]
    return [ImageRecord(path.name, LocalFile(path), f"class {path.stem}") for path in paths]


def _patches(model, records, **options):
    steps = steps_of(model)
    positions = [i for i, step in enumerate(steps) if step.kind == "Conv2D"]
    given = {"num_patches": 3, "report": Report(), **options}
    return exciting_patches(steps, positions, records, _SETTINGS, **given), positions


def test_patches_are_those_of_a_plain_search(model, tmp_path):
    records = _records(tmp_path, 19)  # more than one batch
    found, (first, second) = _patches(model, records)
    images = np.stack([np.array(Image.open(record.file)) for record in records])
    x = (images / 255.0).astype(np.float32)
    for position, name in ((first, "first"), (second, "second")):
        layer = model.get_layer(name)
        stride = layer.strides[0]
        maps = keras.ops.conv(x, layer.kernel, stride, "same") + layer.bias
        maps = np.asarray(maps)
        for channel in range(maps.shape[-1]):
            strongest = maps[..., channel].reshape(len(images), -1).max(axis=1)
            expected = np.argsort(-strongest)[:3]
            patches = found[position][channel]
            assert [patch.path for patch in patches] == [records[i].path for i in expected]
            values = [patch.value for patch in patches]
            assert values == pytest.approx(strongest[expected].tolist(), abs=1e-5)
            for patch, i in zip(patches, expected, strict=True):
                assert maps[(i, *patch.place, channel)] == pytest.approx(patch.value, abs=1e-5)
                top, left, bottom, right = patch.box
                cut = images[i, top : bottom + 1, left : right + 1]
                assert np.array_equal(patch.pixels, cut)
                assert patch.label == records[i].label
        x = keras.layers.MaxPooling2D(2)(np.maximum(maps, 0))
    top, left, bottom, right = found[first][0][0].box
    assert bottom - top <= 2 and right - left <= 2


def test_the_patch_alone_explains_the_number(model, tmp_path):
    records = _records(tmp_path, 6)
    found, (_, second) = _patches(model, records)
    steps = steps_of(model)
    for channel, patches in enumerate(found[second]):
        for patch in patches:
            top, left, bottom, right = patch.box
            only = np.random.default_rng(0).integers(0, 256, (1, 20, 20, 3)).astype(np.float32)
            only[0, top : bottom + 1, left : right + 1] = patch.pixels
            number = run_steps(steps, only, until=second, before=True)[-1][0]
            assert float(number[(*patch.place, channel)]) == pytest.approx(patch.value, abs=1e-5)


@pytest.mark.parametrize(
    "branches",
    [
        lambda x: [layers.Conv2D(3, 1, name="short")(x), layers.Conv2D(3, 3, padding="same")(x)],
        lambda x: [layers.Conv2D(3, 3)(x), layers.Conv2D(3, 3)(layers.ReLU()(x))],
    ],
    ids=["projection", "branches"],
)
def test_layers_on_parallel_branches_have_the_patches_that_each_has_alone(branches, tmp_path):
    image = keras.Input((20, 20, 3), dtype="uint8")
    joined = layers.Add()(branches(layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(joined)))
    records = _records(tmp_path, 4)
    found, positions = _patches(model, records)
    assert sorted(found) == positions and len(positions) == 2
    for position in positions:
        options = {"num_patches": 3, "report": Report()}
        alone = exciting_patches(steps_of(model), [position], records, _SETTINGS, **options)
        for mine, expected in zip(found[position], alone[position], strict=True):
            assert [(p.path, p.value, p.box) for p in mine] == [
                (p.path, p.value, p.box) for p in expected
            ]


def test_an_image_that_cannot_be_read_is_named_and_ignored(model, tmp_path):
    records = _records(tmp_path, 3)
    broken = tmp_path / "broken.png"
    broken.write_text("hi")
    report = Notes()
    wrong = ImageRecord("broken.png", LocalFile(broken), "")
    found, (first, _) = _patches(model, [*records, wrong], report=report)
    (note,) = report.notes
    assert note.startswith("broken.png is ignored: it is not an image")
    assert {patch.path for patch in found[first][0]} == {record.path for record in records}
    with pytest.raises(DataError, match="None of the 1 images"):
        _patches(model, [wrong])


def test_gradient_ascent_excites_its_channel_and_repeats(model):
    steps = steps_of(model)
    second = next(i for i, step in enumerate(steps) if step.name == "second")
    pictures = climbed_pictures(steps, second, [3, 0], seed=7)
    assert pictures.shape == (2, 20, 20, 3) and pictures.dtype == np.uint8
    random = np.random.default_rng(0).integers(0, 256, (50, 20, 20, 3)).astype(np.float32)
    means = np.asarray(run_steps(steps, random, until=second, before=True)[-1]).mean(axis=(1, 2))
    climbed = run_steps(steps, pictures.astype(np.float32), until=second, before=True)[-1]
    climbed = np.asarray(climbed).mean(axis=(1, 2))
    for picture, channel in enumerate((3, 0)):
        assert climbed[picture, channel] > means[:, channel].max()
        assert climbed[picture, channel] > climbed[1 - picture, channel]
    alone = climbed_pictures(steps, second, [0], seed=7)
    assert np.abs(alone[0].astype(int) - pictures[1]).max() <= 2
    assert not np.array_equal(climbed_pictures(steps, second, [0], seed=8)[0], alone[0])


def _run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def drawn(trained_run, tmp_path_factory):
    """Return the folder that `cnnkit filters` wrote for the trained run, and what it printed."""
    out = tmp_path_factory.mktemp("filters") / "out"
    words = ("--model", trained_run.folder, "-o", out, "--channels", 3, "--json")
    done = _run("filters", *words)
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def test_the_files_are_one_png_per_layer_the_filters_in_colour_and_a_page(trained_run, drawn):
    out, answer = drawn
    assert sorted(os.listdir(out)) == ["conv_1-filters.png", "conv_1.png", "filters.html"]
    [layer] = answer["layers"]
    assert layer["kernel"] == [3, 3, 3, 4]
    strongest = [channel["patches"][0]["value"] for channel in layer["channels"]]
    assert len(strongest) == 3 and strongest == sorted(strongest, reverse=True)
    validation = {row["path"] for row in trained_run.read_split() if row["split"] == "validation"}
    searched = {patch["path"] for channel in layer["channels"] for patch in channel["patches"]}
    assert searched == validation and answer["images"] == len(validation)


def test_the_filters_are_drawn_with_their_own_range(trained_run, drawn):
    out, _ = drawn
    kernel = np.asarray(keras.models.load_model(trained_run.best).get_layer("conv_1").kernel)
    with Image.open(out / "conv_1-filters.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    for i in range(4):
        weights = kernel[..., i]
        shown = np.floor((0.5 + weights / (2 * np.abs(weights).max())) * 255).reshape(-1, 3)
        for colour in shown:
            near = [max(abs(a - b) for a, b in zip(colour, c, strict=True)) for c in colours]
            assert min(near) <= 1


def test_other_images_are_searched_and_a_broken_one_is_ignored(trained_run, tmp_path):
    folder = tmp_path / "photos"
    for i in range(3):
        write_image(folder / f"{i}.png", seed=i)
    (folder / "bad.png").write_text("hi")
    words = ("--model", trained_run.folder, "-o", tmp_path / "out", "--channels", 1)
    done = _run("filters", *words, "--images", folder)
    assert done.exit_code == 0, done.output
    assert f"patches from 4 images in {folder}\n" in done.stderr
    assert f"{folder / 'bad.png'} is ignored: it is not an image" in done.stderr
    assert "conv_1" in done.stdout
    words += ("--overwrite",)
    done = _run("filters", *words, "--images", tmp_path / "nowhere")
    assert done.exit_code == 1 and "no folder or file has this name" in done.stderr
    (tmp_path / "empty").mkdir()
    done = _run("filters", *words, "--images", tmp_path / "empty")
    assert done.exit_code == 1 and "contains no image" in done.stderr


def test_the_page_shows_the_weight_that_the_pointer_is_at(trained_run, drawn, open_page):
    out, answer = drawn
    page = open_page(out / "filters.html")
    page.locator("#channel").select_option("1")
    canvas = page.locator("#kernel canvas").nth(2)  # colour, channel 0, channel 1
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 0.9, "y": box["height"] * 0.5})
    pointed = page.locator("#weight").inner_text()
    canvas.press("ArrowUp")
    moved = page.locator("#weight").inner_text()
    images = page.locator("img")
    sizes = images.evaluate_all("images => images.map(i => [i.naturalHeight, i.naturalWidth])")
    frames = images.evaluate_all("images => images.map(i => getComputedStyle(i).outlineStyle)")
    captions = page.locator("#patches figure").all_inner_texts()
    channel = answer["layers"][0]["channels"][1]
    kernel = np.asarray(keras.models.load_model(trained_run.best).get_layer("conv_1").kernel)
    for text, row in ((pointed, 1), (moved, 0)):
        assert text.startswith(f"channel 1 below, row {row}, column 2: weight ")
        weight = kernel[row, 2, 1, channel["channel"]]
        assert float(text.rpartition(" ")[2]) == pytest.approx(weight, abs=1e-6)
    assert sizes == [[16, 16], *([3, 3] for _ in channel["patches"])]
    assert set(frames) == {"solid"}  # otherwise a white picture would be invisible
    for caption, patch in zip(captions, channel["patches"], strict=True):
        assert patch["path"] in caption and patch["label"] in caption


def test_patches_of_a_grayscale_picture_are_drawn(tmp_path):
    from cnnkit.explore.features.layer_filters import picture

    large = np.array(noise(300, 200).convert("L"))[..., None]
    small = large[:7, :9]
    assert picture(large).startswith("data:image/jpeg")
    assert picture(small).startswith("data:image/png")


def test_missing_images_of_the_run_are_an_error_with_the_right_option(trained_run, tmp_path):
    run = tmp_path / "copied"
    shutil.copytree(trained_run.folder, run)
    text = run.joinpath("config.yaml").read_text()
    source = next(line for line in text.splitlines() if line.strip().startswith("source:"))
    (tmp_path / "elsewhere").mkdir()
    run.joinpath("config.yaml").write_text(
        text.replace(source, f"  source: {tmp_path / 'elsewhere'}")
    )
    done = _run("filters", "--model", run, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "Put the images back, or give --images FOLDER." in done.stderr
    assert not (tmp_path / "out").exists()


def test_twelve_of_many_layers_are_drawn_unless_they_are_named(trained_run, tmp_path):
    run = tmp_path / "deep"
    shutil.copytree(trained_run.folder, run)
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    for i in range(14):
        x = layers.Conv2D(2, 1, name=f"conv_{i}")(x)
    x = layers.GlobalAveragePooling2D()(x)
    keras.Model(image, layers.Dense(3)(x)).save(run / "weights" / "best.keras")
    words = ("--model", run, "-o", tmp_path / "out", "--channels", 1, "--json", "--overwrite")
    done = _run("filters", *words)
    drawn = [layer["layer"] for layer in json.loads(done.stdout)["layers"]]
    assert len(drawn) == 12 and drawn[0] == "conv_0" and drawn[-1] == "conv_13"
    assert "12 of 14 layers" in done.stderr
    done = _run("filters", *words, "--layer", "conv_7")
    assert [layer["layer"] for layer in json.loads(done.stdout)["layers"]] == ["conv_7"]


def test_what_the_page_leaves_out_is_reported(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("cnnkit.explore.features.layer_filters._MOST_LETTERS", 10)
    words = ("--model", trained_run.folder, "-o", tmp_path / "out", "--channels", 1)
    done = _run("filters", *words)
    assert done.exit_code == 0, done.output
    assert "To keep this page small, 1 of 1 layers are left out: conv_1." in done.stderr
