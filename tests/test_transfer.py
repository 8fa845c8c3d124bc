"""Backbones from runs and files, phases, features that are kept: real tiny trainings."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from conftest import write_tiny_images

import cnnkit
from cnnkit.config import config_from_dict, config_from_text, dump_config, load_config
from cnnkit.errors import CnnkitError, ConfigError, UsageError

_LAYERS = """
  layers:
    - conv: {filters: 4, kernel_size: 3, name: first}
    - batch_norm: {momentum: 0.5, name: norm}
    - activation: relu
    - conv: {filters: 6, kernel_size: 3, activation: relu, name: second}
    - global_pool
"""
_DATA = "data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with images, and a run to start from that was trained on others."""
    folder = tmp_path_factory.mktemp("transfer")
    write_tiny_images(folder / "others", seed=5)
    write_tiny_images(folder / "images", images_per_class=12)
    data = "data: {source: others, image_size: 16, batch_size: 8}"
    (folder / "start.yaml").write_text(f"{data}\nmodel:{_LAYERS}training: {{epochs: 3}}\n")
    cnnkit.train(folder / "start.yaml", runs_folder=folder / "runs")
    return folder


@pytest.fixture
def transfer(folder, tmp_path):
    """Return a function that trains from the run, with some training section."""

    def train(training, model="", data=_DATA, notes=None):
        name = f"config{len(list(folder.glob('*.yaml')))}"
        path = folder / f"{name}.yaml"
        path.write_text(
            f"{data}\nmodel: {{backbone: {{run: runs/start}}{model}}}\ntraining: {training}\n"
        )
        from cnnkit.progress import Report
        from cnnkit.training import train as train_config

        report = Report()
        report.note = (notes if notes is not None else []).append
        return train_config(load_config(path), name=name, runs_folder=tmp_path, report=report)

    return train


def _weights(path):
    from cnnkit.model.loading import load_keras_model

    variables = load_keras_model(path).variables  # states of random numbers are not saved
    return {v.path: v.numpy() for v in variables if "seed_generator" not in v.path}


def _of(path, layer):
    return [value for name, value in _weights(path).items() if f"{layer}/" in f"/{name}"]


def _changed(run, folder, layer):
    before = _of(folder / "runs" / "start" / "weights" / "best.keras", layer)
    after = _of(run.last, layer)
    assert len(before) == len(after) > 0
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def _history(run):
    with run.history.open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


# --- what learns


def test_a_backbone_that_does_not_learn_stays_bit_for_bit(folder, transfer):
    notes = []
    run = transfer("{epochs: 20, optimizer: {adam: {learning_rate: 0.1}}}", notes=notes)
    for layer in ("first", "norm", "second"):
        assert not any(_changed(run, folder, layer))
    assert run.info()["metrics"]["test"]["accuracy"] == 1.0
    assert any("phase 1/1, head: 21 parameters learn from cached features" in n for n in notes)
    again = []
    same = transfer("{epochs: 20, optimizer: {adam: {learning_rate: 0.1}}}", notes=again)
    assert not any("new" in note for note in again if note.startswith("phase"))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(_weights(run.best).values(), _weights(same.best).values(), strict=True)
    )


def test_kept_features_give_the_weights_that_the_backbone_in_the_loop_gives(transfer):
    training = "{epochs: 3, optimizer: {sgd: {learning_rate: 0.1}}"
    kept = _weights(transfer(training + "}").last)
    in_loop = _weights(transfer(training + ", feature_cache: false}").last)
    for name, value in kept.items():
        assert np.allclose(value, in_loop[name], atol=1e-5), name


@pytest.mark.parametrize(
    ("train", "learns"),
    [
        ("all", ["first", "norm", "second"]),
        ("{last_layers: 1}", ["second"]),
        ("{backbone_from: norm}", ["norm", "second"]),
        ("{gradual: 3}", ["first", "norm", "second"]),
    ],
)
def test_what_a_phase_names_learns_and_nothing_else(folder, transfer, train, learns):
    phase = f"{{train: {train}, epochs: 3, optimizer: {{sgd: {{learning_rate: 0.1}}}}}}"
    run = transfer(f"{{monitor: train_loss, phases: [{phase}]}}")
    for layer in ("first", "norm", "second"):
        changed = _changed(run, folder, layer)
        if layer not in learns:
            assert not any(changed), layer
        elif layer == "norm":
            assert not any(changed)  # it would have to learn new averages
        else:
            assert all(changed), layer


