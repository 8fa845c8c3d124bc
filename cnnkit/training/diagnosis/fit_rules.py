"""Verdicts on how well the network fits its images: too well, too little, or not yet."""

from __future__ import annotations

import math

import numpy as np

from cnnkit.training.diagnosis.changes import (
    against_overfitting,
    larger_network,
    less_dropout,
    more_epochs,
    more_minutes,
    no_augmentation,
    rate_change,
    schedule_change,
)
from cnnkit.training.diagnosis.evidence import Evidence
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.diagnosis.verdict import Verdict

_RISE = 0.25  # of the smallest validation loss, above what is still noise
_LEAST_GAP, _LARGE_GAP = 0.05, 0.2  # of accuracy: with a rising loss, and without
_SURE = 2  # standard errors
_NEARLY_ALL = 0.9  # accuracy from which there is little left to learn
_FEWEST_FLAT = 4  # epochs
_CREEPING = 0.03  # of the loss over the last epochs: too little to be progress, but more may help
_FLAT = 0.07  # of the loss above the least possible: less is no progress
_STILL = 0.15  # of the same: more from a fifth of the epochs to the next is progress
_PACE = 0.7  # of the mean fall of an epoch
_MUCH_LEFT, _CLEAR_FALL = 0.3, 0.05  # of the loss of guessing
_LITTLE_LEFT = 0.1  # of the loss of guessing: below, more epochs bring hardly anything
_FELL = 0.05  # of the largest learning rate: too little to learn with
_FELL_ON_PURPOSE = 0.5  # of the same: a schedule brings it down towards the end


