"""Find the function of a SavedModel that turns images into features, and its variables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnkit.backend import tf
from cnnkit.errors import UsageError, did_you_mean

# If a module has several and the config names none, the first of these that it has is used. The
# first two are TF Hub's convention; "serving_default" is the default name in TensorFlow 2.
_SIGNATURES = ("image_feature_vector", "default", "serving_default")


@dataclass(frozen=True, eq=False)
class Endpoint:
    """A module's function from images to features.

    Args:
        name: `__call__`, or the name of a signature.
        image: the `tf.TensorSpec` of its input.
        run: (images, training) -> features.
        variables: the `tf.Variable`s that it reads, always in the same order.
        trainable: for each variable, whether the module allows it to learn.
        losses: functions without arguments; each returns a regularisation loss.
    """

    name: str
    image: Any
    run: Callable[[Any, bool], Any]
    variables: tuple[Any, ...]
    trainable: tuple[bool, ...]
    losses: tuple[Callable[[], Any], ...] = ()

    @property
    def can_train(self) -> bool:
        """Whether the module can learn; a signature is a function for inference only."""
        return self.name == "__call__"


def endpoint_of(module: Any, signature: str | None = None) -> Endpoint:
    """Return the `__call__` of a module, or a signature if it has no `__call__`.

    Args:
        module: a loaded SavedModel.
        signature: the signature to use, even if there is a `__call__`.

    Raises:
        UsageError: there is no such function, or it takes or returns more than one tensor.
    """
    functions = _concrete(module.__call__) if callable(module) else []
    if functions and signature is None:
        return _call_endpoint(module, functions)
    return _signature_endpoint(module, signature)


def _concrete(function: Any) -> list[Any]:
    return list(getattr(function, "concrete_functions", None) or ())


def _call_endpoint(module: Any, functions: Sequence[Any]) -> Endpoint:
    call = module.__call__
    parameters = inspect.signature(call).parameters
    specs = [_first_argument(function) for function in functions]
    if _num_needed(parameters) != 1 or not all(isinstance(spec, tf.TensorSpec) for spec in specs):
        raise UsageError(
            "model.backbone.hub: the __call__ of the module does not take exactly one tensor, but "
            "a backbone takes images and nothing else. Use another module."
        )
    # A module that was only traced for inference raises an error if it is called for training.
    takes_training = "training" in parameters
    can_be_true = any(_is_for_training(call, function) for function in functions)

    def run(images: Any, training: bool) -> Any:
        if not takes_training:
            return call(images)
        return call(images, training=training and can_be_true)

    losses = tuple(getattr(module, "regularization_losses", None) or ())
    # A loss may read variables that the features do not depend on.
    inner = [part for loss in losses for part in _concrete(loss)]
    variables = _variables_of(module, [*functions, *inner])
    return Endpoint(
        "__call__",
        _widest(specs),
        run,
        variables,
        _which_learn(module, variables),
        losses,
    )


def _first_argument(function: Any) -> Any:
    positional, named = function.structured_input_signature
    return next(iter((*positional, *named.values())), None)


def _num_needed(parameters: Mapping[str, inspect.Parameter]) -> int:
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [part for part in parameters.values() if part.default is part.empty]
    return sum(part.kind not in several for part in needed)


def _is_for_training(call: Any, function: Any) -> bool:
    """Tell whether one traced function of a call accepts training=True."""
    positional, named = function.structured_input_signature
    given = inspect.signature(call).bind(*positional, **named).arguments.get("training")
    return given is True or isinstance(given, tf.TensorSpec)


def _widest(specs: Sequence[Any]) -> Any:
    """Return the spec that takes batches of any size, or the first one if none does."""
    free = [spec for spec in specs if spec.shape.rank is None or spec.shape[0] is None]
    return (free or list(specs))[0]


def _signature_endpoint(module: Any, wanted: str | None) -> Endpoint:
    name = _signature_name(module, wanted)
    function = module.signatures[name]
    inputs = function.structured_input_signature[1]
    outputs = function.structured_outputs
    # Modules of TF1 Hub also return the outputs of inner layers; the features are "default".
    key = "default" if "default" in outputs else next(iter(outputs))
    if len(inputs) != 1 or (len(outputs) != 1 and key != "default"):
        raise UsageError(
            f"model.backbone.hub: the signature {name} of the module takes {', '.join(inputs)} and "
            f"returns {', '.join(outputs)}. A backbone takes images alone and returns one tensor "
            "of features. Use another signature or module."
        )
    [(argument, image)] = inputs.items()

    def run(images: Any, training: bool) -> Any:
        return function(**{argument: images})[key]

    variables = _variables_of(module, [function])
    return Endpoint(name, image, run, variables, (False,) * len(variables))


def _signature_name(module: Any, wanted: str | None) -> str:
    names = list(getattr(module, "signatures", None) or ())
    usual = [name for name in _SIGNATURES if name in names]
    if wanted is None and (usual or len(names) == 1):
        return (usual or names)[0]
    if wanted in names:
        return wanted
    if not names:
        raise UsageError(
            "model.backbone.hub: the module has neither a __call__ nor a signature, so it has no "
            "function that takes images. Use another module, or export this one with a signature."
        )
    listed = f"Its signatures: {', '.join(names)}."
    if wanted is None:
        raise UsageError(
            "model.backbone.hub: the module has several signatures and no __call__. Set "
            f"model.backbone.signature to one of them. {listed}"
        )
    raise UsageError(
        f"model.backbone.signature: the module has no signature {wanted}."
        f"{did_you_mean(wanted, names)} {listed}"
    )


def _variables_of(module: Any, functions: Sequence[Any]) -> tuple[Any, ...]:
    """Return the variables that any of the functions reads or changes.

    A module may have more variables; those that no function uses are not needed.
    """
    # A traced function captures the handles of the variables that it uses.
    captured = {id(tensor) for function in functions for tensor in function.captured_inputs}
    parts = tf.train.TrackableView(module).descendants()
    variables = [part for part in parts if isinstance(part, tf.Variable)]
    return tuple(variable for variable in variables if id(variable.handle) in captured)


def _which_learn(module: Any, variables: Sequence[Any]) -> tuple[bool, ...]:
    """Return for each variable whether the module allows it to learn.

    A module of TF Hub lists the variables that learn; a plain `tf.Module` marks each variable.
    """
    listed = getattr(module, "trainable_variables", None)
    if listed is None:
        return tuple(variable.trainable for variable in variables)
    chosen = {id(variable) for variable in listed}
    return tuple(id(variable) in chosen for variable in variables)
