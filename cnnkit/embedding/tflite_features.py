"""Cut the classifier off a `.tflite`, so that it gives features. TensorFlow is not needed.

The features are the input of the last fully connected layer, or of the last convolution if that is
the classifier. The file is a table of operations, so another tensor is named as the output, and
what no longer leads to it is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.model.calibrated_layers import PROBABILITIES

_CLASSIFIERS = ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL")
# What may follow the classifier: they change numbers or shapes, not what they stand for.
_AFTER = ("SOFTMAX", "LOGISTIC", "RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE", "MUL", "ADD")


def feature_tflite(path: Path) -> bytes:
    """Return the content of a `.tflite` that gives the features instead of probabilities.

    Args:
        path: a `.tflite` file that can be loaded.

    Raises:
        UsageError: its last layers are no classifier.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph, kinds = model.subgraphs[0], _kinds(schema, model.operatorCodes)
    makers = {output: each for each in graph.operators for output in each.outputs}
    features = _features(path, makers, kinds, _answer(model, graph))
    graph.operators = _leading_to(features, graph.operators, makers)
    graph.outputs = [features]
    model.signatureDefs = None  # they name the old outputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _kinds(schema: Any, codes: Sequence[Any]) -> list[str]:
    """Return the name of each operation that the model uses."""
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    # Old files have the number in another place.
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in codes]


def _answer(model: Any, graph: Any) -> int:
    """Return the tensor of the probabilities; a calibrated model has another output as well."""
    if len(graph.outputs) > 1:
        for output in model.signatureDefs[0].outputs:
            if output.name == PROBABILITIES.encode():
                return output.tensorIndex
    return int(graph.outputs[0])


def _features(path: Path, makers: Mapping[int, Any], kinds: Sequence[str], tensor: int) -> int:
    """Go back from the answer to the classifier, and return its input."""
    while (maker := makers.get(tensor)) is not None:
        kind = kinds[maker.opcodeIndex]
        if kind in _CLASSIFIERS:
            return int(maker.inputs[0])
        if kind not in _AFTER:
            break
        # Of an operation with two inputs, the other one is a constant.
        tensor = next((int(each) for each in maker.inputs if int(each) in makers), -1)
    raise UsageError(
        f"{path} does not end with a fully connected layer and softmax, so it is not known where "
        "its features are."
    )


def _leading_to(tensor: int, operators: Sequence[Any], makers: Mapping[int, Any]) -> list[Any]:
    """Return the operations that a tensor needs, in their order."""
    needed, waiting = set(), [tensor]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and id(maker) not in needed:
            needed.add(id(maker))
            waiting += [int(each) for each in maker.inputs]
    return [each for each in operators if id(each) in needed]
