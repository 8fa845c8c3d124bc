"""Whether there is time for another epoch (`training.max_minutes`)."""

from __future__ import annotations

import time


class TimeIsUpError(Exception):
    """An epoch is still going on although the time is over."""


class TimeLimit:
    """Counts the time of a training from now on.

    Args:
        minutes: how long it may take; None for as long as it needs.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def allows(self, seconds: float) -> bool:
        """Return whether something that takes so many seconds would end in time."""
        return self._end is None or time.monotonic() + seconds <= self._end
