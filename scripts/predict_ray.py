"""Predict images on a Ray cluster: the answers, rows and files of `cnnkit predict`.

    python scripts/predict_ray.py photos/ --model runs/photos --output answers.csv --actors 16
    python scripts/predict_ray.py s3://photos/2024/ --model runs/photos -o answers.parquet --resume

Each actor answers on one core. Paths and answers travel, pixels do not: every computer has to see
the images by the same paths or addresses, and needs cnnkit; the model is sent to it. An actor that
is lost is replaced and its images are answered again. If this program ends early, the answers so
far are in OUTPUT.partial, and the same command with --resume computes the others.

Without the environment variable RAY_ADDRESS, the cluster is this computer alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import ray
import ray.data

from cnnkit.data.sources.ignored import Ignored
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.litert import litert_outputs
from cnnkit.model.model_info import read_appended_info
from cnnkit.output_guard import ANSWERS, check_output
from cnnkit.prediction import Prediction, predict
from cnnkit.prediction.archived_images import ArchivedImage
from cnnkit.prediction.find_images import NoImages
from cnnkit.prediction.image_sources import ImageSources
from cnnkit.prediction.kept_answers import KeptAnswers, kept_answers
from cnnkit.prediction.output_formats import format_of, with_pace, write_predictions
from cnnkit.runtimes import Predictor, find_model_file, predictor_of

MOST_IN_BLOCK = 256  # paths that travel together, and answers that are lost with an actor
_FACTS = {
    "error": pyarrow.string(),
    "kind": pyarrow.string(),
    "distance": pyarrow.float64(),
    "reason": pyarrow.string(),
}
# Names of files need not be UTF-8, and numbers should stay the same bits: both travel as bytes.
_SCHEMA = pyarrow.schema({"path": pyarrow.binary(), "probabilities": pyarrow.binary(), **_FACTS})


def main() -> None:
    """Predict, and exit like `cnnkit predict`."""
    arguments = _parser().parse_args()
    try:
        failed = predict_on_cluster(arguments)
    except CnnkitError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(1 if failed else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder, glob or address")
    parser.add_argument("--model", help="run or .tflite file; by default the newest finished run")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--actors", type=int, help="by default one per core of the cluster")
    parser.add_argument("--topk", type=int, default=1, help="how many classes to name per image")
    parser.add_argument("--resume", action="store_true", help="continue with OUTPUT.partial")
    parser.add_argument("--overwrite", action="store_true", help="replace OUTPUT")
    parser.add_argument("--allow-private-addresses", action="store_true", dest="allow_private")
    return parser


def predict_on_cluster(arguments: argparse.Namespace) -> int:
    """Write all answers; return how many images could not be read."""
    model = find_model_file(arguments.model, Path(RUNS_FOLDER), _say)
    if model.suffix != ".tflite":
        raise UsageError(f"{model} cannot be sent to the computers of a cluster: give a .tflite.")
    output: Path = arguments.output
    inputs = [*arguments.images, model]
    check_output(output, "--output", ANSWERS, overwrite=arguments.overwrite, inputs=inputs)
    ignored, predictor = Ignored(), predictor_of(model)
    images = list(ImageSources().find(arguments.images, ignored))
    if any(isinstance(image, ArchivedImage) for image in images):
        raise UsageError("Images in archives do not travel: unpack them where all can see them.")
    # Workers write what they have to say into the logs of Ray.
    ray.init(log_to_driver=False, logging_level="warning", ignore_reinit_error=True)
    names = predictor.info.class_names
    keeping = {"resume": arguments.resume, "overwrite": arguments.overwrite}
    with kept_answers(output, model, names, **keeping) as kept:
        total, failed = write_predictions(
            with_pace(_in_order(images, kept, predictor, arguments), _say),
            names,
            format_of(output),
            arguments.topk,
            output,
            ignored,
            is_calibrated=predictor.info.calibration is not None,
        )
    _say(f"{total:,} images, of which {failed:,} could not be read.")
    return failed


def _in_order(
    images: Sequence[Any], kept: KeptAnswers, predictor: Predictor, arguments: argparse.Namespace
) -> Iterator[Prediction]:
    """Yield an answer per image: that of an earlier run, or the next one from the cluster."""
    missing = [
        str(image)
        for image in images
        if not isinstance(image, NoImages) and kept.find(str(image)) is None
    ]
    answers = _answers(missing, predictor, arguments)
    answer = next(answers, None)
    for image in images:
        if answer is not None and answer.path == str(image):
            kept.add(answer)
            yield answer
            answer = next(answers, None)
        else:
            yield kept.find(str(image)) or next(predict(predictor, [image]))


def _answers(
    names: Sequence[str], predictor: Predictor, arguments: argparse.Namespace
) -> Iterator[Prediction]:
    """Yield the answers of the cluster, in the order of the names."""
    if not names:
        return
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    actors = arguments.actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
    in_block = min(MOST_IN_BLOCK, 1 + len(names) // (4 * actors))
    paths = pyarrow.table({"path": [os.fsencode(name) for name in names]})
    # Cut here, because to let Ray cut them would need a core that the actors leave free.
    blocks = [paths.slice(begin, in_block) for begin in range(0, len(names), in_block)]
    model = ray.put(predictor.path.read_bytes())  # kept until the end: a new actor needs it, too
    answered = ray.data.from_arrow(blocks).map_batches(
        Actor,
        fn_constructor_args=(model, arguments.allow_private),
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
    )
    for block in answered.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in block.to_pylist():
            yield _prediction(row, predictor.info.class_names)


class Actor:
    """Answers the images of a block on one core.

    Args:
        model: the bytes of the `.tflite` file, as Ray keeps them.
        allow_private: see `ImageSources`.
    """

    def __init__(self, model: ray.ObjectRef[bytes], allow_private: bool) -> None:
        self._folder = tempfile.TemporaryDirectory()  # as long as the model is in use
        path = Path(self._folder.name, "model.tflite")
        path.write_bytes(ray.get(model))
        outputs = litert_outputs(path, num_threads=1)
        self._predictor = Predictor(path, read_appended_info(path), outputs)
        self._sources = ImageSources(allow_private=allow_private)

    def __call__(self, block: pyarrow.Table) -> pyarrow.Table:
        """Return rows of answers for rows with paths."""
        names = map(os.fsdecode, block["path"].to_pylist())
        images = map(self._sources.named, names)
        answers = predict(self._predictor, images, num_cores=1)
        return pyarrow.Table.from_pylist([_row(each) for each in answers], schema=_SCHEMA)


def _row(answer: Prediction) -> dict[str, Any]:
    values = answer.probabilities
    facts = {field: getattr(answer, field) for field in _FACTS}
    return {
        "path": os.fsencode(answer.path),
        "probabilities": None if values is None else values.tobytes(),
        **facts,
    }


def _prediction(row: dict[str, Any], class_names: tuple[str, ...]) -> Prediction:
    values = row["probabilities"]
    return Prediction(
        os.fsdecode(row["path"]),
        class_names,
        None if values is None else np.frombuffer(values, np.float32),
        **{field: row[field] for field in _FACTS},
    )


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