def test_averages_of_batch_normalisation_learn_where_a_phase_says_so(folder, transfer):
    phases = "[{train: all, epochs: 1}, {train: all, epochs: 1, batch_norm: training}]"
    run = transfer(f"{{monitor: train_loss, phases: {phases}}}")
    assert _changed(run, folder, "norm") == [True] * 4
    run = transfer("{phases: [{train: {last_layers: 1}, batch_norm: training, epochs: 1}]}")
    assert _changed(run, folder, "norm") == [False] * 4


def test_fine_tune_is_two_phases(folder, transfer):
    run = transfer("{epochs: 2, fine_tune: true, optimizer: {sgd: {learning_rate: 0.1}}}")
    rows = _history(run)
    assert [row["phase"] for row in rows] == [1, 1, 2, 2]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert not any(_changed(run, folder, "norm"))
    assert all(_changed(run, folder, "first"))


def test_a_phase_begins_with_the_best_weights_and_keeps_the_best_of_all(transfer):
    """The second phase throws everything away; the run's best weights are those of the first."""
    wild = "{train: all, epochs: 2, optimizer: {sgd: {learning_rate: 30, clipnorm: 1}}}"
    run = transfer(
        f"{{phases: [{{train: linear_probe}}, {wild}, {{train: head, epochs: 1, "
        "optimizer: {sgd: {learning_rate: 1.0e-9}}}]}"
    )
    rows = _history(run)
    assert run.info()["best_epoch"] == 1
    assert min(row["val_loss"] for row in rows[1:3]) > 3 * rows[0]["val_loss"]
    assert rows[3]["val_loss"] == pytest.approx(rows[0]["val_loss"], rel=1e-4)


def test_schedules_and_early_stopping_begin_anew_in_each_phase(transfer):
    training = (
        "{schedule: cosine, optimizer: {sgd: {learning_rate: 1.0}}, early_stopping: {patience: 1}, "
        "phases: [{train: head, epochs: 3, early_stopping: {patience: 9}}, "
        "{train: head, epochs: 9, optimizer: {sgd: {learning_rate: 1.0e-12}}}]}"
    )
    rows = _history(transfer(training))
    assert [row["phase"] for row in rows][:4] == [1, 1, 1, 2]
    assert rows[0]["learning_rate"] > rows[2]["learning_rate"]
    assert len(rows) <= 3 + 3  # nothing improves with such a rate


def test_multiples_of_the_learning_rate_are_exact():
    from cnnkit.backend import keras, tf
    from cnnkit.config import Call
    from cnnkit.model.build_model import build_optimizer

    variables = [keras.Variable(np.zeros(2, np.float32), name=name) for name in "abc"]
    multiples = {variables[1].path: 0.5, variables[2].path: 0.125}
    optimizer = build_optimizer(Call("sgd", {"learning_rate": 0.1}), multiples)
    optimizer.apply([tf.constant([1.0, -2.0])] * 3, variables)
    for variable, multiple in zip(variables, (1, 0.5, 0.125), strict=True):
        expected = np.array([-0.1, 0.2], np.float32) * np.float32(multiple)
        assert np.allclose(variable.numpy(), expected, rtol=1e-6)


def test_weight_decay_has_the_multiple_of_its_layer():
    from cnnkit.backend import keras, tf
    from cnnkit.config import Call
    from cnnkit.model.build_model import build_optimizer

    variables = [keras.Variable(np.ones(2, np.float32), name=name) for name in "abc"]
    multiples = {variables[1].path: 0.5, variables[2].path: 0.0}
    call = Call("adamw", {"learning_rate": 0.1, "weight_decay": 0.2})
    optimizer = build_optimizer(call, multiples)
    apply = tf.function(lambda: optimizer.apply([tf.zeros(2)] * 3, variables))
    optimizer.build(variables)
    apply()
    decayed = [variable.numpy()[0] for variable in variables]
    assert decayed == pytest.approx([1 - 0.1 * 0.2, 1 - 0.1 * 0.2 * 0.5, 1.0], rel=1e-6)


