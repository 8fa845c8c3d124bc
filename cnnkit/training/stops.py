"""Stop a training between two steps, and save the epoch so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnnkit.training.checkpoint import Checkpoint
from cnnkit.training.partial_epoch import PartialEpoch
from cnnkit.training.time_limit import TimeIsUpError, TimeLimit
from cnnkit.training.training_devices import ONE_DEVICE, Devices


@dataclass(frozen=True)
class Stops:
    """Stops a training if Ctrl-C or SIGTERM came, or if its time is up.

    Args:
        raise_if_interrupted: raises KeyboardInterrupt if a signal came.
        limit: of the time.
        checkpoint: saves the epoch so far.
        devices: several machines stop after the same step, which is the one after the signal.
    """

    raise_if_interrupted: Callable[[], None]
    limit: TimeLimit
    checkpoint: Checkpoint
    devices: Devices = ONE_DEVICE

    def check(self, seconds: float = 0.0) -> None:
        """Stop without saving; for what cannot be continued in the middle.

        Args:
            seconds: that must be left.

        Raises:
            KeyboardInterrupt: a signal came.
            TimeIsUpError: there is not so much time left.
        """
        self.check_interrupt()
        if self.devices.agrees("time is up", not self.limit.allows(seconds)):
            raise TimeIsUpError

    def check_interrupt(self) -> None:
        """Stop without saving if a signal came.

        Raises:
            KeyboardInterrupt: it did.
        """
        if self.devices.agrees("interrupt", self._is_interrupted()):
            raise KeyboardInterrupt

    def _is_interrupted(self) -> bool:
        try:
            self.raise_if_interrupted()
        except KeyboardInterrupt:
            return True
        return False

    def after_step(self, epoch_so_far: Callable[[], PartialEpoch]) -> None:
        """Save the epoch so far if it is time for that, or if the training stops here.

        Args:
            epoch_so_far: called only if it is to be saved.

        Raises:
            KeyboardInterrupt: a signal came.
            TimeIsUpError: the time is up.
        """
        self.in_validation(epoch_so_far)
        if self.devices.agrees("save", self.checkpoint.is_due()):
            self.checkpoint.save_partial(epoch_so_far())

    def in_validation(self, epoch_so_far: Callable[[], PartialEpoch]) -> None:
        """Save the epoch so far if the training stops here. Arguments and errors as above."""
        try:
            self.check()
        except (KeyboardInterrupt, TimeIsUpError):
            self.checkpoint.stop_in(epoch_so_far())
            raise
