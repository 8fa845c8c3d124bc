"""`data preview` draws what training shows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from images import data_config
from PIL import Image

from cnnkit.augmentation import build_augmentation
from cnnkit.cli import main
from cnnkit.config import config_from_dict
from cnnkit.data.dataset import load_dataset
from cnnkit.data.order import epoch_order
from cnnkit.errors import DataError
from cnnkit.explore import preview
from cnnkit.explore.preview import preview_rows
from cnnkit.training.phase_images import ImageBatches

AUGMENTATION = ["random_flip", {"random_rotation": 0.2}, {"random_contrast": 0.5}, "mixup"]


def config_of(folder, augmentation=(), **data):
    section = {"source": str(folder), "image_size": 16, **data}
    return config_from_dict(
        {"data": section, "model": {"layers": ["flatten"]}, "augmentation": list(augmentation)}
    )


def rows_of(config, **changes):
    wanted = {"num_images": 6, "num_versions": 3, "steps": False, "epoch": 1, "note": print}
    return preview_rows(config, **{**wanted, **changes})


def test_the_versions_are_the_pixels_of_training(tiny_images):
    config = config_of(tiny_images, AUGMENTATION[:3], split={"validation": 0, "test": 0})
    rows = {row.path: row for row in rows_of(config, num_images=24, epoch=2)}
    dataset = load_dataset(data_config(tiny_images, split=config.data.split))
    batches = ImageBatches(config, dataset)
    for column, epoch in enumerate((1, 2, 3), start=1):
        images = [images.numpy() for images, _ in batches.training(epoch)]
        shown = {image.tobytes() for image in np.concatenate(images)}
        assert {row.pictures[column][1].tobytes() for row in rows.values()} == shown
        assert {row.pictures[column][0] for row in rows.values()} == {f"epoch {epoch + 1}"}


def test_the_first_picture_is_the_image_itself_and_classes_alternate(tiny_images):
    rows = rows_of(config_of(tiny_images, AUGMENTATION))
    assert [row.label for row in rows] == ["blue", "green", "red"] * 2
    for row in rows:
        with Image.open(tiny_images / row.path) as image:
            assert np.array_equal(row.pictures[0][1], np.asarray(image))


def test_steps_name_each_operation_and_end_with_the_complete_change(tiny_images):
    config = config_of(tiny_images, AUGMENTATION)
    for steps, whole in zip(rows_of(config, steps=True), rows_of(config), strict=True):
        names = [name for name, _ in steps.pictures[1:]]
        assert names[:-1] == ["random_flip", "random_rotation", "random_contrast"]
        assert np.array_equal(steps.pictures[-2][1], whole.pictures[1][1])
        assert np.array_equal(steps.pictures[0][1], whole.pictures[0][1])


def test_images_are_mixed_as_training_would_mix_a_batch_of_the_rows(tiny_images):
    """If all images are drawn, their first versions are the batch of training's first step."""
    split = {"validation": 0, "test": 0}
    config = config_of(tiny_images, AUGMENTATION, split=split, batch_size=24)
    notes = []
    rows = {r.path: r for r in rows_of(config, num_images=24, note=notes.append)}
    assert "mixed" in notes[0] and "partners are different" in notes[0]
    dataset = load_dataset(data_config(tiny_images, split=config.data.split))
    batches = ImageBatches(config, dataset)
    ((images, targets),) = [(i.numpy(), t.numpy()) for i, t in batches.training(0)]
    assert {title.split()[0] for row in rows.values() for title, _ in row.pictures[-1:]} == {
        "mixed:"
    }
    order = epoch_order(dataset.select("train"), dataset.labels, seed=0, epoch=0).samples
    mixing = build_augmentation(config.augmentation, dataset.settings).mixing
    drawn = [rows[dataset.samples[index].path] for index in order]
    again = preview._with_mixed(drawn, mixing, 1, 0, 0)
    for row, image, target in zip(again, images, targets, strict=True):
        title, picture = row.pictures[-1]
        assert np.array_equal(picture, image)
        shares = dict(part.rsplit(" ", 1) for part in title.removeprefix("mixed: ").split(" + "))
        for name, share in zip(dataset.class_names, target, strict=True):
            assert float(shares.get(name, 0)) == pytest.approx(share, abs=0.0051)


def test_held_out_images_are_not_drawn(tmp_path):
    from images import write_classes

    for split, number in (("train", 2), ("test", 5)):
        write_classes(tmp_path / split, {"cat": number, "owl": number}, seed=number)
    rows = rows_of(config_of(tmp_path), num_images=100)
    assert len(rows) == 4
    assert all(row.path.startswith("train/") for row in rows)


def test_a_broken_image_is_named_and_another_one_drawn(tiny_images):
    for index in range(7):
        (tiny_images / "red" / f"{index}.png").write_text("hello")
    notes = []
    rows = rows_of(config_of(tiny_images), num_images=99, note=notes.append)
    assert [row.path for row in rows if row.label == "red"] == ["red/7.png"]
    assert len(notes) == 7
    assert "is not drawn: it is not an image but text" in notes[0]


def test_a_source_with_only_broken_images_is_an_error(tiny_images):
    for path in tiny_images.rglob("*.png"):
        path.write_text("hello")
    with pytest.raises(DataError, match="none of the 24 images can be decoded"):
        rows_of(config_of(tiny_images))


@pytest.mark.parametrize("augmentation", ["[]", "[random_flip]"])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_the_command_draws_a_picture(tiny_config, tmp_path, augmentation, color_mode):
    file = tmp_path / "p.png"
    words = ["data", "preview", str(tiny_config), "-o", str(file), "--images", "5", "--json"]
    sets = [f"augmentation={augmentation}", f"data.color_mode={color_mode}"]
    words += [word for text in sets for word in ("--set", text)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)["images"]) == 5
    with Image.open(file) as picture:
        assert np.asarray(picture.convert("L")).std() > 5
    assert ("no augmentation" in done.stderr) == (augmentation == "[]")
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