def test_layers_further_from_the_output_learn_more_slowly(folder):
    from cnnkit.config import Config
    from cnnkit.model.build_model import build_model
    from cnnkit.training.learning_layers import learning_layers
    from cnnkit.training.phases import phases_of

    phase = "{train: all, epochs: 1, backbone_multiplier: 0.1, layer_decay: 0.5}"
    text = f"{_DATA}\nmodel: {{backbone: {{run: runs/start}}}}\ntraining: {{phases: [{phase}]}}"
    config: Config = config_from_text(text, folder=folder)
    model = build_model(config, 3)
    (phase,) = phases_of(config)
    found = learning_layers(model, phase).rate_multiples()
    by_layer = {path.split("/")[-2]: value for path, value in found.items()}
    assert by_layer == pytest.approx({"second": 0.1, "first": 0.025})  # norm lies between


# --- the linear probe


def test_the_probe_is_the_logistic_regression_of_scikit_learn(folder, transfer):
    from sklearn.linear_model import LogisticRegression

    from cnnkit.data.dataset import load_dataset
    from cnnkit.model.loading import load_keras_model

    notes = []
    run = transfer("{phases: [{train: linear_probe}]}", notes=notes)
    (strength,) = [float(n.split("= ")[1]) for n in notes if n.startswith("linear probe: C")]
    dataset = load_dataset(load_config(run.config).data)
    model = load_keras_model(run.best)
    backbone = model.get_layer("backbone")
    indices = dataset.select("train")
    rows = backbone(dataset.pixels(indices), training=False).numpy()
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    plain = LogisticRegression(C=strength, max_iter=1000).fit(scaled, dataset.labels[indices])
    ours = model(dataset.pixels(indices), training=False).numpy()
    assert np.allclose(ours, plain.predict_proba(scaled), atol=2e-4)
    assert [row["learning_rate"] for row in _history(run)] == [0.0]


def test_the_probe_of_two_classes_fits_softmax_and_sigmoid(folder, transfer):
    data = _DATA.replace("batch_size", "classes: [blue, red], batch_size")
    runs = [
        transfer("{phases: [{train: linear_probe}]}", model, data)
        for model in ("", ", output: sigmoid")
    ]
    losses = [run.info()["metrics"]["test"]["log_loss"] for run in runs]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert runs[0].info()["metrics"]["test"]["accuracy"] == 1.0


# --- features that are kept


def _kept(folder):
    return sorted((folder / "features").glob("[0-9a-f]*"))


