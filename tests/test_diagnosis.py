"""Verdicts in words: each from numbers that have the trouble, none from a healthy training."""

from __future__ import annotations

import math

import pytest
from histories import (
    AT_CHANCE,
    BY_HEART,
    CONFIG,
    FALLING,
    FLAT,
    HEALTHY,
    made_evidence,
    phase_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.config import config_from_text
from cnnkit.training.diagnosis.diagnose_run import RULES, verdicts_on

_UNEVEN = {
    "train": {"cat": 1000, "owl": 20},
    "validation": {"cat": 200, "owl": 20},
    "test": {"cat": 200, "owl": 20},
}


def _names(evidence):
    return [verdict.name for verdict in verdicts_on(evidence)]


def _scored(validation, test=None):
    scores = {"validation": {"accuracy": validation, "balanced_accuracy": validation}}
    return scores | ({} if test is None else {"test": {"accuracy": test}})


# Name of the first verdict -> a training that has the trouble.
_RATE = "training.optimizer.adam.learning_rate"
_TROUBLES = {
    "loss_not_finite": made_evidence(HEALTHY[:2], error="The loss became NaN or infinite in ..."),
    "copies_in_validation": made_evidence(HEALTHY, copies={"validation": 50, "test": 0}),
    "rare_classes_missed": made_evidence(
        HEALTHY,
        counts=_UNEVEN,
        metrics={"validation": {"accuracy": 0.91, "balanced_accuracy": 0.5}},
        recalls={"cat": 1.0, "owl": 0.0},
    ),
    "labels_not_learned": made_evidence(AT_CHANCE),
    "network_stuck": made_evidence(phase_rows([2.31, *[2.303] * 11], 2.303, 0.1, 0.1)),
    "learning_rate_too_high": made_evidence(
        phase_rows([5.0, *[2.32] * 11], 2.31, 0.1, 0.1, 0.1), overrides=[f"{_RATE}=0.1"]
    ),
    "learning_rate_too_low": made_evidence(
        phase_rows([2.31 - 0.01 * k for k in range(12)], 2.2, 0.3, 0.3, 1e-6),
        overrides=[f"{_RATE}=1e-6"],
    ),
    "test_worse": made_evidence(HEALTHY, metrics=_scored(0.95, 0.6)),
    "overfitting": made_evidence(BY_HEART),
    "validation_better": made_evidence(
        phase_rows(FLAT_LOSSES := [1.0 - 0.05 * k for k in range(12)], FLAT_LOSSES, 0.6, 0.85),
    ),
    "underfitting": made_evidence(FLAT),
    "plateau": made_evidence(
        phase_rows(
            [2.1, 1.8, *[1.6] * 10], [2.1, 1.8, *[1.6] * 10], 0.5, 0.5, [1e-3, 1e-3, *[1e-5] * 10]
        )
    ),
    "still_improving": made_evidence(FALLING),
    "validation_too_small": made_evidence(HEALTHY, validation=10, metrics=_scored(0.9)),
}


@pytest.mark.parametrize("name", _TROUBLES)
def test_a_training_with_a_trouble_gets_its_verdict_first(name):
    assert _names(_TROUBLES[name])[:1] == [name]


def test_every_verdict_says_what_was_seen_why_and_what_to_do():
    for name, evidence in _TROUBLES.items():
        verdict = verdicts_on(evidence)[0]
        assert verdict.seen.endswith(".") and verdict.why.endswith("."), name
        assert verdict.changes or verdict.advice, name


@pytest.mark.parametrize("name", _TROUBLES)
def test_every_change_is_a_key_and_a_value_that_the_config_accepts(name):
    config = _TROUBLES[name].config
    for verdict in verdicts_on(_TROUBLES[name]):
        for change in verdict.changes:
            overrides = [f"{_RATE}={config.training.optimizer.arguments['learning_rate']}"]
            changed = config_from_text(CONFIG, [*overrides, change.option])
            assert changed != config, change.option


def test_a_healthy_training_has_no_verdict():
    assert _names(made_evidence(HEALTHY, metrics=_scored(0.97, 0.96))) == []


@pytest.mark.parametrize("rows", [[], HEALTHY[:1], HEALTHY[:2]])
def test_a_few_epochs_are_not_judged_by_their_curves(rows):
    assert _names(made_evidence(*([rows] if rows else []))) == []


def test_without_validation_images_only_training_is_judged():
    rows = [{k: v for k, v in row.items() if not k.startswith("val_")} for row in BY_HEART]
    assert _names(made_evidence(rows, validation=0)) == []
    flat = [{k: v for k, v in row.items() if not k.startswith("val_")} for row in FLAT]
    assert _names(made_evidence(flat, validation=0)) == ["underfitting"]


def test_overfitting_begins_at_the_smallest_validation_loss():
    (verdict,) = verdicts_on(made_evidence(BY_HEART))
    assert verdict.epoch == 4
    assert verdict.title == "Overfitting since epoch 4"
    assert "the validation loss rose from 0.600 to 1.100" in verdict.seen


def test_a_change_keeps_what_the_config_has_already():
    given = ["training.label_smoothing=0.1", "training.early_stopping.patience=3"]
    (verdict,) = verdicts_on(made_evidence(BY_HEART, overrides=given))
    assert [change.key for change in verdict.changes] == ["augmentation", "model.layers[2]"]


def test_the_loss_of_guessing_follows_the_shares_of_the_classes():
    evidence = made_evidence(HEALTHY, counts=_UNEVEN)
    share = 1000 / 1020
    expected = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert evidence.chance_loss == pytest.approx(expected)
    weighted = made_evidence(HEALTHY, counts=_UNEVEN, overrides=["training.class_weights=auto"])
    assert weighted.chance_loss == pytest.approx(math.log(2))


def test_label_smoothing_leaves_a_loss_that_no_network_can_go_below():
    evidence = made_evidence(HEALTHY, overrides=["training.label_smoothing=0.1"])
    assert evidence.least_loss == pytest.approx(-0.91 * math.log(0.91) - 0.09 * math.log(0.01))
    assert made_evidence(HEALTHY).least_loss == 0


def test_a_later_phase_that_destroys_what_was_learned_is_told_with_its_own_rate():
    text = """
data: {source: photos, image_size: 64}
model: {backbone: {name: MobileNetV2}}
training:
  phases:
    - {train: head, epochs: 12}
    - {train: all, epochs: 12, optimizer: {adam: {learning_rate: 0.01}}}
"""
    after = phase_rows([1.5] * 12, 1.4, 0.5, 0.5, 0.01, phase=2, before=12)
    key = "training.phases[1].optimizer.adam.learning_rate"
    verdict = verdicts_on(made_evidence(HEALTHY, after, text=text))[0]
    assert verdict.name == "learning_rate_too_high"
    assert verdict.changes[0].option == f"{key}=0.001"
    chaos = phase_rows([300.0] * 12, 400.0, 0.1, 0.1, 0.3, phase=2, before=12)
    overrides = [f"{key}=0.3"]
    verdict = verdicts_on(made_evidence(HEALTHY, chaos, text=text, overrides=overrides))[0]
    # A backbone takes a tenth of the default of adam.
    assert verdict.changes[0].option == f"{key}=0.0001"


def test_the_rate_of_fine_tuning_is_changed_where_the_config_has_it():
    text = """
data: {source: photos, image_size: 64}
model: {backbone: {name: MobileNetV2}}
training: {epochs: 12, fine_tune: true, optimizer: {adam: {learning_rate: 0.1}}}
"""
    after = phase_rows([1.5] * 12, 1.4, 0.5, 0.5, 0.01, phase=2, before=12)
    verdict = verdicts_on(made_evidence(HEALTHY, after, text=text))[0]
    # Fine-tuning takes a tenth of the learning rate of the config.
    assert verdict.changes[0].option == "training.optimizer.adam.learning_rate=0.01"


def test_dropout_explains_a_lower_training_accuracy_unless_it_is_strong():
    losses = [1.0 - 0.05 * k for k in range(10)] + [0.55, 0.55]
    rows = phase_rows(losses, losses, 0.955, 0.99)
    assert _names(made_evidence(rows, validation=2000)) == []
    plain = CONFIG.replace("    - dropout: 0.2\n", "")
    assert _names(made_evidence(rows, text=plain, validation=2000)) == ["validation_better"]
    strong = made_evidence(
        phase_rows(losses, losses, 0.5, 0.9), overrides=["model.layers[2].dropout=0.9"]
    )
    (verdict,) = verdicts_on(strong)
    assert verdict.changes[0].option == "model.layers[2]={dropout: 0.45}"


def test_a_training_that_time_ended_gets_more_minutes_and_an_interrupted_one_nothing():
    given = {"overrides": ["training.max_minutes=3", "training.epochs=50"]}
    (verdict,) = verdicts_on(made_evidence(FALLING, **given, stopped_by="max_minutes"))
    assert verdict.changes[0].option == "training.max_minutes=6"
    assert _names(made_evidence(FALLING, **given)) == []  # early stopping ended it
    assert _names(made_evidence(FALLING, is_finished=False)) == []


def test_a_training_with_a_backup_can_go_on():
    (verdict,) = verdicts_on(made_evidence(FALLING, can_go_on=True))
    assert verdict.advice.endswith("cnnkit train --resume runs/a --epochs 24")


def test_a_flat_end_of_a_schedule_asks_for_more_epochs_first():
    rates = [1e-3 * (1 + math.cos(math.pi * k / 12)) / 2 for k in range(1, 13)]
    losses = [2.1 - 0.15 * k for k in range(9)] + [0.86, 0.85, 0.85]
    rows = phase_rows(losses, losses, 0.7, 0.7, rates)
    (verdict,) = verdicts_on(made_evidence(rows, overrides=["training.schedule=cosine"]))
    assert verdict.name == "underfitting"
    assert verdict.changes[0].option == "training.epochs=24"


def test_a_loss_that_goes_up_and_down_asks_for_smaller_steps():
    losses = [2.1, 1.8, 1.5, *[1.3, 1.2, 1.29] * 3]
    (verdict,) = verdicts_on(made_evidence(phase_rows(losses, losses, 0.6, 0.6)))
    assert verdict.name == "plateau"
    assert [change.value for change in verdict.changes] == ["cosine", "0.0003"]


def test_a_loss_that_jumps_again_and_again_is_the_fault_of_the_learning_rate():
    losses = [2.1, 1.8, 1.5, *[1.3, 1.1, 1.5] * 3]
    (verdict,) = verdicts_on(made_evidence(phase_rows(losses, losses, 0.6, 0.6)))
    assert verdict.name == "learning_rate_too_high"
    assert verdict.epoch == 6
    assert "jumped from 1.100 to 1.500" in verdict.seen


def test_a_jump_before_anything_was_learned_does_no_harm():
    losses = [5.0, 20.0, 3.0, 1.9, 1.2, 0.8, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2]
    assert _names(made_evidence(phase_rows(losses, losses, 0.95, 0.95))) == []
    assert "learning_rate_too_high" in _names(made_evidence(phase_rows(losses, losses, 0.6, 0.6)))
    later = [5.0, 2.0, 1.0, 0.8, 2.5, 1.0, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2]
    assert "learning_rate_too_high" in _names(made_evidence(phase_rows(later, later, 0.95, 0.95)))


def test_mixed_images_are_not_expected_to_be_classified():
    losses = [1.5, *[1.2] * 11]
    rows = phase_rows(losses, losses, 0.5, 0.95)
    mixed = ["augmentation=[random_flip, mixup: 0.2]"]
    assert _names(made_evidence(rows, overrides=mixed)) == []
    assert _names(made_evidence(rows)) == ["validation_better"]


@pytest.mark.parametrize("layer", ["SpatialDropout2D: 0.3", "GaussianNoise: 0.1"])
def test_layers_that_only_act_in_training_explain_a_better_validation(layer):
    losses = [1.0 - 0.05 * k for k in range(10)] + [0.55, 0.55]
    rows = phase_rows(losses, losses, 0.95, 0.99)
    inside = f"residual: [conv: {{filters: 8, kernel_size: 3, padding: same}}, {layer}]"
    text = CONFIG.replace("dropout: 0.2", "activation: relu").replace(
        "    - flatten\n", f"    - {inside}\n    - flatten\n"
    )
    assert _names(made_evidence(rows, text=text, validation=2000)) == []


def test_a_small_validation_split_is_made_larger_where_it_comes_from():
    drawn = made_evidence(HEALTHY, train=160, validation=20, test=20, metrics=_scored(0.9))
    (verdict,) = verdicts_on(drawn)
    assert verdict.changes[0].option == "data.split.validation=0.3"
    assert verdict.advice.endswith("cnnkit train runs/a/config.yaml --folds 5")
    (own,) = verdicts_on(made_evidence(HEALTHY, validation=10, metrics=_scored(0.9)))
    assert own.changes == ()
    assert own.advice == "Move more images into the validation split of digits."


def test_a_penalty_on_weights_does_not_look_like_a_high_learning_rate():
    rows = phase_rows([6.0, *[4.0] * 11], 1.4, 0.5, 0.5)
    assert _names(made_evidence(rows))[0] == "learning_rate_too_high"
    penalty = ["model.layers[3].dense.kernel_regularizer={l2: 0.1}"]
    assert "learning_rate_too_high" not in _names(made_evidence(rows, overrides=penalty))


def test_labels_learned_by_heart_do_not_look_like_a_high_learning_rate():
    rows = phase_rows([2.3 - 0.15 * k for k in range(12)], 5.0, 0.8, 0.1)
    assert _names(made_evidence(rows)) == ["labels_not_learned"]


def test_a_single_trouble_is_found_by_a_single_rule():
    evidence = _TROUBLES["validation_too_small"]
    alone = [verdict for rule in RULES if (verdict := rule(evidence))]
    assert [verdict.name for verdict in alone] == _names(evidence)


_SHARES = st.floats(0, 1)


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), _SHARES, _SHARES, st.floats(1e-9, 10)),
        min_size=1,
        max_size=12,
    ),
    validation=st.sampled_from([0, 10, 1000]),
    classes=st.sampled_from([2, 10]),
)
def test_any_curves_can_be_judged(rows, validation, classes):
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not validation:
        columns[1] = columns[3] = None
    evidence = made_evidence(phase_rows(*columns), validation=validation, classes=classes)
    names = _names(evidence)
    assert len(set(names)) == len(names)
    for verdict in verdicts_on(evidence):
        assert verdict.epoch is None or 1 <= verdict.epoch <= len(rows)
        assert "nan" not in verdict.text()
