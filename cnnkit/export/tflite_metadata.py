"""Describe the input and the outputs of a `.tflite` in TensorFlow Lite's own metadata.

MediaPipe, Android Studio and Netron read it: the size and colours of the image, and which of the
files after the model has the labels.

Source: metadata_schema.fbs of MediaPipe. tflite-support, which wrote such metadata, is no longer
maintained, and MediaPipe would bring a second OpenCV; a table of the schema is a few numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import flatbuffers

from cnnkit.backend import tflite_buffers, tflite_schema
from cnnkit.model.calibrated_layers import DISTANCE, PROBABILITIES
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo

_NAME = "TFLITE_METADATA"
_FILE_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
_IMAGE_PROPERTIES, _RGB, _GRAYSCALE = 2, 1, 2
_AXIS_LABELS, _OTHER_FILE = 2, 0  # kinds of associated files
_DESCRIPTIONS = {
    PROBABILITIES: "The probability of each class, in the order of labels.txt.",
    DISTANCE: "How far the picture is from the training images: above largest_distance in "
    "cnnkit.json, the answer is unknown.",
}
_ONE_UNIT = "The probability of the second class in labels.txt."


def with_metadata(content: bytes, info: ModelInfo) -> bytes:
    """Return the content of a `.tflite` with metadata about its image and its outputs.

    Args:
        content: of the file, as the converter returns it.
        info: labels and pixel settings.
    """
    model = tflite_buffers.convert_bytearray_to_object(content)
    buffer = tflite_schema.BufferT()
    buffer.data = _metadata(info, _names(model))
    model.buffers.append(buffer)
    entry = tflite_schema.MetadataT()
    entry.name, entry.buffer = _NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return bytes(tflite_buffers.convert_object_to_bytearray(model))


def output_names(path: Path) -> list[str]:
    """Return the names of the outputs of a file, in its order."""
    return _names(tflite_buffers.read_model(str(path)))


def _names(model: tflite_schema.ModelT) -> list[str]:
    """Return the names of the outputs in the order of the file, which is that of their tensors."""
    outputs = model.subgraphs[0].outputs
    if len(outputs) == 1:
        return [PROBABILITIES]
    names = {each.tensorIndex: each.name.decode() for each in model.signatureDefs[0].outputs}
    return [names[index] for index in outputs]


def _metadata(info: ModelInfo, outputs: Sequence[str]) -> bytes:
    builder = flatbuffers.Builder(1024)
    # Parts come before what contains them.
    labels = _file(builder, LABELS_NAME, "The classes, one per line.", _AXIS_LABELS)
    settings = _file(builder, INFO_NAME, "How images are prepared, and thresholds.", _OTHER_FILE)
    has_all = info.output == "softmax"  # one sigmoid unit has no place for two labels
    tensors = []
    for name in outputs:
        is_labelled = name == PROBABILITIES and has_all
        text = _DESCRIPTIONS[name] if is_labelled or name == DISTANCE else _ONE_UNIT
        files = [(6, _list(builder, [labels]))] if is_labelled else []
        tensors.append(_table(builder, _text(builder, 0, name), _text(builder, 1, text), *files))
    image = _image(builder, info)
    subgraph = _table(builder, (2, _list(builder, [image])), (3, _list(builder, tensors)))
    files = [settings] if has_all else [settings, labels]
    root = _table(
        builder,
        _text(builder, 0, "image classifier"),
        _text(builder, 1, "Written by cnnkit. Raw pixels go in; scaling is part of the model."),
        (3, _list(builder, [subgraph])),
        (6, _list(builder, files)),
        _text(builder, 7, _PARSER_VERSION),
    )
    builder.Finish(root, file_identifier=_FILE_IDENTIFIER)
    return bytes(builder.Output())


def _image(builder: flatbuffers.Builder, info: ModelInfo) -> int:
    height, width = info.pixels.image_size
    size = _table(builder, _number(0, width, "Uint32"), _number(1, height, "Uint32"))
    colour = _GRAYSCALE if info.pixels.color_mode == "grayscale" else _RGB
    properties = _table(builder, _number(0, colour, "Int8"), (1, size))
    content = _table(builder, _number(0, _IMAGE_PROPERTIES, "Uint8"), (1, properties))
    return _table(
        builder,
        _text(builder, 0, "image"),
        _text(builder, 1, f"uint8 pixels from 0 to 255, {height} x {width}."),
        (3, content),
    )


def _file(builder: flatbuffers.Builder, name: str, description: str, kind: int) -> int:
    return _table(
        builder, _text(builder, 0, name), _text(builder, 1, description), _number(2, kind, "Int8")
    )


def _list(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def _text(builder: flatbuffers.Builder, place: int, text: str) -> tuple[int, int]:
    return place, builder.CreateString(text)


def _number(place: int, value: int, kind: str) -> tuple[int, int, str]:
    return place, value, kind


def _table(builder: flatbuffers.Builder, *fields: tuple) -> int:
    """Write a table of fields (place, offset) or (place, number, type), and return its offset."""
    builder.StartObject(1 + max(place for place, *_ in fields))
    for place, value, *kind in fields:
        if kind:
            getattr(builder, f"Prepend{kind[0]}Slot")(place, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(place, value, 0)
    return builder.EndObject()
