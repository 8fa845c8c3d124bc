"""`cnnkit init`: the configs that it writes for different data sets, and that they train."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from images import data_config, file_bytes, write_classes, write_image, write_pictures
from PIL import Image

import cnnkit
from cnnkit.cli import main
from cnnkit.config import config_from_text, load_config
from cnnkit.data.image_facts import ImageFacts
from cnnkit.data.records import Source
from cnnkit.explore.summarize import summary_of_layers
from cnnkit.explore.zoo import config_files
from cnnkit.proposal import look_at, propose, relative_source
from cnnkit.proposal.findings import Findings
from cnnkit.proposal.recipes import Recipe, best_recipe, fastest_recipe


def proposal(folder, **options):
    """Return (text, config) of the proposal for a folder."""
    text = propose(look_at(data_config(folder), **options), str(folder))
    return text, config_from_text(text)


@pytest.mark.parametrize(
    ("sizes", "image_size", "resize"),
    [
        ([(8, 8)], (32, 32), "stretch"),
        ([(48, 48)], (48, 48), "stretch"),
        ([(300, 300)], (64, 64), "stretch"),
        ([(375, 500), (366, 500)], (64, 64), "stretch"),
        ([(375, 500), (500, 375)], (64, 64), "stretch"),
        ([(100, 300), (300, 200)], (64, 64), "pad"),
        ([(100, 300)], (32, 96), "stretch"),
    ],
)
def test_size_and_resize_policy_follow_the_images(tmp_path, sizes, image_size, resize):
    text, config = proposal(write_pictures(tmp_path / "set", sizes), from_scratch=True)
    assert config.data.image_size == image_size
    assert config.data.resize == resize
    smallest = f"at least {min(size[0] for size in sizes)} x {min(size[1] for size in sizes)}."
    assert smallest in text.replace("\n  # ", " ")


def test_grey_pictures_in_colour_files_are_noticed(tmp_path):
    write_pictures(tmp_path / "set", [(40, 40)], mode="L")
    for path in (tmp_path / "set").rglob("*.png"):
        Image.open(path).convert("RGB").save(path.with_suffix(".jpg"))
        path.unlink()
    text, config = proposal(tmp_path / "set")
    assert config.data.color_mode == "grayscale"
    assert "All opened images are grey." in text
    assert "random_contrast" not in text


@pytest.mark.parametrize(
    ("highest", "expected"), [(190, (0, 255)), (3000, (0, 4095)), (60_000, None)]
)
def test_dark_pictures_of_sixteen_bits_get_a_sample_range(tmp_path, highest, expected):
    for name in ("cell", "empty"):
        (tmp_path / name).mkdir()
        for index in range(4):
            values = np.random.default_rng(index).integers(100, highest, (40, 40), np.uint16)
            values[0, 0] = highest
            Image.fromarray(values).save(tmp_path / name / f"{index}.png")
    text, config = proposal(tmp_path)
    assert config.data.sample_range == expected
    assert (f"their samples are 100 to {highest}" in text.replace("\n  # ", " ")) == bool(expected)


def test_pictures_in_colour_stay_in_colour(tmp_path):
    assert proposal(write_pictures(tmp_path / "set", [(40, 40)]))[1].data.color_mode == "rgb"


@pytest.mark.parametrize(
    ("classes", "flips"),
    [(("cat", "owl"), True), (("0", "1", "2"), False), (("left_turn", "stop"), False)],
)
def test_nothing_is_mirrored_if_that_may_change_the_class(tmp_path, classes, flips):
    text, config = proposal(write_pictures(tmp_path / "set", [(40, 40)], classes=classes))
    assert any(call.name == "random_flip" for call in config.augmentation) == flips
    assert ("No random_flip: " in text) == (not flips)


def test_an_imbalance_gets_class_weights_and_its_numbers_in_the_reason(tmp_path):
    write_classes(tmp_path / "set", {"cat": 40, "owl": 10})
    text, config = proposal(tmp_path / "set")
    assert config.training.class_weights == "effective_number"
    assert "cat has 4 times as many images as owl." in text
    write_classes(tmp_path / "even", {"cat": 12, "owl": 10})
    assert proposal(tmp_path / "even")[1].training.class_weights is None


def test_splits_that_the_source_has_are_kept(tmp_path):
    for split in ("train", "val", "test"):
        write_classes(tmp_path / "all" / split, {"cat": 4, "owl": 4}, seed=len(split))
    assert "split:" not in proposal(tmp_path / "all")[0]
    for split in ("train", "test"):
        write_classes(tmp_path / "two" / split, {"cat": 8, "owl": 8}, seed=len(split))
    text, config = proposal(tmp_path / "two")
    assert "The source has its own test split. The other one is taken from train." in text
    assert config.data.split.validation == 0.2


def test_broken_files_and_tiny_classes_do_not_stop_the_first_training(tmp_path):
    write_classes(tmp_path / "set", {"cat": 12, "owl": 2})
    (tmp_path / "set" / "cat" / "broken.png").write_text("hello")
    text, config = proposal(tmp_path / "set")
    assert config.data.on_error == "skip"
    assert "1 of the opened images cannot be decoded" in text
    assert config.data.allow_missing_classes
    small = "Too few images for three splits, so all are used for training: owl."
    assert small in text.replace("\n  # ", " ")


def test_more_images_get_a_larger_net(tmp_path, monkeypatch):
    few = proposal(write_classes(tmp_path / "set", {"cat": 9, "owl": 9}))[1]
    monkeypatch.setattr("cnnkit.proposal.proposed_model.FEW", 10)
    many = proposal(tmp_path / "set")[1]
    count = [sum(call.name == "conv" for call in c.model.layers) for c in (few, many)]
    assert count == [3, 7]


@pytest.mark.parametrize(("side", "maps"), [(28, 8), (48, 3), (64, 4)])
def test_the_last_maps_of_a_small_net_have_room_for_places(tmp_path, side, maps):
    write_pictures(tmp_path / "set", [(side, side)])
    config = proposal(tmp_path / "set", from_scratch=True)[1]
    rows = summary_of_layers(config, 2, batch_size=1).rows
    (flat,) = [at for at, row in enumerate(rows) if row.kind == "Flatten"]
    assert rows[flat - 1].output_shape[:2] == (maps, maps)


def test_photographs_start_from_a_pretrained_network(tmp_path, monkeypatch):
    write_pictures(tmp_path / "set", [(90, 120), (120, 90)], each=6)
    text, config = proposal(tmp_path / "set")
    assert config.model.backbone.name == "EfficientNetLite0"
    assert [phase.train for phase in config.training.phases] == ["linear_probe", "all"]
    assert "The model starts from a network that was trained on a million photographs" in text
    assert (config.data.image_size, config.data.resize) == ((96, 96), "crop")
    monkeypatch.chdir(tmp_path)
    assert run_init("set", "--from-scratch").exit_code == 0
    assert "backbone" not in (tmp_path / "set.yaml").read_text()
    write_pictures(tmp_path / "tiny", [(20, 30)], each=6)
    assert proposal(tmp_path / "tiny")[1].model.backbone is None


def found(number, *splits, side=300, grey=False, from_scratch=False):
    """Return findings about two classes with `number` images together."""
    fact = ImageFacts(size=(side, side), is_grey=grey)
    counts = Counter(cat=number // 2, owl=number - number // 2)
    records = tuple(SimpleNamespace(split=split) for split in splits)
    return Findings(Source("set", records), "set", [fact], counts, from_scratch)


@pytest.mark.parametrize(
    ("findings", "validation", "monitor"),
    [
        (found(499), 0, "epoch"),
        (found(499, "train", "test"), 0, "epoch"),
        (found(500), 0.2, "val_loss"),
        (found(499, "train", "validation"), 0.2, "val_loss"),
        (found(499, side=20), 0.2, "val_loss"),  # a network that learns from scratch
    ],
)
def test_few_photographs_are_all_trained_on(findings, validation, monitor):
    for recipe in (best_recipe(findings), fastest_recipe(findings)):
        config = config_from_text(propose(findings, "set", recipe))
        assert (config.data.split.validation, config.data.split.test) == (validation, 0.2)
        assert config.training.monitor == monitor


@pytest.mark.parametrize(
    ("sizes", "resize"),
    [
        ([(96, 96)], "stretch"),
        ([(96, 120)], "stretch"),  # all alike, and nearly square
        ([(90, 120)], "crop"),
        ([(90, 120), (120, 90)], "crop"),
        ([(60, 180)], "pad"),  # a square would show a third of it
        ([(60, 180), (120, 90)], "pad"),
    ],
)
def test_images_for_a_pretrained_network_keep_their_proportions(tmp_path, sizes, resize):
    text, config = proposal(write_pictures(tmp_path / "set", sizes))
    assert config.model.backbone is not None
    assert config.data.resize == resize
    assert config.data.image_size == (96, 96) or min(map(min, sizes)) > 96


@pytest.mark.parametrize(
    ("side", "grey", "number", "expected"),
    [
        (300, False, 200, Recipe(224, 25, "EfficientNetLite2")),
        (300, False, 1_500, Recipe(224, 15, "EfficientNetLite2")),
        (300, False, 9_000, Recipe(224, 8)),
        (300, False, 15_000, Recipe(128, 5)),
        (300, False, 40_000, Recipe(128, 6)),
        (32, False, 45_000, Recipe(96, 6)),  # CIFAR-10
        (100, False, 1_000, Recipe(128, 15)),
        (28, True, 900, Recipe(96, 15)),
        (28, True, 60_000, Recipe(None, 30)),  # MNIST: a small network learns it from scratch
        (8, True, 1_797, Recipe(None, 60)),
        (20, False, 1_000, Recipe(None, 60)),
    ],
)
def test_size_and_epochs_follow_the_number_and_kind_of_images(side, grey, number, expected):
    findings = found(number, side=side, grey=grey)
    assert best_recipe(findings) == expected
    assert best_recipe(replace(findings, from_scratch=True)).side is None


@pytest.mark.parametrize(
    ("number", "epochs", "warmup"),
    [(1_000, 15, 1), (200, 25, 1), (100, 25, 2), (30, 25, 6), (30, 3, 1)],
)
def test_few_images_have_more_epochs_to_warm_up(number, epochs, warmup):
    config = config_from_text(propose(found(number), "set", Recipe(224, epochs)))
    assert config.training.phases[-1].warmup_epochs == warmup


@pytest.mark.parametrize(("number", "tta"), [(19_999, None), (20_000, "flips")])
def test_many_photographs_are_answered_with_their_mirror_images(number, tta):
    findings = found(number)
    assert config_from_text(propose(findings, "set", Recipe(96, 6))).model.tta == tta
    letters = replace(findings, class_counts=Counter(a=number, b=number))
    assert config_from_text(propose(letters, "set", Recipe(96, 6))).model.tta is None


@pytest.mark.parametrize(("side", "maps"), [(28, 31), (64, 32), (128, 32)])
def test_many_images_from_scratch_get_the_network_of_cifar10_fast(side, maps):
    findings = found(50_000, side=side, from_scratch=True)
    config = config_from_text(propose(findings, "set", Recipe(None, 30)))
    shipped = load_config(config_files()["cifar10_fast"])

    assert config.training.optimizer.name == "muon"
    assert config.data.batch_size == shipped.data.batch_size
    assert [call.name for call in config.model.layers] == [
        call.name for call in shipped.model.layers
    ]
    rows = summary_of_layers(config, 2, batch_size=1).rows
    # All maps of the first stage are about as large as those of CIFAR-10.
    assert rows[1].output_shape == (maps, maps, 16)


def run_init(*words):
    return CliRunner().invoke(main, ["init", *map(str, words)])


@pytest.mark.parametrize("kind", ["photos", "digits", "brought", "csv"])
def test_the_written_config_trains(tmp_path, monkeypatch, no_pictures, kind):
    monkeypatch.chdir(tmp_path)
    source = "photos"
    if kind == "photos":
        write_pictures(tmp_path / source, [(40, 60), (60, 40)], each=12)
        (tmp_path / source / "cat" / "broken.jpg").write_text("hello")
    elif kind == "digits":
        source = "digits"
    elif kind == "brought":
        for split in ("train", "validation", "test"):
            write_classes(tmp_path / source / split, {"a": 4, "b": 4}, seed=len(split))
    else:
        source = "photos.csv"
        paths = [write_image(tmp_path / f"{i}.png", seed=i) for i in range(24)]
        rows = [f"{path.name},{'cat' if i % 2 else 'owl'}" for i, path in enumerate(paths)]
        (tmp_path / source).write_text("\n".join(["path,label", *rows]))
    done = run_init(source, "--json")
    assert done.exit_code == 0, done.stderr
    file = json.loads(done.stdout)["config"]
    overrides = ["training.epochs=1"]
    if kind == "digits":  # a fifth of the 1,797 digits is enough
        overrides.append("data.split={validation: 0.4, test: 0.4}")
    run = cnnkit.train(file, overrides=overrides, runs_folder=tmp_path / "runs")
    assert run.info()["status"] == "finished"


def test_the_source_is_relative_to_the_config(tmp_path, monkeypatch):
    write_classes(tmp_path / "here" / "photos", {"cat": 5, "owl": 5})
    (tmp_path / "here" / "configs").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run_init("photos", "-o", "configs/mine.yaml").exit_code == 0
    assert "source: ../photos\n" in (tmp_path / "here" / "configs" / "mine.yaml").read_text()
    assert load_config("configs/mine.yaml").data.source == str(tmp_path / "here" / "photos")
    assert relative_source("digits", tmp_path / "a.yaml") == "digits"
    assert relative_source(str(tmp_path / "digits"), tmp_path / "a.yaml") == "./digits"


def test_names_that_yaml_would_read_as_something_else_are_quoted(tmp_path, monkeypatch):
    write_classes(tmp_path / "no", {"cat": 5, "owl": 5})
    monkeypatch.chdir(tmp_path)
    assert run_init("no").exit_code == 0
    assert load_config("no.yaml").data.source == str(tmp_path / "no")


def test_an_existing_config_is_not_replaced(tmp_path, monkeypatch):
    write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos.yaml").write_text("mine")
    done = run_init("photos")
    assert done.exit_code == 2
    assert "photos.yaml exists. Choose another --output, or add --overwrite." in done.stderr
    assert (tmp_path / "photos.yaml").read_text() == "mine"
    assert run_init("photos", "--overwrite").exit_code == 0


def test_a_folder_without_classes_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(file_bytes(Image.new("RGB", (4, 4))))
    done = run_init("photos")
    assert done.exit_code == 1
    assert "no class folders" in done.stderr
    assert not (tmp_path / "photos.yaml").exists()