def overfitting(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the training images are learned by heart."""
    curves = evidence.main
    if curves is None or not curves.has_validation:
        return None
    best, losses, gap = curves.best, curves.val_loss, curves.gap
    error = _standard_error(curves.at_end("val_accuracy"), evidence.size("validation"))
    least = max(_LEAST_GAP, _SURE * error)
    above = max(losses[best] - evidence.least_loss, 0.02 * evidence.chance_loss)
    rises = curves.at_end("val_loss") - losses[best] > _RISE * above
    falls = curves.at_end("train_loss") < curves.train_loss[best]
    if gap < least or not (rises and falls or gap > max(_LARGE_GAP, least)):
        return None
    at = best if rises else _where_the_gap_opens(curves)
    epoch = curves.first_epoch + at
    verb = "rose" if rises else "only went"
    return Verdict(
        "overfitting",
        f"Overfitting since epoch {epoch}",
        f"Since epoch {epoch} the training loss fell from {curves.train_loss[at]:.3f} to "
        f"{curves.train_loss[-1]:.3f}, while the validation loss {verb} from {losses[at]:.3f} to "
        f"{losses[-1]:.3f}. In the last three epochs {curves.at_end('train_accuracy'):.1%} of the "
        "training images are classified correctly, and "
        f"{curves.at_end('val_accuracy'):.1%} of the validation images.",
        "The network learns its training images by heart, which does not help with new ones.",
        tuple(against_overfitting(evidence.config)),
        advice=_more_images(evidence),
        epoch=epoch,
    )


def _more_images(evidence: Evidence) -> str:
    images = evidence.size("train") / evidence.num_classes
    if images >= 100:
        return "More training images help most."
    backbone = evidence.config.model.backbone
    instead = "" if backbone else ", or a pretrained model.backbone in place of layers"
    return f"There are {images:.0f} training images per class: more of them help most{instead}."


def _where_the_gap_opens(curves: PhaseCurves) -> int:
    """Return the first epoch from which on the gap is at least half of what it is at the end."""
    small = np.flatnonzero(curves.train_accuracy - curves.val_accuracy < curves.gap / 2)
    return min(int(small[-1]) + 1 if len(small) else 0, len(curves.rows) - 1)


def _standard_error(accuracy: float, num_images: int) -> float:
    # One right and one wrong answer more: with none of either the error would be 0.
    share = (accuracy * num_images + 1) / (num_images + 2)
    return math.sqrt(share * (1 - share) / (num_images + 2))


def still_improving(evidence: Evidence) -> Verdict | None:
    """Return a verdict if the training ended while the losses were falling."""
    curves = evidence.main
    if curves is None or not _reached_its_end(evidence, curves):
        return None
    name = "validation" if curves.has_validation and evidence.can_judge_validation else "training"
    losses = curves.val_loss if name == "validation" else curves.train_loss
    if losses[-1] - evidence.least_loss < _LITTLE_LEFT * evidence.chance_loss:
        return None
    rate_left = curves.learning_rate[-1] / curves.largest_rate
    # A rate that has fallen on purpose ends the progress; then there must be much more of it.
    least = _STILL * (1 if rate_left > 0.2 else 2)
    falls = _falls(losses, least, evidence) and _falls(curves.train_loss, least / 2, evidence)
    if not falls or int(np.argmin(losses)) < len(losses) - 2:
        return None
    before, config = -1 - _few(losses), evidence.config
    longer = more_minutes(config) if evidence.stopped_by else more_epochs(config, curves)
    return Verdict(
        "still_improving",
        "The training ended while it was still improving",
        f"From epoch {curves.last_epoch - _few(losses)} to the last one, {curves.last_epoch}, the "
        f"{name} loss fell from {losses[before]:.3f} to {losses[-1]:.3f}, and the training "
        f"accuracy went from {curves.train_accuracy[before]:.1%} to "
        f"{curves.train_accuracy[-1]:.1%}.",
        "With more epochs the same network would very probably be better.",
        (longer,),
        advice=_how_to_go_on(evidence, curves),
        epoch=curves.last_epoch,
    )


def _reached_its_end(evidence: Evidence, curves: PhaseCurves) -> bool:
    """Tell whether only the number of epochs or of minutes ended the training."""
    if not evidence.is_finished or curves is not evidence.phases[-1]:
        return False
    return bool(evidence.stopped_by) or not curves.has_fewer_epochs


def _how_to_go_on(evidence: Evidence, curves: PhaseCurves) -> str:
    if not evidence.can_go_on or len(evidence.phases) > 1:
        return ""
    more = "" if evidence.stopped_by else f" --epochs {2 * curves.phase.epochs}"
    return f"It goes on where it ended with cnnkit train --resume {evidence.run}{more}"


def _few(losses: np.ndarray) -> int:
    """Return the number of epochs that are the end of a curve: a fifth of all."""
    return max(1, len(losses) // 5)


def _falls(losses: np.ndarray, least: float, evidence: Evidence) -> bool:
    """Tell whether a loss lost a part of itself at the end, or falls about as fast as ever."""
    return _progress(losses, evidence) >= least or _keeps_its_pace(losses, evidence)


def _progress(losses: np.ndarray, evidence: Evidence) -> float:
    """Return which part of the loss was lost over the last epochs.

    It is the smaller one of two: from the epoch before them to the last one, and from one group of
    epochs to the next. The first is noisy, the second also sees what is long over.
    """
    few, above = _few(losses), losses - evidence.least_loss
    pairs = ((above[-1 - few], above[-1]), (above[-2 * few : -few].mean(), above[-few:].mean()))
    return min(float(1 - after / before) if before > after else 0.0 for before, after in pairs)


def _keeps_its_pace(losses: np.ndarray, evidence: Evidence) -> bool:
    """Tell whether a loss that is still high falls about as fast at the end as on the whole."""
    few, fall = _few(losses), losses[0] - losses[-1]
    at_end = (losses[-1 - few] - losses[-1]) / few
    is_high = losses[-1] - evidence.least_loss > _MUCH_LEFT * evidence.chance_loss
    is_more_than_noise = fall > _CLEAR_FALL * evidence.chance_loss
    return bool(is_high and is_more_than_noise and at_end > _PACE * fall / (len(losses) - 1))


def flat(evidence: Evidence) -> Verdict | None:
    """Return underfitting or a plateau if the losses no longer fall and much is left to learn."""
    curves = evidence.main
    if curves is None or curves.best_accuracy >= _NEARLY_ALL:
        return None
    since = _flat_since(curves, evidence)
    length = len(curves.rows) - since
    left = float(curves.learning_rate[since] / curves.largest_rate)
    is_tail = left <= _FELL_ON_PURPOSE  # of a schedule: a few epochs say enough
    if length < (2 if is_tail else max(_FEWEST_FLAT, len(curves.rows) // 4)):
        return None
    if curves.has_validation and curves.gap > 2 * _LEAST_GAP:
        return None
    fallen = np.flatnonzero(curves.learning_rate <= _FELL * curves.largest_rate)
    if 2 * len(fallen) >= len(curves.rows):
        return _rate_fell(evidence, curves, max(since, int(fallen[0])))
    if not is_tail and _is_rough(curves, since):
        return _bouncing(evidence, curves, since)
    return _underfitting(evidence, curves, since, is_tail=is_tail)


def _since_text(curves: PhaseCurves, since: int) -> str:
    return (
        f"Since epoch {curves.first_epoch + since} the training loss only went from "
        f"{curves.train_loss[since]:.3f} to {curves.train_loss[-1]:.3f}; at the end "
        f"{curves.at_end('train_accuracy'):.1%} of the training images are classified correctly."
    )


def _underfitting(evidence: Evidence, curves: PhaseCurves, since: int, *, is_tail: bool) -> Verdict:
    config = evidence.config
    longer = [more_epochs(config, curves)]
    # The rate had fallen as planned: until then there was progress, which more epochs prolong.
    first, last = (longer, []) if is_tail else ([], longer)
    if not is_tail and _progress(curves.train_loss, evidence) < _CREEPING:
        last = []
    return Verdict(
        "underfitting",
        "Underfitting: the network does not even learn its own training images",
        f"{_since_text(curves, since)} The network has {evidence.parameters:,} parameters.",
        "What it cannot do on the training images it cannot do on others either.",
        (
            *first,
            *larger_network(config),
            *less_dropout(config, above=0.5),
            *no_augmentation(config),
            *last,
        ),
        advice="Train longer." if is_tail else "Give the network more layers, or wider ones.",
        epoch=curves.first_epoch + since,
    )


def _flat_since(curves: PhaseCurves, evidence: Evidence) -> int:
    """Return the position from which on the training loss made no progress."""
    # A mean over three epochs, because a loss that goes up and down makes no progress either.
    smooth = np.convolve(np.pad(curves.train_loss, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    above = smooth - evidence.least_loss
    falling = np.flatnonzero(above > above[-2:].mean() / (1 - _FLAT))
    since = int(falling[-1]) + 1 if len(falling) else 0
    return min(since, len(curves.rows) - 1)


def _is_rough(curves: PhaseCurves, since: int) -> bool:
    """Tell whether the training loss goes up and down between epochs, as if steps were too long."""
    steps = np.diff(curves.train_loss[since:])
    return len(steps) > 2 and float(np.abs(steps).mean()) > 0.05 * curves.train_loss[since:].mean()


def _rate_fell(evidence: Evidence, curves: PhaseCurves, since: int) -> Verdict:
    epoch = curves.first_epoch + since
    return Verdict(
        "plateau",
        f"No progress since epoch {epoch}: the learning rate had fallen too early",
        f"{_since_text(curves, since)} The learning rate was {curves.largest_rate:.3g} at its "
        f"largest and {curves.learning_rate[since]:.3g} in epoch {epoch}.",
        "With such small steps the epochs that follow change next to nothing.",
        (schedule_change(evidence.config, curves, "cosine"),),
        epoch=epoch,
    )


def _bouncing(evidence: Evidence, curves: PhaseCurves, since: int) -> Verdict:
    epoch = curves.first_epoch + since
    return Verdict(
        "plateau",
        f"No progress since epoch {epoch}: the loss goes up and down",
        _since_text(curves, since),
        "Smaller steps towards the end usually bring the loss down further.",
        (
            schedule_change(evidence.config, curves, "cosine"),
            rate_change(evidence.config, curves.number, 0.3),
        ),
        epoch=epoch,
    )
