"""Explain the answers of a model for images: from paths to maps, pictures and JSON files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import ImageError, UsageError, did_you_mean
from cnnkit.explanation.explanation import Explanation, Explanations
from cnnkit.explanation.faithfulness import deletion_and_insertion
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.methods import METHODS, HeatMap, heat_map
from cnnkit.explanation.mistakes import Mistake, MistakesToExplain, confident_mistakes
from cnnkit.explanation.model_layers import DEFAULT_QUESTION, Question, layers_for
from cnnkit.explanation.neighbours import TrainingImages, training_images
from cnnkit.explanation.target import Target
from cnnkit.foreign.chosen_model import find_chosen, load_chosen
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.new_folders import check_writable, make_numbered_folder
from cnnkit.prediction import find_images, pixels_of, read_ahead
from cnnkit.progress import Report
from cnnkit.runs import Run, run_around
from cnnkit.runtimes import Predictor
from cnnkit.text import first_few, shown


def explain_images(
    images: Iterable[str | bytes],
    model: str | os.PathLike[str] | None,
    runs_folder: Path,
    question: Question = DEFAULT_QUESTION,
    *,
    how: HowToRead | None = None,
    errors: MistakesToExplain | None = None,
    output: Path | None = None,
    write: bool = True,
    report: Report | None = None,
) -> Explanations:
    """Explain images with a run or a model file.

    Args:
        images: files, folders and globs, or the bytes of image files.
        model: as for `choose_model`. Methods with gradients need a run, a `.keras` or `.h5` file,
            or the name of a network.
        runs_folder: where run names are looked up.
        question: what is asked about each of them.
        how: what is said about a model that cnnkit did not write.
        errors: explain these mistakes of the run instead of `images`: why the wrong class, and not
            the right one.
        output: a new or an empty folder to write to; by default `explanation/` of the run.
        write: whether files are written.
        report: shows the progress and notes.

    Raises:
        UsageError: the model, a class or a layer does not exist, or nothing can be written.
        DataError: the mistakes of the run cannot be found, or a map is not finite.
    """
    report = report or Report()
    _check_methods(question.methods)
    path = find_chosen(model, runs_folder, report.note)
    if model is None:
        report.note(f"model: {path}")
    run = run_around(path)
    folder = _folder(output, run) if write else None
    mistakes = _mistakes(run, path, errors) if errors else None
    predictor = load_chosen(path, how or HowToRead(), report.note)
    _check_classes(question, predictor.info.class_names)
    # Only now, because loading it imports TensorFlow, which takes seconds.
    opened = layers_for(model, predictor, run, question)
    alike = None
    if question.num_neighbours and opened is not None:
        alike = training_images(opened, report)
    gradients = ModelGradients(opened.steps if opened else ())
    ask = partial(_explanation, predictor, gradients, question, alike)
    done: list[Explanation] = []
    failed: list[tuple[str, str]] = []
    with report.counting("images") as advance:
        todo = list(find_images_or_bytes(images)) if mistakes is None else mistakes
        read = partial(_pixels, settings=predictor.info.pixels)
        pairs = zip(todo, read_ahead(todo, read), strict=True)
        for number, (image, (_, future)) in enumerate(pairs, 1):
            name, label = _name_and_label(image)
            try:
                found = ask(name, future.result(), label)
            except ImageError as error:
                failed.append((name, str(error)))
                continue
            done.append(_written(found, folder) if folder else found)
            advance(number, len(todo))
    return Explanations(path, done, failed)


class ImageExplainer:
    """Explains one image after the other with a model that is loaded once.

    Args:
        path: a model file; its run, if it is in one, has the layers.
        methods: that will be asked for.
        how: what is said about a model that cnnkit did not write.

    Raises:
        UsageError: the file cannot be loaded, or the methods need gradients and it has none.
    """

    def __init__(self, path: Path, methods: Sequence[str], how: HowToRead | None = None) -> None:
        _check_methods(methods)
        run = run_around(path)
        self.predictor = load_chosen(path, how or HowToRead(), lambda sentence: None)
        opened = layers_for(None if run else path, self.predictor, run, Question(methods))
        self.steps = opened.steps if opened else []
        self._gradients = ModelGradients(self.steps)

    def explain(self, name: str, pixels: NDArray, question: Question) -> Explanation:
        """Return the explanation of an image.

        Args:
            name: of the image.
            pixels: uint8 (height, width, channels), of the model's size.
            question: what is asked.

        Raises:
            UsageError: the model has no such class or layer.
            DataError: a map is not finite.
        """
        _check_classes(question, self.predictor.info.class_names)
        return _explanation(self.predictor, self._gradients, question, None, name, pixels, None)


def find_images_or_bytes(images: Iterable[str | bytes]) -> Iterable[str | bytes]:
    """Yield the image files of paths, folders and globs; bytes are yielded as they are."""
    for image in images:
        yield from [image] if isinstance(image, bytes) else find_images([image])


def _pixels(image: str | bytes | Mistake, settings: object) -> NDArray:
    return pixels_of(image.file if isinstance(image, Mistake) else image, settings)


def _name_and_label(image: str | bytes | Mistake) -> tuple[str, str | None]:
    if isinstance(image, Mistake):
        return image.path, image.label
    return ("-" if isinstance(image, bytes) else str(image)), None


def _check_methods(methods: Sequence[str]) -> None:
    for method in methods:
        if method not in METHODS:
            raise UsageError(
                f"There is no method {shown(method)}.{did_you_mean(method, METHODS)} There are "
                f"{first_few(METHODS, len(METHODS))}."
            )


def _check_classes(question: Question, class_names: Sequence[str]) -> None:
    for name in (question.class_name, question.against):
        if name is not None and name not in class_names:
            raise UsageError(
                f"The model has no class {shown(name)}."
                f"{did_you_mean(name, class_names)} It has {first_few(class_names, 40)}."
            )
    if question.against is not None and question.against == question.class_name:
        raise UsageError(
            f"--class and --against are both {shown(question.against)}. Name two classes."
        )


def _mistakes(run: Run | None, path: Path, wanted: MistakesToExplain) -> list[Mistake]:
    if run is None:
        raise UsageError(
            f"{path} does not belong to a run, so its mistakes are not known. Give a run folder, "
            "or name the images."
        )
    return confident_mistakes(run, wanted.number, wanted.evaluation)


def _folder(output: Path | None, run: Run | None) -> Path:
    """Return the folder in which each image gets a folder of its own."""
    if output is None and run is None:
        raise UsageError("The model does not belong to a run. Name a folder with --output.")
    folder = output or run.folder / "explanation"
    check_writable(folder, "Choose another --output.")
    if output is not None and output.is_dir() and any(output.iterdir()):
        raise UsageError(
            f"--output {shown(str(output))} is not empty. Choose a new or an empty folder."
        )
    return folder


def _explanation(
    predictor: Predictor,
    gradients: ModelGradients,
    question: Question,
    alike: TrainingImages | None,
    path: str,
    pixels: NDArray,
    label: str | None,
) -> Explanation:
    names = predictor.info.class_names
    probabilities = predictor(pixels[np.newaxis])[0]
    predicted = int(probabilities.argmax())
    wanted = predicted if question.class_name is None else names.index(question.class_name)
    other = question.against if question.against is not None else label
    against = None if other is None else names.index(other)
    if against == wanted:
        raise ImageError(
            f"it is {names[wanted]} that is explained, so it cannot be compared with itself; "
            "choose another --against, or name another --class",
            kind="usage",
        )
    target = Target(wanted, against)
    maps = [
        heat_map(
            method,
            pixels,
            target,
            probabilities_of=predictor,
            gradients=gradients,
            layer=question.layer,
        )
        for method in question.methods
    ]
    if question.faithfulness:
        score = partial(_scored, pixels=pixels, probability_of=_probability(predictor, wanted))
        maps = [score(found) for found in maps]
    neighbours = alike.nearest(pixels, question.num_neighbours) if alike else []
    return Explanation(
        path, pixels, names, probabilities, target, maps, label, neighbours=neighbours
    )


def _probability(predictor: Predictor, label: int) -> Callable[[NDArray], NDArray]:
    return lambda images: predictor(images)[:, label]


def _scored(
    found: HeatMap, *, pixels: NDArray, probability_of: Callable[[NDArray], NDArray]
) -> HeatMap:
    deletion, insertion = deletion_and_insertion(probability_of, pixels, found.values)
    return replace(found, facts={**found.facts, "deletion": deletion, "insertion": insertion})


def _written(found: Explanation, folder: Path) -> Explanation:
    """Write the files of one image into a new folder that has its name."""
    own = make_numbered_folder(folder / (Path(found.path).stem.lstrip("-. ") or "image"))
    found = replace(found, folder=own)
    found.write(own)
    return found
