"""Run the model in an OpenVINO folder: model.xml with the graph, model.bin with the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError
from cnnkit.model.calibrated_layers import Outputs
from cnnkit.model.loading import naming_damage
from cnnkit.utf8_paths import utf8_alias

GRAPH_NAME = "model.xml"


def is_openvino(folder: Path) -> bool:
    """Tell whether a folder has a model of OpenVINO; a run is a folder too."""
    return (folder / GRAPH_NAME).is_file()


def openvino_outputs(folder: Path) -> tuple[Outputs, Outputs]:
    """Load the model of a folder.

    Returns:
        A function from pixels to the outputs, and one for several threads at a time.

    Raises:
        UsageError: the folder is damaged, or OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise UsageError(
            f'Reading {folder} needs OpenVINO: pip install "cnnkit[openvino]".'
        ) from error
    with naming_damage(folder), utf8_alias(folder) as alias:
        core = openvino.Core()
        # Without this hint, OpenVINO may compute in bfloat16 on processors that have it.
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(str(alias / GRAPH_NAME), "CPU", options)
    names = [output.any_name for output in compiled.outputs]

    def outputs(pixels: NDArray) -> dict[str, NDArray]:
        rows: dict[str, list[NDArray]] = {name: [] for name in names}
        for one in pixels:  # the file takes one image at a time
            found = compiled.create_infer_request().infer([one[None]])
            for place, name in enumerate(names):
                rows[name].append(np.array(found[place][0]))
        return {name: np.array(values) for name, values in rows.items()}

    return outputs, outputs
