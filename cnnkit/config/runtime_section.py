"""The keys of the `runtime` section: on what a training computes, not what it computes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from cnnkit.config.values import Custom, MismatchError, NumberAbove0, Section
from cnnkit.errors import nearest_name

DEVICE_NAMES = ("auto", "cpu", "all")
_ONE_GPU = r"gpu:\d+"


def _read_devices(value: Any) -> str:
    if isinstance(value, str) and (value in DEVICE_NAMES or re.fullmatch(_ONE_GPU, value)):
        return value
    names = (*DEVICE_NAMES, "gpu:0")
    raise MismatchError(nearest=nearest_name(value, names) if isinstance(value, str) else "")


DeviceName = Annotated[
    str,
    Custom(
        "auto, cpu, all, or one GPU such as gpu:0",
        read=_read_devices,
        schema={
            "anyOf": [{"enum": list(DEVICE_NAMES)}, {"type": "string", "pattern": r"^gpu:\d+$"}]
        },
    ),
]


class RuntimeConfig(Section):
    """On what a training computes."""

    devices: DeviceName = Field(
        "auto",
        description="auto for the first GPU, or the CPU if there is none; cpu; gpu:0 or another "
        "number for that GPU; all for all GPUs, which share each batch.",
    )
    wait_minutes: NumberAbove0 = Field(
        10.0,
        description="If several machines train together: how long one waits for the others before "
        "it gives up.",
    )
