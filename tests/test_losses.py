"""The loss of `training.loss`: hand numbers, what it learns, and what is said of the first one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import write_tiny_images
from training_commands import history_of

import cnnkit
from cnnkit.config import config_from_dict, load_config
from cnnkit.errors import UsageError
from cnnkit.metrics import focal_losses

pytestmark = pytest.mark.usefixtures("no_pictures")


def _config(output="softmax", **training):
    data = {"source": "digits", "image_size": 8}
    model = {"layers": ["flatten"], "output": output}
    return config_from_dict({"data": data, "model": model, "training": training})


def _value(config, targets, probabilities):
    from cnnkit.model.losses import build_loss

    return float(build_loss(config)(np.float32(targets), np.float32(probabilities)))


_TARGETS = [[1, 0, 0], [0, 1, 0]]
_ANSWERS = [[0.7, 0.2, 0.1], [0.3, 0.5, 0.2]]


def test_each_loss_has_the_value_that_is_computed_by_hand():
    value = (-math.log(0.7) - math.log(0.5)) / 2
    assert _value(_config(), _TARGETS, _ANSWERS) == pytest.approx(value, rel=1e-5)
    named = _config(loss="categorical_crossentropy")
    assert _value(named, _TARGETS, _ANSWERS) == pytest.approx(value, rel=1e-5)
    focal = _config(loss={"categorical_focal_crossentropy": {"alpha": 0.5, "gamma": 1}})
    value = 0.5 * (0.3 * -math.log(0.7) + 0.5 * -math.log(0.5)) / 2
    assert _value(focal, _TARGETS, _ANSWERS) == pytest.approx(value, rel=1e-5)
    answers = [[0.8], [0.4]]  # probabilities of the second class; one label is 1, the other 0
    binary = _config("sigmoid", loss="binary_focal_crossentropy")
    value = (0.2**2 * -math.log(0.8) + 0.4**2 * -math.log(0.6)) / 2
    assert _value(binary, [[1], [0]], answers) == pytest.approx(value, rel=1e-5)
    balancing = {"binary_focal_crossentropy": {"apply_class_balancing": True, "alpha": 0.9}}
    value = (0.9 * 0.2**2 * -math.log(0.8) + 0.1 * 0.4**2 * -math.log(0.6)) / 2
    found = _value(_config("sigmoid", loss=balancing), [[1], [0]], answers)
    assert found == pytest.approx(value, rel=1e-5)


def test_label_smoothing_is_a_part_of_the_focal_loss():
    focal = _config(loss="categorical_focal_crossentropy", label_smoothing=0.3)
    parts = [
        y * (1 - p) ** 2 * -math.log(p) for y, p in zip((0.8, 0.1, 0.1), _ANSWERS[0], strict=True)
    ]
    found = _value(focal, _TARGETS[:1], _ANSWERS[:1])
    assert found == pytest.approx(0.25 * sum(parts), rel=1e-5)


def test_our_numbers_are_those_of_keras():
    import keras

    generator = np.random.default_rng(0)
    answers = generator.dirichlet(np.ones(4), 50)
    targets = 0.9 * np.eye(4)[generator.integers(0, 4, 50)] + 0.025
    for alpha, gamma in ((1, 0), (0.25, 2), (0.7, 0.5)):
        ours = focal_losses(targets=targets, probabilities=answers, alpha=alpha, gamma=gamma)
        theirs = keras.losses.categorical_focal_crossentropy(
            targets.astype("float32"), answers.astype("float32"), alpha, gamma
        )
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("output", "loss", "words"),
    [
        ("softmax", "binary_focal_crossentropy", "Set categorical_focal_crossentropy"),
        ("sigmoid", "categorical_crossentropy", "Set binary_crossentropy"),
        ("softmax", "focal", 'unknown loss "focal"'),
        ("softmax", {"categorical_focal_crossentropy": 2}, "alpha.*of at most 1 and above 0"),
        ("softmax", {"categorical_focal_crossentropy": {"gama": 2}}, "Did you mean gamma"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(output, loss, words):
    with pytest.raises(UsageError, match=words):
        _config(output, loss=loss)


_TRAINED = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.3, test: 0.2}}
model: {layers: [{conv: {filters: 4, kernel_size: 3, activation: relu}}, global_pool]}
training:
  epochs: 2
  tensorboard: false
  loss: {categorical_focal_crossentropy: {gamma: 2, alpha: 0.5}}
"""


@pytest.fixture(scope="module")
def focal_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("focal")
    write_tiny_images(folder / "images", images_per_class=12)
    (folder / "config.yaml").write_text(_TRAINED)
    names = sorted(path.name for path in (folder / "images").iterdir())
    weights = [f"training.class_weights={{{names[0]}: 3}}"]
    return cnnkit.train(folder / "config.yaml", overrides=weights, runs_folder=folder / "runs")


def test_the_columns_have_the_focal_loss_and_an_evaluation_has_the_log_loss(focal_run):
    """Class weights count in the training loss alone, so the first column is larger."""
    last = min(history_of(focal_run), key=lambda row: row["val_loss"])
    scored = cnnkit.load_run(focal_run.folder).evaluate(split="validation")
    table = scored.predictions
    answers, labels = np.asarray(table.probabilities), np.asarray(table.labels)
    targets = np.eye(3)[labels]
    focal = focal_losses(targets=targets, probabilities=answers, alpha=0.5, gamma=2).mean()
    assert last["val_loss"] == pytest.approx(focal, rel=1e-3)
    plain = -np.log(answers[np.arange(len(labels)), labels]).mean()
    assert scored.metrics["log_loss"] == pytest.approx(plain, rel=1e-3)
    assert last["train_loss"] > 1.2 * focal  # (3 + 1 + 1) / 3 times, by the class weights


def test_a_diagnosis_measures_by_the_focal_loss_of_guessing(focal_run):
    from cnnkit.training.diagnosis.evidence import read_evidence

    evidence = read_evidence(focal_run)
    guessing = 0.5 * (2 / 3) ** 2 * math.log(3)
    assert evidence.chance_loss == pytest.approx(guessing)
    assert evidence.least_loss == 0


def test_an_untrained_network_that_is_very_sure_is_noticed_with_a_focal_loss_too(focal_run):
    """Its focal loss, a quarter of a cross-entropy of 4.6, would not look large beside ln(3)."""
    from cnnkit.progress import Report
    from cnnkit.training.early_checks import check_early
    from cnnkit.training.plan import prepare

    sure = [
        "model.layers[0].conv.kernel_initializer={random_normal: {stddev: 40}}",
        "model.layers[1]=flatten",
    ]
    texts = []
    for overrides in ([], sure):
        plan = prepare(load_config(focal_run.config, overrides), Report())
        texts.append("\n".join(check_early(plan, focal_run.folder.parent).lines()))
    assert "(1.10 is guessing, both as cross-entropy)" in texts[0]
    assert "very sure, and wrong" not in texts[0]
    assert "very sure, and wrong" in texts[1]
