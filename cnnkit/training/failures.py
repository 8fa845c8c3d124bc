"""What a training that fails says: the cause, what is kept, and how to continue."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cnnkit.backend import tf
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.runs import Run
from cnnkit.training.history import NOT_FINITE
from cnnkit.training.plan import Plan


@contextmanager
def naming_the_cause(plan: Plan) -> Iterator[None]:
    """Raise the cause of a failure in place of what TensorFlow makes of it.

    Raises:
        DataError: an image could not be read.
        OSError: the disk is full.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for planned in plan.phases:
            for dataset in (planned.images.dataset, planned.images.validation_dataset):
                if dataset.store.failure is not None:
                    raise dataset.store.failure from error
        if os.strerror(errno.ENOSPC) in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


@contextmanager
def saying_what_is_kept(run: Run) -> Iterator[None]:
    """Add to an expected failure what is kept of the training, and how to continue."""
    try:
        yield
    except UsageError:
        raise  # before anything was trained
    except CnnkitError as error:
        error.args = (f"{error}\n{_kept(run, is_diverged=NOT_FINITE in str(error))}",)
        raise
    except OSError as error:
        if error.errno is not None:
            error.strerror = f"{error.strerror}\n{_kept(run)}"
        raise


def _kept(run: Run, *, is_diverged: bool = False) -> str:
    command = f"cnnkit train --resume {run.argument}"
    if is_diverged:
        command = f"change {run.config} and type {command} --allow-changed training"
    if run.best.exists():
        return f"The best weights so far are kept: {run.best}\nTo continue: {command}"
    if run.backup.exists():
        return f"No epoch has ended, so there is no model yet. To continue: {command}"
    return f"No epoch has ended, so there are no weights to keep. To start again: {command}"
