"""The machines that train together, as the environment variable TF_CONFIG names them.

The cluster's own launcher starts the same command once on each machine, with the same list of
addresses and another number.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.training.meeting import meet

_JOBS = ("chief", "worker")  # in this order; the first machine of all writes the run
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_TASK = re.compile(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)")  # in messages of TensorFlow


@dataclass(frozen=True)
class Cluster:
    """The machines that train together.

    Args:
        tasks: what TensorFlow calls each, as in ("worker", 0).
        addresses: host:port of each.
        machine: the number of this one, from 0.
        wait_minutes: how long one waits for the others.
    """

    tasks: tuple[tuple[str, int], ...]
    addresses: tuple[str, ...]
    machine: int
    wait_minutes: float

    @property
    def size(self) -> int:
        """The number of machines."""
        return len(self.tasks)

    @property
    def name(self) -> str:
        """This machine, as in `machine 1 (host1:2222)`; they count from 0."""
        return f"machine {self.machine} ({self.addresses[self.machine]})"

    def strategy(self) -> Any:
        """Wait for the other machines, and return what trains on all of them.

        Raises:
            CnnkitError: the others did not come in time, or cannot be reached.
        """
        from cnnkit.backend import tf  # takes seconds, and mistakes in TF_CONFIG show at once

        meet(self.addresses, self.machine, self.wait_minutes)
        options = tf.distribute.experimental.CommunicationOptions(
            timeout_seconds=60 * self.wait_minutes
        )
        with self.naming_lost_machines(), _same_signal_handlers():
            return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)

    @contextmanager
    def naming_lost_machines(self) -> Iterator[None]:
        """Say in plain words that another machine does not answer.

        Raises:
            CnnkitError: another machine has ended, cannot be reached, or takes too long.
        """
        from cnnkit.backend import tf

        errors = tf.errors
        # Raised in a step: another process is gone, was started again, or has stopped for that.
        lost = (errors.UnavailableError, errors.AbortedError, errors.FailedPreconditionError)
        try:
            yield
        except lost as error:
            raise CnnkitError(
                f"{self._other_machine(str(error))} has ended, or cannot be reached. Its own "
                "output says why. Start the training again on all machines."
            ) from error
        except errors.DeadlineExceededError as error:
            raise CnnkitError(
                f"Another machine did not answer within {self.wait_minutes:g} minutes "
                "(runtime.wait_minutes). Look whether the training runs on all of them: "
                f"{', '.join(self.addresses)}. Then start it again on all of them."
            ) from error

    def _other_machine(self, message: str) -> str:
        for job, number in _TASK.findall(message):
            task = (job, int(number))
            if task in self.tasks and task != self.tasks[self.machine]:
                return self.addresses[self.tasks.index(task)]
        return "Another machine"


def check_one_machine(command: str) -> None:
    """Refuse TF_CONFIG for what only one machine can do.

    Args:
        command: what cannot be done by several.

    Raises:
        UsageError: TF_CONFIG names several machines.
    """
    if cluster_of_environment(0) is not None:
        raise UsageError(
            f"{command} trains on one machine, but the environment variable TF_CONFIG names "
            "several. Unset it, or train the configs one by one."
        )


@contextmanager
def _same_signal_handlers() -> Iterator[None]:
    """Restore what SIGTERM does: TensorFlow would only write that it came."""
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def cluster_of_environment(wait_minutes: float) -> Cluster | None:
    """Return the machines of TF_CONFIG; None if it is not set, or names a single one.

    Args:
        wait_minutes: how long one waits for the others.

    Raises:
        UsageError: it is no list of machines with the number of this one.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        found = json.loads(text)
        jobs = found.get("cluster") or {}
        tasks = {
            (job, number): address
            for job in _JOBS
            for number, address in enumerate(jobs.get(job, []))
        }
        if unknown := sorted(set(jobs) - set(_JOBS)):
            raise ValueError(f"it has the job {unknown[0]!r}; cnnkit knows chief and worker")
        if len(tasks) < 2:
            return None
        task = (found["task"]["type"], int(found["task"]["index"]))
        if task not in tasks:
            raise ValueError(f"its task is {task[0]} {task[1]}, which is not in its cluster")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UsageError(
            "The environment variable TF_CONFIG does not say which machines train together: "
            f"{reason}. On the first of two machines it is like {_EXAMPLE}"
        ) from error
    return Cluster(tuple(tasks), tuple(tasks.values()), list(tasks).index(task), wait_minutes)
