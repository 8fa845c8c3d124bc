"""The explanation of one image, computed in the process that has TensorFlow.

What only that process needs is imported there.
"""

from __future__ import annotations

import base64
import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from cnnkit.errors import UsageError
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.prediction import pixels_of
from cnnkit.serving.served_models import FileState


@dataclass(frozen=True)
class ExplainJob:
    """What is asked; calling it computes the answer.

    Args:
        path: of the model file.
        state: of the file: if it changes, it is loaded again.
        how: what is said about a model that cnnkit did not write.
        image: an encoded image.
        method: `grad-cam`, `grad-cam++` or `layer-cam`.
        class_name: the class; None for the predicted one.
        image_pixels: the most that are decoded.
    """

    path: Path
    state: FileState
    how: HowToRead
    image: bytes
    method: str
    class_name: str | None
    image_pixels: int

    def __call__(self) -> dict[str, Any]:
        """Return the facts of the explanation, with the overlay as PNG in base64.

        Raises:
            CnnkitError: the image cannot be read, or the model cannot be explained like this.
        """
        from cnnkit.explanation.explain_images import Question
        from cnnkit.plots.heat_overlay import heat_overlay

        Image.MAX_IMAGE_PIXELS = self.image_pixels // 2  # decoding accepts twice as many
        explainer = loaded_explainer(self.path, self.state, self.how)
        pixels = pixels_of(self.image, explainer.predictor.info.pixels)
        question = Question((self.method,), self.class_name)
        found = explainer.explain("-", pixels, question)
        facts = found.as_dict()
        own = facts["maps"][0]
        return {
            "prediction": facts["prediction"],
            "class": facts["class"],
            "probability": facts["probabilities"][facts["class"]],
            "method": own["method"],
            "layer": own["layer"],
            "highest_at": own["highest_at"],
            "note": own["note"],
            "overlay": png_base64(heat_overlay(pixels, found.maps[0].values)),
        }


@functools.lru_cache(maxsize=4)
def loaded_explainer(path: Path, state: FileState, how: HowToRead) -> Any:
    """Return the `ImageExplainer` of a model file; it is kept until the file changes.

    Raises:
        UsageError: the model has no layers to look into.
    """
    from cnnkit.explanation.explain_images import ImageExplainer

    try:
        return ImageExplainer(path, ["grad-cam"], how)
    except UsageError as error:  # its message is for who started the server, and has paths
        raise UsageError(
            "The layers of this model are not known: it is served as an exported file alone. Serve "
            "its run folder, or a .keras file."
        ) from error


def png_base64(picture: Any) -> str:
    """Return a uint8 picture (height, width[, 3]) as a PNG file in base64."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