def test_features_are_kept_by_content_and_computed_once(folder, transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    notes = []
    transfer("{epochs: 1}", notes=notes)
    (line,) = [note for note in notes if note.startswith("phase")]
    assert line.endswith("from cached features, 30 of them new")  # 36 images, 6 of them test
    arrays = [np.load(each / "features.npy") for each in _kept(tmp_path / "cache")]
    assert sorted(array.shape for array in arrays) == [(6, 6), (24, 6)]
    more = tmp_path / "more"
    write_tiny_images(more, images_per_class=12)
    (more / "red" / "0.png").write_bytes((folder / "others" / "red" / "0.png").read_bytes())
    transfer("{epochs: 1}", data=_DATA.replace("images,", f"{more},"), notes=notes)
    (line,) = [note for note in notes if note.startswith("phase")][1:]
    assert line.endswith((", 1 of them new", "from cached features"))


def test_kept_features_are_listed_and_cleared(transfer, tmp_path, monkeypatch):
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
    assert done.stdout.startswith("Removed 2, ")
    assert _kept(tmp_path / "cache") == []


def test_features_that_were_not_used_for_longest_make_way(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    first = None
    for resize in ("stretch", "crop", "pad"):
        data = _DATA.replace("batch", f"resize: {resize}, cache_limit_gb: 5.0e-6, batch")
        notes = []
        transfer("{epochs: 1}", data=data, notes=notes)
        kept = set(_kept(tmp_path / "cache"))
        first = first or kept
        assert sum(file.stat().st_size for each in kept for file in each.iterdir()) < 5000
    assert kept and not kept & first
    assert any("least recently used" in note and "features" in note for note in notes)


def test_a_damaged_file_of_features_is_computed_again(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    first = _weights(transfer("{epochs: 2}").last)
    for each in _kept(tmp_path / "cache"):
        file = each / "features.npy"
        data = bytearray(file.read_bytes())
        data[-5] ^= 64
        file.write_bytes(data)
    notes = []
    again = _weights(transfer("{epochs: 2}", notes=notes).last)
    assert any("30 of them new" in note for note in notes)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_a_probe_and_a_head_have_the_same_features(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    notes = []
    phases = "[{train: linear_probe}, {train: head, epochs: 1}]"
    transfer(f"{{phases: {phases}}}", ", head: [dropout: 0.5]", notes=notes)
    probe, head = [note for note in notes if note.startswith("phase")]
    assert probe.endswith("from cached features, 30 of them new")
    assert head.endswith("from cached features")


def test_mixing_that_does_not_act_on_features_is_told(transfer):
    notes = []
    data = _DATA + "\naugmentation: [mixup: 0.2]"
    transfer("{epochs: 1}", data=data, notes=notes)
    assert sum("mixup mixes pixels, so it does nothing" in note for note in notes) == 1
    assert not any("feature_views" in note for note in notes)


def test_features_of_another_model_are_found_out(folder, transfer, tmp_path, monkeypatch):
    from cnnkit.model.loading import load_keras_model

    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    assert transfer("{epochs: 1}").info()["feature_difference"] < 1e-5
    monkeypatch.setattr("cnnkit.training.backbone_features._fingerprint", lambda *_: "all alike")
    transfer("{epochs: 1}")
    other = load_keras_model(folder / "runs/start/weights/best.keras")
    other.set_weights([2 * value for value in other.get_weights()])
    other.save(tmp_path / "other.keras")
    config = tmp_path / "other.yaml"
    data = _DATA.replace("images", str(folder / "images"))
    config.write_text(f"{data}\nmodel: {{backbone: {{file: other.keras}}}}\n")
    with pytest.raises(CnnkitError, match="gives other probabilities than the whole model"):
        cnnkit.train(config, runs_folder=tmp_path, overrides=["training.epochs=1"])


def test_pooling_in_two_ways_is_a_head(folder, tmp_path):
    config = folder / "pooled.yaml"
    config.write_text(
        f"{_DATA}\nmodel:\n  backbone: {{run: runs/start, layer: second}}\n"
        "  head: [branches: [[global_pool: average], [global_pool: max]]]\n"
    )
    run = cnnkit.train(config, runs_folder=tmp_path, overrides=["training.epochs=1"])
    assert run.info()["status"] == "finished" and run.info()["feature_difference"] < 1e-5


def test_views_are_augmented_and_take_turns(transfer, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    data = _DATA + "\naugmentation: [random_flip: horizontal, random_contrast: 0.5]"
    notes = []
    transfer("{epochs: 4, feature_views: 2}", data=data, notes=notes)
    assert any("from cached features of 2 views, 54 of them new" in n for n in notes), notes
    plain = []
    transfer("{epochs: 1}", data=data, notes=plain)
    assert any(
        "its features are computed once, from the images without augmentation" in note
        for note in plain
    )


# --- files


def test_a_file_of_keras_is_a_backbone_cut_at_a_layer(folder, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.model.build_model import build_model

    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(5, 3, activation="relu", name="maps")(image)
    rows = keras.layers.Dense(4, activation="relu", name="rows")(keras.layers.Flatten()(maps))
    plain = keras.Model(image, keras.layers.Dense(7, activation="softmax")(rows))
    plain.save(tmp_path / "plain.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    for layer, values in ((None, pixels / 127.5 - 1), ("maps", pixels / 127.5 - 1)):
        backbone = {"file": str(tmp_path / "plain.keras"), "value_range": [-1, 1]}
        backbone |= {"layer": layer} if layer else {}
        model = {"backbone": backbone, "head": ["flatten"]}
        config = config_from_dict(
            {"data": {"source": "digits", "image_size": 16}, "model": model}, folder=folder
        )
        ours = build_model(config, 3).get_layer("backbone")(pixels, training=False)
        wanted = keras.Model(image, rows if layer is None else maps)(values.astype(np.float32))
        assert np.allclose(ours, wanted, atol=1e-5)


def _refusal(folder, **backbone):
    from cnnkit.model.build_model import build_model

    data = {"source": "digits", "image_size": 16}
    config = config_from_dict({"data": data, "model": {"backbone": backbone}}, folder=folder)
    with pytest.raises(UsageError) as caught:
        build_model(config, 3)
    return str(caught.value)


def test_a_backbone_that_does_not_fit_says_why(folder, tmp_path):
    assert "there is no file" in _refusal(folder, file="nowhere.keras")
    assert "has no weights/best.keras" in _refusal(folder, run="images")
    (tmp_path / "text.keras").write_text("hello")
    assert "cannot be loaded" in _refusal(folder, file=str(tmp_path / "text.keras"))
    raw = "runs/start/weights/best.keras"
    assert "takes raw pixels" in _refusal(folder, file=raw, value_range=[0, 1])
    text = _refusal(folder, run="runs/start", layer="secund")
    assert "no layer secund. Did you mean second?" in text
    data = {"source": "digits", "image_size": 20}
    model = {"backbone": {"run": "runs/start"}}
    config = config_from_dict({"data": data, "model": model}, folder=folder)
    from cnnkit.model.build_model import build_model

    with pytest.raises(UsageError, match=r"takes images of 16 x 16 x 3, but .* give 20 x 20 x 3"):
        build_model(config, 3)


def test_a_file_that_is_no_model_of_keras_3_is_named_for_what_it_is(folder, tmp_path):
    import h5py

    (tmp_path / "a.txt").write_text("hello")
    assert "neither a .keras nor an .h5 file" in _refusal(folder, file=str(tmp_path / "a.txt"))
    (tmp_path / "a.h5").write_text("hello")
    assert "cannot be read" in _refusal(folder, file=str(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    assert "has only weights and no layers" in _refusal(folder, file=str(tmp_path / "weights.h5"))


def test_a_model_of_keras_2_is_told_the_way(folder, shared_data):
    file = shared_data / "models" / "keras2_mlperf_tiny_vww_96_mobilenet025.h5"
    text = _refusal(folder, file=str(file))
    assert "was saved by Keras 2" in text and f"load_model('{file}', compile=False)" in text


def test_the_validation_loss_has_no_penalties_so_that_phases_compare(folder, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.data.dataset import load_dataset
    from cnnkit.model.loading import load_keras_model

    penalty = "kernel_regularizer: {l2: 0.5}"
    layers = _LAYERS.replace("name: second", f"name: second, {penalty}")
    data = "data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2}}"
    (folder / "heavy.yaml").write_text(f"{data}\nmodel:{layers}")
    heavy = cnnkit.train(
        folder / "heavy.yaml", runs_folder=tmp_path, overrides=["training.epochs=1"]
    )
    config = folder / "onheavy.yaml"
    config.write_text(
        f"{data}\nmodel: {{backbone: {{run: {heavy.folder}}}}}\n"
        "training: {epochs: 1, label_smoothing: 0.1, phases: [{train: head}, {train: all}]}"
    )
    run = cnnkit.train(config, runs_folder=tmp_path)
    dataset = load_dataset(load_config(run.config).data)
    chosen = dataset.select("validation")
    targets = np.eye(3)[dataset.labels[chosen]]
    for trained, smoothing in ((heavy, 0.0), (run, 0.1)):
        probabilities = load_keras_model(trained.last)(dataset.pixels(chosen), training=False)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)(
            targets, probabilities
        )
        assert _history(trained)[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-4)
        assert _history(trained)[-1]["train_loss"] > float(loss) + 0.5  # the penalty is in it


def test_more_last_layers_than_there_are_is_refused_before_the_run_begins(transfer, tmp_path):
    with pytest.raises(UsageError, match="last_layers is 9, but the backbone has 3 layers with"):
        transfer("{phases: [{train: {last_layers: 9}}]}")


def test_a_phase_that_names_no_layer_is_refused_before_the_run_begins(transfer, tmp_path):
    with pytest.raises(UsageError, match=r"no layer secund. Did you mean second\?"):
        transfer("{phases: [{train: {backbone_from: secund}}]}")
    assert not list(tmp_path.glob("config*"))


# --- the config


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
            "fine_tune stands for two phases",
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
def test_what_does_not_go_together_is_told_with_its_place(model, training, line):
    text = f"data: {{source: digits, image_size: 32}}\nmodel: {model}\n"
    with pytest.raises(ConfigError) as caught:
        config_from_text(text + (f"training: {training}\n" if training else ""))
    assert line in str(caught.value), str(caught.value)


def test_a_config_with_a_backbone_is_written_back_as_it_was(folder, tmp_path):
    text = f"""{_DATA}
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


def test_a_transferred_model_is_summed_up_predicts_and_exports(folder, transfer):
    from cnnkit.explore.layer_summary import summarize
    from cnnkit.export import export_run

    run = transfer("{epochs: 1}")
    summary = summarize(run.folder)
    assert summary.parameters == run.info()["parameters"]
    answers = list(cnnkit.load_run(run.folder).predict([str(folder / "images" / "red" / "0.png")]))
    assert answers[0].error is None
    assert json.dumps(summary.as_dict())
    (folder / "runs" / "start").rename(folder / "runs" / "moved")
    try:
        assert summarize(run.folder).parameters == summary.parameters
    finally:
        (folder / "runs" / "moved").rename(folder / "runs" / "start")
    for row in export_run(run, ("saved_model", "tflite")).formats.values():
        assert row["max_difference"] < 1e-5


# --- other images first


def _staged(folder, source):
    phases = f"[{{train: all, epochs: 2, data: {{source: {source}}}}}, {{train: all, epochs: 1}}]"
    path = folder / "staged.yaml"
    path.write_text(f"{_DATA}\nmodel:{_LAYERS}training: {{phases: {phases}}}\n")
    return path


def test_a_phase_learns_from_other_images_and_both_domains_are_scored(folder, tmp_path):
    config = load_config(_staged(folder, "others"))
    assert config.training.phases[0].data.source == str(folder / "others")
    assert config_from_text(dump_config(config)) == config
    run = cnnkit.train(folder / "staged.yaml", runs_folder=tmp_path)
    metrics = run.info()["metrics"]
    assert metrics["test"]["num_images"] == 6  # of images
    assert metrics["phase1_test"]["num_images"] == 6  # of others, 8 a class
    assert [row["phase"] for row in _history(run)] == [1, 1, 2]
    text = (run.folder / "evaluation" / "phase1_test" / "predictions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["path"] for row in rows} <= {
        str(path.relative_to(folder / "others")) for path in (folder / "others").rglob("*.png")
    }


def test_other_images_have_the_same_classes(folder, tmp_path):
    write_tiny_images(tmp_path / "more")
    (tmp_path / "more" / "red").rename(tmp_path / "more" / "pink")
    with pytest.raises(UsageError, match=r"has other classes than data.source \(pink, red\)"):
        cnnkit.train(_staged(folder, tmp_path / "more"), runs_folder=tmp_path)


def test_the_best_weights_of_a_head_outlive_a_phase_that_is_worse(transfer):
    """A phase with other images hands on its last weights; its best ones are not lost by that."""
    wild = "{train: all, epochs: 1, optimizer: {sgd: {learning_rate: 30, clipnorm: 1}}}"
    run = transfer(f"{{phases: [{{train: linear_probe, data: {{source: others}}}}, {wild}]}}")
    rows = _history(run)
    assert run.info()["best_epoch"] == 1
    assert rows[1]["val_loss"] > 3 * rows[0]["val_loss"]
    scored = run.info()["metrics"]["validation"]["log_loss"]
    assert scored == pytest.approx(rows[0]["val_loss"], rel=1e-3)
