"""A trained model for Python: predict, explain, evaluate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.sources.ignored import Ignored
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import DataError, ImageError
from cnnkit.foreign.chosen_model import find_chosen, load_chosen
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.prediction import Prediction, is_one_image, predict
from cnnkit.prediction.image_sources import ImageSources
from cnnkit.runtimes import Predictor

if TYPE_CHECKING:
    from cnnkit.evaluation.scores import Evaluation
    from cnnkit.explanation.explanation import Explanations


class TrainedModel:
    """The model of a run, or a model file, ready to predict.

    Args:
        model: a run folder or name; a `.tflite`, `.onnx`, `.keras` or `.h5` file or a SavedModel
            folder; or the name of a network, such as MobileNetV2. None means the newest finished
            run.
        runs_folder: where run names are looked up.
        how: what is said about a file that cnnkit did not write.

    Raises:
        UsageError: there is no such model.
    """

    def __init__(
        self,
        model: str | os.PathLike | None = None,
        runs_folder: str | os.PathLike = RUNS_FOLDER,
        how: HowToRead | None = None,
    ) -> None:
        self._how = how or HowToRead()
        path = find_chosen(model, Path(runs_folder))
        self.predictor: Predictor = load_chosen(path, self._how, note=lambda sentence: None)
        self._runs_folder = Path(runs_folder)
        # By its path: another run may be the newest one later.
        self._model = model if model is not None else self.predictor.path.parent

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in label order."""
        return self.predictor.info.class_names

    def predict(
        self, images: Iterable[str | Path | bytes], *, allow_private_addresses: bool = False
    ) -> list[Prediction]:
        """Return one prediction per image.

        If a file cannot be read, its prediction has an `error` and no probabilities.

        Args:
            images: paths, folders, globs, zip or tar archives, addresses (http, https, s3 and
                others that fsspec reads), or the bytes of image files.
            allow_private_addresses: whether http and https may lead to this computer or into
                private networks.
        """
        images = [images] if isinstance(images, str | Path | bytes) else images
        named = [image if isinstance(image, bytes) else str(image) for image in images]
        if is_one_image(named):
            return list(predict(self.predictor, named))
        sources = ImageSources(allow_private=allow_private_addresses)
        return list(predict(self.predictor, sources.find(named, Ignored())))

    def embed(self, images: Iterable[str | Path | bytes]) -> NDArray:
        """Return the features of images, float32 (num_images, num_features), in their order.

        They are the input of the model's last dense layer.

        Args:
            images: paths, folders, globs, zip or tar archives, or the bytes of image files.

        Raises:
            DataError: an image cannot be read.
            UsageError: the model has no dense layer, or does not show its layers.
        """
        from cnnkit.embedding.embed_images import features_of
        from cnnkit.embedding.feature_extractor import feature_extractor

        images = [images] if isinstance(images, str | Path | bytes) else images
        named = [image if isinstance(image, bytes) else str(image) for image in images]
        rows = []
        extractor = feature_extractor(self.predictor)
        for name, found in features_of(ImageSources().find(named, Ignored()), extractor):
            if isinstance(found, ImageError):
                raise DataError(f"{name} cannot be read: {found}", path=name) from found
            rows.append(found)
        return np.array(rows, np.float32).reshape(len(rows), extractor.width)

    def explain(
        self,
        images: Iterable[str | Path | bytes],
        *,
        methods: Sequence[str] = ("grad-cam",),
        class_name: str | None = None,
        against: str | None = None,
        layer: str | None = None,
        num_neighbours: int = 0,
        output: str | os.PathLike[str] | None = None,
    ) -> Explanations:
        """Show which parts of images speak for an answer; `images[0].maps[0].values` is a map.

        Args:
            images: paths, folders, globs, or the bytes of image files.
            methods: `grad-cam`, `grad-cam++`, `layer-cam`, `saliency`, `smooth-grad`,
                `integrated-gradients` or `occlusion`.
            class_name: the class to explain; None for the predicted one.
            against: explain why not this class instead.
            layer: the layer that the first three methods look at; None for the default.
            num_neighbours: how many of the most similar training images are found.
            output: a new or an empty folder for pictures, arrays and JSON files; None writes none.

        Raises:
            CnnkitError: an expected failure; its text says what to do.
        """
        from cnnkit.explanation.explain_images import Question, explain_images

        if isinstance(images, str | Path | bytes):
            images = [images]
        methods = (methods,) if isinstance(methods, str) else tuple(methods)
        return explain_images(
            [image if isinstance(image, bytes) else str(image) for image in images],
            self._model,
            self._runs_folder,
            Question(methods, class_name, against, layer, num_neighbours=num_neighbours),
            how=self._how,
            output=None if output is None else Path(output),
            write=output is not None,
        )

    def evaluate(
        self,
        *,
        split: str | None = None,
        data: str | os.PathLike | None = None,
        name: str | None = None,
        allow_missing_classes: bool = False,
        skip_errors: bool = False,
        tta: str | None = None,
        corruptions: bool = False,
    ) -> Evaluation:
        """Score the model as `cnnkit evaluate` does, write the results into its run, return them.

        Args:
            split: of the run, by default `test`; with `data`, all of its images.
            data: a folder, a file that lists images, or a built-in, instead of the run's images.
            name: of the folder inside evaluation/ of the run.
            allow_missing_classes: accept `data` that lacks some of the classes.
            skip_errors: leave out images that cannot be read.
            tta: `flips` or `crops`: average the answers over views of each image.
            corruptions: also score worsened copies of each image.

        Returns:
            The scores: `evaluation.accuracy`, `evaluation.interval("accuracy")`,
            `evaluation.metrics`, `evaluation.predictions`, `evaluation.to_dict()`.

        Raises:
            CnnkitError: the model is not in a run folder, or the images cannot be scored.
        """
        from cnnkit.evaluation.evaluate_model import evaluate_model

        return evaluate_model(
            str(self.predictor.path),
            Path(RUNS_FOLDER),  # not used for a path
            how=self._how,
            split=split,
            data=data,
            name=name,
            allow_missing_classes=allow_missing_classes,
            skip_errors=skip_errors,
            tta=tta,
            corruptions=corruptions,
            note=lambda sentence: None,  # they are in the `notes` of the result
        )


def load_run(
    run: str | os.PathLike | None = None, runs_folder: str | os.PathLike = RUNS_FOLDER
) -> TrainedModel:
    """Return the model of a run, by default of the newest finished one.

    Args:
        run: the run folder or name.
        runs_folder: where run names are looked up.

    Raises:
        UsageError: there is no such run.
    """
    return TrainedModel(run, runs_folder)
