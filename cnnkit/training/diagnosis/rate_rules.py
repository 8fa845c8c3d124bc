"""Verdicts on the learning rate, and on trainings that learn nothing."""

from __future__ import annotations

import math

import numpy as np

from cnnkit.training.diagnosis.changes import (
    clipping,
    has_weight_penalty,
    rate_change,
    rate_to,
    usual_rate,
)
from cnnkit.training.diagnosis.evidence import Evidence
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.diagnosis.verdict import Verdict
from cnnkit.training.history import NOT_FINITE

# Times the default of the optimizer. Alone they say nothing: sgd often learns well at 0.1.
_EXTREME, _HIGH, _LOW = 50, 20, 1 / 30
_WELL_LEARNED = 0.9  # accuracy at which even an extreme rate does no harm
_LEARNED = 0.1  # of the way from chance to all right; less counts as nothing
_LEARNED_LOSS = 0.95  # of the loss of guessing
_SURE = 3  # standard errors
_STUCK = 0.005  # of the loss of guessing: less is no movement
_BY_HEART = 0.9  # of the training images
_JUMP = 2  # times the loss of the epoch before
_SMALL_JUMP, _MANY = 0.1, 3  # of the loss of the epoch before, and how often


def loss_not_finite(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the loss became NaN or infinite."""
    rows = [row for phase in evidence.phases for row in phase.rows]
    wrong = [row["epoch"] for row in rows if not math.isfinite(sum(row.values()))]
    if not wrong and NOT_FINITE not in evidence.error:
        return None
    config, number = evidence.config, evidence.phases[-1].number if evidence.phases else 1
    epoch = int(wrong[0]) if wrong else len(rows) + 1
    return Verdict(
        "loss_not_finite",
        f"The loss became NaN or infinite in epoch {epoch}",
        evidence.error or f"history.csv has no finite number for epoch {epoch}.",
        "From then on every weight is NaN and nothing can be learned any more.",
        (rate_change(config, number, 0.1), *clipping(config, number)),
        epoch=epoch,
    )


def nothing_learned(evidence: Evidence) -> Verdict | None:
    """Return a verdict if validation images are classified no better than by chance."""
    curves = evidence.main
    if curves is None or not _is_at_chance(evidence, curves):
        return None
    if _seems_too_high(evidence, curves):
        return _too_high(evidence, curves)
    if curves.largest_rate <= _LOW * usual_rate(curves.phase.optimizer):
        return _too_low(evidence, curves)
    if np.ptp(curves.train_loss[1:]) < _STUCK * evidence.chance_loss:
        return _stuck(evidence, curves)
    split = "validation" if evidence.can_judge_validation else "train"
    train, held_out = curves.at_end("train_accuracy"), curves.at_end("val_accuracy")
    heart = " The training images are learned by heart meanwhile." if train > _BY_HEART else ""
    return Verdict(
        "labels_not_learned",
        "Nothing was learned that helps with other images",
        f"In the last three epochs {train:.1%} of the training images and {held_out:.1%} of the "
        "validation images are classified correctly; naming the largest class only gives "
        f"{evidence.largest_share(split):.1%}.{heart}",
        "Either the labels do not belong to the images (shuffled rows, a shifted list of classes), "
        "or the images do not show what the labels say at this size.",
        advice="Look at some images with their labels (cnnkit data preview "
        f"{evidence.config_file}), and list those whose label is probably wrong (cnnkit data "
        f"labels {evidence.run}).",
    )


def _stuck(evidence: Evidence, curves: PhaseCurves) -> Verdict:
    rate = curves.largest_rate
    return Verdict(
        "network_stuck",
        "The network does not learn at all",
        f"From epoch {curves.first_epoch + 1} to {curves.last_epoch} the training loss stays "
        f"between {curves.train_loss[1:].min():.3f} and {curves.train_loss[1:].max():.3f}, and "
        f"{evidence.chance_loss:.3f} is what guessing gives.",
        "Its units may have died in the first steps (a ReLU that always gives 0), or no gradient "
        f"reaches its weights; for this network a learning rate of {rate:.3g} may be too high.",
        (rate_change(evidence.config, curves.number, 0.1),),
        advice=f"cnnkit train {evidence.config_file} --dry-run looks at the first loss, at dead "
        "layers and at gradients, and learns one batch. A batch_norm after each convolution helps.",
        epoch=curves.first_epoch,
    )


def _is_at_chance(evidence: Evidence, curves: PhaseCurves) -> bool:
    split, name = ("validation", "val") if evidence.can_judge_validation else ("train", "train")
    chance, accuracy = evidence.largest_share(split), curves.at_end(f"{name}_accuracy")
    # A loss clearly below that of guessing was learned, even if no answer has changed yet.
    if chance >= 1 or curves.at_end(f"{name}_loss") < _LEARNED_LOSS * evidence.chance_loss:
        return False
    error = math.sqrt(chance * (1 - chance) / evidence.size(split))
    learned = (accuracy - chance) / (1 - chance)
    return accuracy - chance < _SURE * error or learned < _LEARNED


def learning_rate_too_high(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the loss jumps, or the rate is unusual and little is learned."""
    curves = evidence.main
    if curves is None:
        return None
    if _seems_too_high(evidence, curves):
        return _too_high(evidence, curves)
    if (jump := _jump(evidence, curves)) is not None:
        return _too_high(evidence, curves, jump)
    return None


def _is_unlearned(evidence: Evidence, curves: PhaseCurves) -> bool:
    """Tell whether training accuracy is less than half of the way from chance to all right."""
    chance = evidence.largest_share("train")
    return curves.at_end("train_accuracy") < (1 + chance) / 2


def _seems_too_high(evidence: Evidence, curves: PhaseCurves) -> bool:
    times = curves.largest_rate / usual_rate(curves.phase.optimizer)
    if times >= _EXTREME:
        return curves.best_accuracy < _WELL_LEARNED
    if not _is_unlearned(evidence, curves):
        return False
    # Penalties on weights are part of the training loss, which may be large because of them.
    is_plain = not has_weight_penalty(evidence.config)
    return times >= _HIGH or (is_plain and curves.at_end("train_loss") > 1.2 * evidence.chance_loss)


def _jump(evidence: Evidence, curves: PhaseCurves) -> int | None:
    """Return the position of the largest jump up of the training loss, None if it is calm.

    One jump counts if it doubles the loss. Smaller ones count if there are many, and if the network
    does not learn well in spite of them. If it learns well, jumps before it knew anything do not
    count.
    """
    loss = curves.train_loss
    rises = np.diff(loss)
    jumps = (loss[1:] > _JUMP * loss[:-1]) & (rises > 0.3 * evidence.chance_loss)
    small = rises > _SMALL_JUMP * loss[:-1]
    is_restless = small.sum() >= max(_MANY, len(rises) / 4)
    if curves.best_accuracy >= _WELL_LEARNED:
        jumps &= loss[:-1] < evidence.chance_loss
    elif is_restless:
        jumps |= small
    return int(np.argmax(np.where(jumps, rises, -np.inf))) + 1 if jumps.any() else None


def _too_high(evidence: Evidence, curves: PhaseCurves, jump: int | None = None) -> Verdict:
    rate, usual = curves.largest_rate, usual_rate(curves.phase.optimizer)
    name = curves.phase.optimizer.name
    if jump is None:
        epoch = curves.first_epoch
        seen = (
            f"The training loss is {curves.at_end('train_loss'):.3f} at the end, and "
            f"{evidence.chance_loss:.3f} is what guessing gives. The learning rate is {rate:.3g}; "
            f"{usual:g} is usual for {name}."
        )
        # Trained weights must not be destroyed: a backbone takes a tenth of what is usual.
        fine_tunes = evidence.config.model.backbone is not None and curves.phase.backbone_learns
        target = min(rate / 10, usual / 10 if fine_tunes else usual)
    else:
        epoch = curves.first_epoch + jump
        seen = (
            f"In epoch {epoch} the training loss jumped from {curves.train_loss[jump - 1]:.3f} to "
            f"{curves.train_loss[jump]:.3f}, at a learning rate of "
            f"{curves.learning_rate[jump]:.3g}."
        )
        target = rate / 3
    return Verdict(
        "learning_rate_too_high",
        "The learning rate is too high",
        seen,
        "Steps that are too long overshoot: the loss jumps, and ReLU units can die for good.",
        (rate_to(evidence.config, curves, target), *clipping(evidence.config, curves.number)),
        epoch=epoch,
    )


def learning_rate_too_low(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the rate is far below what is usual and the loss hardly fell."""
    curves = evidence.main
    if curves is None or curves.largest_rate > _LOW * usual_rate(curves.phase.optimizer):
        return None
    return _too_low(evidence, curves) if _is_unlearned(evidence, curves) else None


def _too_low(evidence: Evidence, curves: PhaseCurves) -> Verdict:
    first, last = curves.train_loss[0], curves.train_loss[-1]
    usual = usual_rate(curves.phase.optimizer)
    return Verdict(
        "learning_rate_too_low",
        "The learning rate is too low",
        f"In {len(curves.rows)} epochs the training loss only went from {first:.3f} to {last:.3f}, "
        f"and {evidence.chance_loss:.3f} is what guessing gives. The learning rate is "
        f"{curves.largest_rate:.3g}; {usual:g} is usual for {curves.phase.optimizer.name}.",
        "Each step changes the weights so little that the training would take far too long.",
        (rate_to(evidence.config, curves, usual),),
        epoch=curves.first_epoch,
    )


def fine_tuning_harmed(evidence: Evidence) -> Verdict | None:
    """Return a verdict if a later phase made the validation loss clearly worse."""
    for before, after in zip(evidence.phases, evidence.phases[1:], strict=False):
        if not after.has_validation or not after.phase.backbone_learns:
            continue
        start, best = float(before.val_loss.min()), float(after.val_loss.min())
        if best > start + 0.1 * evidence.chance_loss:
            return Verdict(
                "learning_rate_too_high",
                f"Phase {after.number} has undone what phase {before.number} learned",
                f"The best validation loss is {start:.3f} in phase {before.number} and {best:.3f} "
                f"in phase {after.number}, whose learning rate is {after.largest_rate:.3g}.",
                "Steps that are too large destroy the features of a pretrained backbone.",
                (rate_change(evidence.config, after.number, 0.1),),
                epoch=after.first_epoch,
            )
    return None
