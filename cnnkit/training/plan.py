"""Prepare a training: check the data, build the model, and plan every phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.config import Config, DataConfig
from cnnkit.config.training_section import PhaseDataConfig
from cnnkit.data.dataset import ImageDataset, load_dataset
from cnnkit.data.sources.builtin import make_builtin
from cnnkit.errors import UsageError
from cnnkit.explore.memory_need import building_need, check_fits
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.model.build_model import build_model, compile_model
from cnnkit.model.initial_weights import (
    InitialWeights,
    learned_before,
    take_weights,
    weights_file,
)
from cnnkit.model.optimizers import build_optimizer
from cnnkit.model.precision import (
    FLOAT32,
    precision_warning,
    set_precision,
    with_known_precision,
)
from cnnkit.progress import Report
from cnnkit.text import first_few
from cnnkit.training.backbone_features import split_model
from cnnkit.training.experiment_loggers import check_loggers
from cnnkit.training.learning_layers import LearningLayers, learning_layers
from cnnkit.training.phase_features import (
    CachedFeatureBatches,
    ComputedFeatureBatches,
    PhaseBatches,
)
from cnnkit.training.phase_images import ImageBatches
from cnnkit.training.phases import Phase, phases_of
from cnnkit.training.replica_step import divide_clipping
from cnnkit.training.replicated_model import replicated_model
from cnnkit.training.sample_weights import weight_facts, weights_text
from cnnkit.training.split_batches import split_batch_model
from cnnkit.training.training_devices import ONE_DEVICE, Devices


@dataclass(frozen=True)
class PlannedPhase:
    """A phase with all that it needs.

    Args:
        phase: what the config says about it.
        layers: the layers of the backbone that learn.
        optimizer: of Keras, not used before.
        images: the batches of images.
        batch_parts: into which each batch is split if memory is short.
        devices: that learn together.
    """

    phase: Phase
    layers: LearningLayers
    optimizer: Any
    images: ImageBatches
    batch_parts: int = 1
    devices: Devices = ONE_DEVICE

    @property
    def trains_head_only(self) -> bool:
        """Whether the model has a backbone that does not learn in this phase."""
        return self.layers.backbone is not None and not self.phase.backbone_learns

    @property
    def caches_features(self) -> bool:
        """Whether the features of the backbone are computed once, not in every epoch."""
        cached = self.phase.is_probe or self.images.config.training.feature_cache
        return self.trains_head_only and cached

    def start(self, model: Any, report: Report) -> tuple[Any, PhaseBatches]:
        """Compile what is trained, and return it with its batches.

        That is the whole model on images; or its head on features, if the backbone does not learn.
        Features that are to be cached are computed here, because they depend on the weights that
        the backbone has now.

        Args:
            model: the whole model.
            report: shows the progress of computing features.

        Raises:
            DataError: the cache folder has no room for the features.
        """
        # Before compiling, which fixes what is trained.
        self.layers.set_trainable()
        precision = self.images.config.training.precision
        # A head on features takes little time, and its features are computed with float32 anyway.
        set_precision(model, FLOAT32 if self.trains_head_only else precision)
        if not self.trains_head_only:
            return self._compiled(model), self.images
        extractor, head = split_model(model, before_output=self.phase.is_probe)
        head = self._compiled(head)
        if self.caches_features:
            return head, CachedFeatureBatches(self.images, extractor, report)
        return head, ComputedFeatureBatches(self.images, extractor)

    def _compiled(self, model: Any) -> Any:
        """Return the compiled model, or one with the same weights that splits the batches."""
        if self.devices.strategy is not None:
            with self.devices.scope():
                model = replicated_model(model, self.devices, self.images.batch_size)
                divide_clipping(self.optimizer, self.devices.number)
                compile_model(model, self.images.config, self.optimizer)
                model.optimizer.build(model.trainable_variables)  # not possible outside the scope
            return model
        is_split = self.batch_parts > 1 and not self.phase.is_probe
        if is_split:
            model = split_batch_model(model, self.images.part_size)
        compile_model(model, self.images.config, self.optimizer)
        if is_split:
            model.jit_compile = False  # XLA does not know loops over parts of different sizes
        return model


@dataclass(frozen=True)
class Plan:
    """What a training will do.

    Args:
        config: of the training, with a precision for this computer.
        dataset: its images, all of which can be read.
        model: the untrained `keras.Model`.
        phases: in order.
        initial: where the weights of the model come from; None for none of another run.
        batch_parts: into which each batch is split; 1 unless memory is short.
        devices: that learn together.
    """

    config: Config
    dataset: ImageDataset
    model: Any
    phases: tuple[PlannedPhase, ...]
    initial: InitialWeights | None = None
    batch_parts: int = 1
    devices: Devices = ONE_DEVICE


def prepare(
    config: Config,
    report: Report,
    *,
    takes_weights: bool = True,
    batch_parts: int = 1,
    devices: Devices = ONE_DEVICE,
) -> Plan:
    """Check the data, build the model, and plan the phases. Only the pixel cache is written.

    Args:
        config: of the training.
        report: shows what happens.
        takes_weights: False if the weights of `model.weights` would be replaced by a backup's.
        batch_parts: into which each batch is split, because memory is short.
        devices: that learn together.

    Raises:
        CnnkitError: the data or the model cannot be trained as they are.
    """
    check_loggers(config)
    config = with_known_precision(config)
    if warning := precision_warning(config.training.precision):
        report.note(warning)
    takes_weights = takes_weights and config.model.weights is not None
    if takes_weights:  # before images are read: a mistake in the path should show at once
        weights_file(config.model.weights)
    dataset = _load(config.data, report, _memory_check(config, report))
    if config.training.monitor.startswith("val_") and not len(dataset.select("validation")):
        raise UsageError(
            f"training.monitor is {config.training.monitor}, but there are no validation images. "
            "Set data.split.validation above 0, or training.monitor: epoch, which keeps the last "
            "weights."
        )
    if weights := weight_facts(dataset):
        report.note(weights_text(config.data.weight_column, weights))
    # Before the model, whose first operations already depend on it.
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()  # layer names count from one again, as in a fresh process
    num_classes = len(dataset.class_names)
    with devices.scope(), explaining_lack_of_memory(lambda: building_need(config, num_classes)):
        model = build_model(config, num_classes)
    initial = _initial_weights(model, config, dataset, report) if takes_weights else None
    # Phases on the same images share their batches, which depend on nothing but the epoch.
    batches: dict[PhaseDataConfig | None, ImageBatches] = {}
    phases = []
    # All phases now: a mistake in the last one should not show after hours of training.
    for phase in phases_of(config):
        layers = learning_layers(model, phase)
        with devices.scope():
            optimizer = build_optimizer(phase.optimizer, layers.rate_multiples())
        if phase.data not in batches:
            batches[phase.data] = _batches(config, phase.data, dataset, batch_parts, report)
            batches[phase.data].machine = devices.machine, devices.num_machines
        planned = PlannedPhase(phase, layers, optimizer, batches[phase.data], batch_parts, devices)
        phases.append(planned)
    return Plan(config, dataset, model, tuple(phases), initial, batch_parts, devices)


def _initial_weights(
    model: Any, config: Config, dataset: ImageDataset, report: Report
) -> InitialWeights:
    found = take_weights(
        model,
        config.model.weights,
        dataset.class_names,
        partial=config.model.partial_weights,
    )
    for line in found.lines():
        report.note(line)
    if warning := learned_before(config.model.weights, dataset):
        report.note(warning)
    return found


def _load(
    data_config: DataConfig, report: Report, check: Callable[[int, int], None] | None = None
) -> ImageDataset:
    make_builtin(data_config, report)  # here with progress; load_dataset would do it silently
    height, width = data_config.image_size
    with (
        explaining_lack_of_memory(
            lambda: (
                f"The images are read at {height} x {width}, and {this_computer_has()}: lower "
                "data.image_size."
            )
        ),
        report.counting("reading images") as progress,
    ):
        return load_dataset(data_config, progress=progress, note=report.note, check=check)


def _memory_check(config: Config, report: Report) -> Callable[[int, int], None] | None:
    """Return the check of the memory, None on a GPU: how much memory it has is not known here."""
    if tf.config.get_visible_devices("GPU"):
        return None
    return lambda num_classes, num_images: check_fits(config, num_classes, num_images, report.note)


def _batches(
    config: Config,
    data: PhaseDataConfig | None,
    dataset: ImageDataset,
    parts: int,
    report: Report,
) -> ImageBatches:
    """Return the batches of a phase, from its own images if it has any.

    Raises:
        UsageError: these have other classes.
    """
    if data is None:
        return ImageBatches(config, dataset, parts=parts)
    # The weights are a column of data.source.
    changes = {"source": data.source, "shapes": data.shapes, "weight_column": None}
    own = _load(config.data.model_copy(update=changes), report)
    if own.class_names != dataset.class_names:
        differing = sorted(set(own.class_names) ^ set(dataset.class_names))
        raise UsageError(
            f"training.phases: {data.source} has other classes than data.source "
            f"({first_few(differing)}). Choose those that both have with data.classes."
        )
    return ImageBatches(config, own, dataset, parts=parts)
