"""On which devices a training computes: one, all of this machine, or those of several machines."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from typing import Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.config import Config
from cnnkit.device_choice import use_device
from cnnkit.errors import UsageError
from cnnkit.text import count_of
from cnnkit.training.cluster import Cluster, cluster_of_environment

WISHES = ("interrupt", "time is up", "save")


class Devices:
    """The devices of a training.

    Args:
        strategy: of tf.distribute; None for one device.
        cluster: the machines that train together; None for this one alone.
    """

    def __init__(self, strategy: Any = None, cluster: Cluster | None = None) -> None:
        self.strategy, self.cluster = strategy, cluster
        self._wished: dict[str, bool] = {}
        self._agreed: frozenset[str] = frozenset()

    @property
    def number(self) -> int:
        """How many devices there are, on all machines."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    @property
    def num_machines(self) -> int:
        """How many machines train together."""
        return self.cluster.size if self.cluster else 1

    @property
    def machine(self) -> int:
        """The number of this machine, from 0."""
        return self.cluster.machine if self.cluster else 0

    @property
    def writes_run(self) -> bool:
        """Whether this machine writes the run; one of all does."""
        return self.machine == 0

    @property
    def text(self) -> str:
        """What a training adds to the name of its run; empty for one device."""
        if self.strategy is None:
            return ""
        machines = f" of {count_of(self.num_machines, 'machine')}" if self.cluster else ""
        return f", {count_of(self.number, 'device')}{machines} share each batch"

    def naming_lost_machines(self) -> contextlib.AbstractContextManager[None]:
        """Say in plain words that another machine does not answer."""
        return self.cluster.naming_lost_machines() if self.cluster else contextlib.nullcontext()

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which variables are made on all devices."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def all_have(self, text: str) -> bool:
        """Return whether all machines have the same text."""
        if self.cluster is None:
            return True
        digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint16)
        own = tf.constant(digest.astype(np.float32))

        def summed() -> Any:
            return tf.distribute.get_replica_context().all_reduce("SUM", own)

        with self.naming_lost_machines():
            sums = tf.function(lambda: self.strategy.run(summed))()
        found = self.strategy.experimental_local_results(sums)[0]
        return bool(np.all(found.numpy() == own.numpy() * self.number))

    # Machines must stop after the same step, or one would wait for the others for ever.

    def agrees(self, wish: str, is_wished: bool) -> bool:
        """Return whether all machines stop, or save, after this step.

        Args:
            wish: one of WISHES.
            is_wished: by this machine. It is told to the others in the next step.
        """
        if self.num_machines == 1:
            return is_wished
        self._wished[wish] = is_wished
        return wish in self._agreed

    def wishes(self) -> Any:
        """Return what this machine tells the others in a step, float32 (wishes,)."""
        return tf.constant([float(self._wished.get(wish, False)) for wish in WISHES])

    def agree(self, wished: np.ndarray) -> None:
        """Keep what machines wished in a step, added up over all devices."""
        self._agreed = frozenset(
            wish for wish, number in zip(WISHES, wished, strict=True) if number > 0
        )


ONE_DEVICE = Devices()


# One for all trainings of a process: two would give the same numbers to their messages.
@functools.cache
def _mirrored(names: tuple[str, ...]) -> Any:
    return tf.distribute.MirroredStrategy(names)


@functools.cache
def _multi_worker(cluster: Cluster) -> Any:
    return cluster.strategy()


def devices_of(config: Config) -> Devices:
    """Return the devices of `runtime.devices`, and of the machines that TF_CONFIG names.

    Raises:
        UsageError: there is no such device, or TF_CONFIG is wrong.
        CnnkitError: other machines did not come in time.
    """
    chosen = config.runtime.devices
    use_device(chosen)
    cluster = cluster_of_environment(config.runtime.wait_minutes)
    names = () if cluster or chosen != "all" else _all_names()
    if cluster is None and len(names) < 2:
        return ONE_DEVICE
    _check_config(config)  # before other machines wait
    return Devices(_multi_worker(cluster) if cluster else _mirrored(names), cluster)


def _all_names() -> tuple[str, ...]:
    """Return TensorFlow's names of all GPUs, or of the logical devices that are the CPU."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tuple(device.name for device in devices)


def _check_config(config: Config) -> None:
    """Refuse what Keras or TensorFlow cannot do on several devices."""
    backbone, training = config.model.backbone, config.training
    refused = ""
    if backbone is not None and backbone.hub is not None:
        refused = "A module of TF Hub (model.backbone.hub)"
    optimizers = [training.optimizer, *(phase.optimizer for phase in training.phases)]
    if any(one and one.arguments.get("gradient_accumulation_steps") for one in optimizers):
        refused = "gradient_accumulation_steps"
    if refused:
        raise UsageError(
            f"{refused} cannot be used on several devices. Leave it out, or train on one device: "
            "runtime.devices: auto, without TF_CONFIG."
        )
