"""Heads that are trained on features: cached ones, and ones computed in every epoch."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import write_tiny_images
from transfer_runs import DATA, changed, weights

import cnnkit
from cnnkit.backend import tf
from cnnkit.config import config_from_text
from cnnkit.data.dataset import load_dataset
from cnnkit.errors import CnnkitError
from cnnkit.training.phase_features import ComputedFeatureBatches
from cnnkit.training.phase_images import ImageBatches

pytest_plugins = ["transfer_fixtures"]


def test_a_backbone_that_does_not_learn_stays_bit_for_bit(folder, transfer):
    notes = []
    run = transfer("{epochs: 20, optimizer: {adam: {learning_rate: 0.1}}}", notes=notes)
    for layer in ("first", "norm", "second"):
        assert not any(changed(run, folder, layer))
    assert run.info()["metrics"]["test"]["accuracy"] == 1.0
    assert any("phase 1/1, head: training 21 parameters on cached features" in n for n in notes)
    again = []
    same = transfer("{epochs: 20, optimizer: {adam: {learning_rate: 0.1}}}", notes=again)
    assert not any("new" in note for note in again if note.startswith("phase"))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(weights(run.best).values(), weights(same.best).values(), strict=True)
    )


def test_cached_features_give_the_weights_that_features_computed_in_every_epoch_give(transfer):
    training = "{epochs: 3, optimizer: {sgd: {learning_rate: 0.1}}"
    kept = weights(transfer(training + "}").last)
    in_loop = weights(transfer(training + ", feature_cache: false}").last)
    for name, value in kept.items():
        assert np.allclose(value, in_loop[name], atol=1e-5), name


def _cached(folder):
    return sorted((folder / "features").glob("[0-9a-f]*"))


def test_the_graph_of_the_backbone_is_built_once_for_all_epochs(folder):
    config = config_from_text(f"{DATA}\nmodel: {{layers: [flatten]}}", folder=folder)
    batches = ImageBatches(config, load_dataset(config.data))
    built = []

    def extractor(images, *, training):
        built.append(images.shape)
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2))

    computed = ComputedFeatureBatches(batches, extractor)
    for epoch in range(3):
        for features, _ in computed.training(epoch):
            assert features.shape[1:] == (3,)
        assert len(list(computed.validation()))
    assert len(built) == len(set(built)) <= 2


def test_features_are_cached_by_content_and_computed_once(folder, transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    notes = []
    transfer("{epochs: 1}", notes=notes)
    (line,) = [note for note in notes if note.startswith("phase")]
    assert line.endswith("on cached features (30 newly computed)")  # 36 images, 6 of them test
    arrays = [np.load(each / "features.npy") for each in _cached(tmp_path / "cache")]
    assert sorted(array.shape for array in arrays) == [(6, 6), (24, 6)]
    more = tmp_path / "more"
    write_tiny_images(more, images_per_class=12)
    (more / "red" / "0.png").write_bytes((folder / "others" / "red" / "0.png").read_bytes())
    transfer("{epochs: 1}", data=DATA.replace("images,", f"{more},"), notes=notes)
    (line,) = [note for note in notes if note.startswith("phase")][1:]
    assert line.endswith((" (1 newly computed)", "on cached features"))


def test_cached_features_are_listed_and_cleared(transfer, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from cnnkit.cli import main

    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    transfer("{epochs: 1}")
    listed = json.loads(CliRunner().invoke(main, ["cache", "list", "--json"]).stdout)["entries"]
    kept = [entry for entry in listed if entry["kind"] == "features"]
    assert sorted(entry["images"] for entry in kept) == [6, 24]
    assert kept[0]["features"]["shape"][1:] == [6]
    assert "6 of run" in CliRunner().invoke(main, ["cache", "list"]).stdout
    done = CliRunner().invoke(main, ["cache", "clear", "features", "--yes"])
    assert done.stdout.startswith("Removed 2 entries ")
    assert _cached(tmp_path / "cache") == []


def test_the_least_recently_used_features_are_removed_first(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    first = None
    for resize in ("stretch", "crop", "pad"):
        data = DATA.replace("batch", f"resize: {resize}, cache_limit_gb: 5.0e-6, batch")
        notes = []
        transfer("{epochs: 1}", data=data, notes=notes)
        kept = set(_cached(tmp_path / "cache"))
        first = first or kept
        assert sum(file.stat().st_size for each in kept for file in each.iterdir()) < 5000
    assert kept and not kept & first
    assert any("least recently used" in note and "features" in note for note in notes)


def test_a_damaged_file_of_features_is_computed_again(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    first = weights(transfer("{epochs: 2}").last)
    for each in _cached(tmp_path / "cache"):
        file = each / "features.npy"
        data = bytearray(file.read_bytes())
        data[-5] ^= 64
        file.write_bytes(data)
    notes = []
    again = weights(transfer("{epochs: 2}", notes=notes).last)
    assert any("(30 newly computed)" in note for note in notes)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_a_probe_and_a_head_have_the_same_features(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    notes = []
    phases = "[{train: linear_probe}, {train: head, epochs: 1}]"
    transfer(f"{{phases: {phases}}}", ", head: [dropout: 0.5]", notes=notes)
    probe, head = [note for note in notes if note.startswith("phase")]
    assert probe.endswith("on cached features (30 newly computed)")
    assert head.endswith("on cached features")


def test_mixing_that_does_nothing_on_features_is_reported(transfer):
    notes = []
    data = DATA + "\naugmentation: [mixup: 0.2]"
    transfer("{epochs: 1}", data=data, notes=notes)
    assert sum("mixup mixes pixels, so it does nothing" in note for note in notes) == 1
    assert not any("feature_views" in note for note in notes)


def test_features_of_another_model_are_detected(folder, transfer, tmp_path, monkeypatch):
    from cnnkit.model.loading import load_keras_model

    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    assert transfer("{epochs: 1}").info()["feature_difference"] < 1e-5
    monkeypatch.setattr("cnnkit.training.backbone_features._fingerprint", lambda *_: "all alike")
    transfer("{epochs: 1}")
    other = load_keras_model(folder / "runs/start/weights/best.keras")
    other.set_weights([2 * value for value in other.get_weights()])
    other.save(tmp_path / "other.keras")
    config = tmp_path / "other.yaml"
    data = DATA.replace("images", str(folder / "images"))
    config.write_text(f"{data}\nmodel: {{backbone: {{file: other.keras}}}}\n")
    with pytest.raises(CnnkitError, match="gives other probabilities than the whole model"):
        cnnkit.train(config, runs_folder=tmp_path, overrides=["training.epochs=1"])


def test_views_are_augmented_and_take_turns(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    data = DATA + "\naugmentation: [random_flip: horizontal, random_contrast: 0.5]"
    notes = []
    transfer("{epochs: 4, feature_views: 2}", data=data, notes=notes)
    assert any("on cached features of 2 views (54 newly computed)" in n for n in notes), notes
    plain = []
    transfer("{epochs: 1}", data=data, notes=plain)
    assert any(
        "its features are computed once, from the images without augmentation" in note
        for note in plain
    )
