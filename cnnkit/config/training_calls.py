"""The optimizers, losses, loggers and schedules of our own, and their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from cnnkit.config.keras_types import argument_type
from cnnkit.config.problems import bad_value, shown
from cnnkit.config.signatures import Argument, Signature
from cnnkit.config.values import (
    Flag,
    Number,
    NumberAbove0,
    NumberFrom0,
    Positive,
    Text,
    list_of,
)

# --- optimizers


OWN_OPTIMIZERS: dict[str, Signature] = {
    # Measured with configs/cifar10_fast.yaml.
    "muon": {
        "learning_rate": Argument(NumberAbove0, 0.1),
        "momentum": Argument(argument_type("SGD", "momentum", 0.0), 0.6),
        "weight_decay": Argument(NumberFrom0, 0.1),
        "sgd_lr_ratio": Argument(NumberAbove0, 5.0),
    },
}


# --- loggers and losses

LOGGERS: dict[str, Signature] = {
    "mlflow": {
        "tracking_uri": Argument(Text | None, None),
        "experiment": Argument(Text, "cnnkit"),
    },
    "trackio": {"project": Argument(Text, "cnnkit")},
}

# Keras's names, defaults and order. Label smoothing is a key of its own, for all of them.
_FOCAL: Signature = {
    "alpha": Argument(Annotated[NumberAbove0, Le(1)], 0.25),
    "gamma": Argument(NumberFrom0, 2.0),
}
LOSSES: dict[str, Signature] = {
    "categorical_crossentropy": {},
    "categorical_focal_crossentropy": _FOCAL,
    "binary_crossentropy": {},
    "binary_focal_crossentropy": {**_FOCAL, "apply_class_balancing": Argument(Flag, False)},
}


# --- schedules of the learning rate

_Factor = Annotated[Number, Gt(0), Lt(1)]
_FINAL = {"final_fraction": Argument(Annotated[Number, Ge(0), Le(1)], 0.0)}
SCHEDULES: dict[str, Signature] = {
    "constant": {},
    "cosine": _FINAL,
    "cosine_restarts": {
        "first_epochs": Argument(Positive),
        "t_mul": Argument(Annotated[Number, Ge(1)], 2.0),
        "m_mul": Argument(Annotated[Number, Gt(0), Le(1)], 1.0),
        **_FINAL,
    },
    # The defaults of fastai and PyTorch.
    "one_cycle": {
        "warmup_fraction": Argument(_Factor, 0.3),
        "start_fraction": Argument(_Factor, 0.04),
        **_FINAL,
    },
    "polynomial": {"power": Argument(NumberAbove0, 1.0), **_FINAL},
    "exponential": {"decay_rate": Argument(_Factor), "every_epochs": Argument(Positive, 1)},
    "inverse_time": {"decay_rate": Argument(NumberAbove0), "every_epochs": Argument(Positive, 1)},
    "step": {"every_epochs": Argument(Positive), "factor": Argument(_Factor, 0.1)},
    "piecewise_constant": {
        "boundaries": Argument(list_of(Positive)),
        "factors": Argument(list_of(NumberAbove0)),
    },
    "plateau": {
        "patience": Argument(Positive, 3),
        "factor": Argument(_Factor, 0.1),
        "min_learning_rate": Argument(NumberFrom0, 0.0),
    },
}


# Family -> name -> arguments.
TRAINING_CALLS = {
    "optimizers": OWN_OPTIMIZERS,
    "schedules": SCHEDULES,
    "losses": LOSSES,
    "loggers": LOGGERS,
}


def check_schedule(arguments: Mapping[str, Any]) -> None:
    """Refuse boundaries that do not rise, or that are not as many as the factors.

    Raises:
        PydanticCustomError: one of these.
    """
    boundaries, factors = arguments.get("boundaries", []), arguments.get("factors", [])
    if boundaries != sorted(set(boundaries)):
        raise bad_value(f"boundaries must rise, received {shown(boundaries)}.")
    if len(boundaries) != len(factors):
        raise bad_value(
            f"expected as many factors as boundaries, received {len(factors)} and "
            f"{len(boundaries)}. The factor before the first boundary is 1."
        )
