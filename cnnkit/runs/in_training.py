"""Whether a process trains a run, which one, and how others are kept away meanwhile."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.locks import held, is_held
from cnnkit.runs.run_folder import Run


def is_in_training(run: Run) -> bool:
    """Return whether another process trains a run.

    The lock is more reliable than the process number in run.json, which another process may have
    after a restart of the machine. Without a lock file, only the number is left.
    """
    is_locked = is_held(run.lock) if run.lock.exists() else None
    return run.info()["status"] == "running" if is_locked is None else is_locked


def trainer_of(run: Run) -> str:
    """Return what is known of the process that trains a run."""
    info = run.info()
    if info["status"] != "running" or "pid" not in info:  # it is still reading the images
        return "another process"
    here = info.get("host") in (None, platform.node())
    return f"process {info['pid']}" if here else f"process {info['pid']} on {info['host']}"


def only_training(run: Run) -> AbstractContextManager[None]:
    """Let no other process train a run while the block runs.

    Raises:
        UsageError: another process is training it.
    """
    return held_for_training(run.lock, run.folder, lambda: trainer_of(run))


@contextmanager
def held_for_training(lock: Path, folder: Path, trainer: Callable[[], str]) -> Iterator[None]:
    """Hold the lock of a folder while the block runs.

    Args:
        lock: of the folder.
        folder: what is trained, for the message.
        trainer: says who holds the lock.

    Raises:
        UsageError: another process holds it.
    """
    with ExitStack() as stack:  # so that a TimeoutError inside the block is not caught here
        try:
            stack.enter_context(held(lock))
        except TimeoutError:
            raise UsageError(
                f"{folder} is being trained by {trainer()}. Wait until that ends, or stop it with "
                "Ctrl-C."
            ) from None
        yield
