"""How many cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the number of cores, at least 1; fewer than the machine has after `taskset`."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_limit_cores() -> bool:
    """Return whether this system lets a process use fewer cores."""
    return hasattr(os, "sched_setaffinity")


def use_cores(number: int) -> None:
    """Let this process, and all threads that it starts, use only so many cores, if it can."""
    if can_limit_cores():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])
