"""A config enters; its untrained model, as a `.keras` file, leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.explore.layer_summary import config_and_classes


def build_and_save(
    path: Path,
    overrides: Sequence[str],
    num_classes: int | None,
    output: Path,
    *,
    overwrite: bool,
    note: Callable[[str], Any] = str,
) -> dict[str, Any]:
    """Build a config's model with Keras, untrained, and save it; `note` as for `summarize`.

    Raises:
        UsageError: the config is wrong, or the file exists and must not be replaced.
    """
    if output.suffix != ".keras":
        raise UsageError(f"--output {output}: the name must end in .keras.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists. Give another --output, or --overwrite.")
    config, classes = config_and_classes(path, overrides, num_classes, note)
    from cnnkit.model.build_model import build_model

    model = build_model(config, classes)
    output.parent.mkdir(parents=True, exist_ok=True)
    model.save(output)
    return {
        "file": str(output),
        "parameters": model.count_params(),
        "num_classes": classes,
        "input_shape": model.input_shape[1:],
        "output_shape": model.output_shape[1:],
    }
