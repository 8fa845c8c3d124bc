"""Image classification from one YAML file: the commands of cnnkit, for Python.

>>> import cnnkit
>>> run = cnnkit.train("configs/digits_lenet5.yaml")        # doctest: +SKIP
>>> cnnkit.load_run("runs/digits_lenet5").predict(["a.png"])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnkit.version import VERSION as __version__

if TYPE_CHECKING:
    from cnnkit.api import (
        calibrate,
        compare,
        diagnose,
        load_config,
        resume,
        train,
        tune,
        write_report,
    )
    from cnnkit.trained_model import TrainedModel, load_run

__all__ = [
    "TrainedModel",
    "__version__",
    "calibrate",
    "compare",
    "diagnose",
    "load_config",
    "load_run",
    "resume",
    "train",
    "tune",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, so that `import cnnkit` takes no time."""
    if name in ("TrainedModel", "load_run"):  # without what reads configs
        from cnnkit import trained_model

        return getattr(trained_model, name)
    if name in __all__:
        from cnnkit import api

        return getattr(api, name)
    raise AttributeError(f"module 'cnnkit' has no attribute {name!r}")
