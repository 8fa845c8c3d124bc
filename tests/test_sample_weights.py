"""`data.weight_column`: how much each image counts, from the file to the gradient."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from conftest import write_tiny_images
from training_commands import weights_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.data.dataset import load_dataset
from cnnkit.errors import DataError, UsageError
from cnnkit.progress import Report

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data:
  source: images.csv
  image_size: 16
  batch_size: 8
  weight_column: sureness
  split: {validation: 0.2, test: 0.2}
model: {layers: [{conv: {filters: 4, kernel_size: 3, activation: relu}}, global_pool]}
training: {epochs: 2, tensorboard: false, optimizer: {sgd: {learning_rate: 0.5}}}
"""


def _write_table(folder, weights, name="images.csv", **columns):
    """Write the images with their weights, which repeat; other columns have one text for all."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("images/*/*"))
    rows = [
        {"path": p, "label": p.split("/")[1], "sureness": weights[i % len(weights)], **columns}
        for i, p in enumerate(paths)
    ]
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return paths


def _rows(folder):
    return list(csv.DictReader((folder / "images.csv").read_text().splitlines()))


@pytest.fixture
def folder(tmp_path):
    write_tiny_images(tmp_path / "images", images_per_class=12)
    _write_table(tmp_path, [0.25, 1, 3, 0, 0.5])
    (tmp_path / "config.yaml").write_text(_CONFIG)
    return tmp_path


def test_training_equals_that_of_keras_with_sample_weight(folder):
    """The same batches in the same order, and the product of class weight and own weight."""
    from cnnkit.data.order import epoch_order
    from cnnkit.training.plan import prepare

    names = sorted(path.name for path in (folder / "images").iterdir())
    overrides = [f"training.class_weights={{{names[1]}: 2}}"]
    run = cnnkit.train(folder / "config.yaml", overrides=overrides, runs_folder=folder / "runs")
    plan = prepare(load_config(folder / "config.yaml", overrides), Report())
    model, _ = plan.phases[0].start(plan.model, Report())
    dataset = plan.dataset
    train = dataset.select("train")
    rows = {row["path"]: float(row["sureness"]) for row in _rows(folder)}
    own = np.array([rows[sample.path] for sample in dataset.samples])
    weights = own * np.array([1, 2, 1])[dataset.labels]
    for epoch in range(2):
        order = epoch_order(train, dataset.labels[train], seed=0, epoch=epoch).samples
        targets = np.eye(3, dtype="float32")[dataset.labels[order]]
        model.fit(
            dataset.pixels(order),
            targets,
            sample_weight=weights[order].astype("float32"),
            batch_size=8,
            shuffle=False,
            verbose=0,
        )
    pairs = list(zip(weights_of(run, "last"), model.get_weights(), strict=True))
    assert all(np.allclose(*pair, atol=1e-6) for pair in pairs)
    plain = cnnkit.train(
        folder / "config.yaml",
        overrides=[*overrides, "data.weight_column=null"],
        runs_folder=folder / "runs",
    )
    assert not np.allclose(weights_of(plain, "last")[0], pairs[0][0], atol=1e-3)
    recorded = run.info()["data"]["weights"]
    assert recorded["mean"] == pytest.approx(own[train].mean())
    assert (recorded["min"], recorded["max"]) == (0, 3)
    assert plain.info()["data"]["weights"] is None


def _refusal(folder, *overrides):
    with pytest.raises((DataError, UsageError)) as caught:
        load_dataset(load_config(folder / "config.yaml", overrides).data)
    return str(caught.value)


def test_weights_that_are_none_are_named_with_their_lines(folder):
    paths = _write_table(folder, ["1", "-0.5", "", "nan", "heavy", "inf", "1e-3", "0"])
    text = _refusal(folder)
    assert f"line 3: the sureness of {paths[1]} is '-0.5', expected a number of at least 0" in text
    assert f"line 4: {paths[2]} has no sureness; write 1 for an image that counts" in text
    assert f"line 5: the sureness of {paths[3]} is 'nan'" in text
    assert "is 'heavy'" in text and "is 'inf'" in text
    assert "line 2:" not in text and "line 8:" not in text and "line 9:" not in text


def test_json_lines_have_weights_too(folder):
    paths = [row["path"] for row in _rows(folder)]
    weights = [2, 0.5, 0, -1, None, float("nan"), True, "1"]

    def write(chosen):
        lines = [
            json.dumps({"path": p, "label": p.split("/")[1], "sureness": chosen[i % len(chosen)]})
            for i, p in enumerate(paths)
        ]
        (folder / "images.jsonl").write_text("\n".join(lines))

    write(weights[:3])
    source = "data.source=images.jsonl"
    dataset = load_dataset(load_config(folder / "config.yaml", [source]).data)
    by_path = dict(zip((sample.path for sample in dataset.samples), dataset.weights, strict=True))
    assert [by_path[path] for path in paths[:4]] == [2, 0.5, 0, 2]
    write(weights)
    text = _refusal(folder, source)
    assert "line 4: the sureness of" in text and "is '-1', expected a number" in text
    assert f"line 5: {paths[4]} has no sureness" in text
    assert "line 6: sureness is NaN, which stands for a missing value" in text
    assert "line 7: sureness is true, expected a text or a number" in text


def test_a_column_that_is_not_there_or_cannot_be_is_refused(folder):
    text = _refusal(folder, "data.weight_column=sureness_")
    assert "has no column sureness_, which data.weight_column names. Did you mean sureness?" in text
    assert "Its columns: path, label, sureness." in text
    assert "`cnnkit data split FOLDER` writes" in _refusal(folder, "data.source=images")
    assert "has a meaning of its own" in _refusal(folder, "data.weight_column=label")
    _write_table(folder, ["0"])
    with pytest.raises(UsageError, match="sureness is 0 for all training images"):
        cnnkit.train(folder / "config.yaml", runs_folder=folder / "runs")
    assert not (folder / "runs").exists()


def test_the_weights_stay_with_the_images_in_splits_and_folds(folder):
    from cnnkit.data.split.division import divide, divide_into_folds

    data = load_config(folder / "config.yaml").data
    expected = {s.sha256: s.weight for s in load_dataset(data).samples}
    divide(data, folder / "split.csv", note=str)
    divide(data, folder / "split.csv", note=str)  # again: it is recognised as a manifest
    divisions = divide_into_folds(data, folder / "folds.csv", 2, note=str)
    for file in (folder / "split.csv", *(each.file for each in divisions)):
        moved = data.model_copy(update={"source": str(file)})
        assert {s.sha256: s.weight for s in load_dataset(moved).samples} == expected


def test_a_training_is_not_resumed_with_other_weights_unless_they_may_change(folder):
    whole = cnnkit.train(
        folder / "config.yaml",
        name="whole",
        overrides=["training.epochs=4"],
        runs_folder=folder / "runs",
    )
    run = cnnkit.train(folder / "config.yaml", name="begun", runs_folder=folder / "runs")
    more = ["training.epochs=4"]
    before = (folder / "images.csv").read_text()
    _write_table(folder, [1, 2])
    with pytest.raises(DataError, match=r"\(sureness\) have changed .* data.weight_column"):
        cnnkit.resume(run.folder, overrides=more)
    (folder / "images.csv").write_text(before)
    resumed = cnnkit.resume(run.folder, overrides=more)
    pairs = zip(weights_of(resumed, "last"), weights_of(whole, "last"), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    _write_table(folder, [1, 2])
    changed = cnnkit.resume(
        run.folder, overrides=["training.epochs=5"], allow_changed=["data.weight_column"]
    )
    assert changed.info()["changed"][-1]["key"] == "data.weight_column"


def test_a_linear_probe_on_kept_features_is_fitted_with_the_weights(folder):
    from sklearn.linear_model import LogisticRegression

    from cnnkit.training.linear_probe import fit_probe
    from cnnkit.training.plan import prepare

    cnnkit.train(folder / "config.yaml", name="start", runs_folder=folder / "runs")
    probe = _CONFIG.replace(
        _CONFIG[_CONFIG.index("model:") : _CONFIG.index("training:")],
        "model: {backbone: {run: runs/start}}\n",
    )
    probe = probe.replace("tensorboard: false", "phases: [{train: linear_probe}]")
    probe = probe.replace(
        "training: {epochs: 2,", "augmentation: [random_flip]\ntraining: {feature_views: 2,"
    )
    (folder / "probe.yaml").write_text(probe)
    plan = prepare(load_config(folder / "probe.yaml"), Report())
    head, batches = plan.phases[0].start(plan.model, Report())
    features, labels = batches.arrays("train")
    train = plan.dataset.select("train")
    assert batches.weights().tolist() == np.tile(plan.dataset.weights[train], 2).tolist()
    notes = []
    report = Report()
    report.note = notes.append
    fit_probe(head, batches, report, lambda: None)
    strength = float(notes[-1].split("C = ")[1].split()[0])
    deviation = features.std(axis=0)
    deviation[deviation < 1e-6] = 1
    scaled = (features - features.mean(axis=0)) / deviation
    found = LogisticRegression(C=strength, max_iter=1000)
    found.fit(scaled, labels, sample_weight=batches.weights())
    answers = np.asarray(head(features))
    assert np.allclose(answers, found.predict_proba(scaled), atol=1e-3)
    found.fit(scaled, labels)
    assert not np.allclose(answers, found.predict_proba(scaled), atol=1e-2)


def test_a_diagnosis_takes_the_mean_weight_out_of_the_training_loss(folder):
    from cnnkit.training.diagnosis.evidence import read_evidence, read_history

    _write_table(folder, ["10"])
    run = cnnkit.train(folder / "config.yaml", runs_folder=folder / "runs")
    rows, curves = read_history(run), read_evidence(run).phases[0]
    assert curves.train_loss == pytest.approx([row["train_loss"] / 10 for row in rows])
