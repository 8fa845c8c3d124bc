"""Write a Keras model and its info as a folder of OpenVINO: a graph, weights, and labels.

OpenVINO reads the `.tflite` itself, so no converter of Keras models takes part.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from cnnkit.export.tflite_file import write_tflite
from cnnkit.export.tflite_metadata import output_names
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo
from cnnkit.openvino_folder import GRAPH_NAME


def write_openvino(model: Any, info: ModelInfo, path: Path) -> None:
    """Write model.xml and model.bin in float32, labels.txt and cnnkit.json.

    The graph takes one image at a time; its outputs are called as in other formats.
    """
    import openvino

    path.mkdir()
    with tempfile.TemporaryDirectory(dir=path) as folder:
        tflite = Path(folder) / "model.tflite"
        write_tflite(model, info, tflite, num_images=1)
        read = openvino.Core().read_model(str(tflite))
        for output, name in zip(read.outputs, output_names(tflite), strict=True):
            output.get_tensor().set_names({name})
        read.set_rt_info(info.to_json(), ["cnnkit"])
        openvino.save_model(read, str(path / GRAPH_NAME), compress_to_fp16=False)
    for name, text in ((LABELS_NAME, info.labels()), (INFO_NAME, info.to_json())):
        (path / name).write_text(text, encoding="utf-8")
