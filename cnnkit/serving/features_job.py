"""The feature maps of one image, computed in the process that has TensorFlow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from cnnkit.explore.features.map_strips import map_strips
from cnnkit.explore.features.model_graph import check_finite
from cnnkit.explore.features.stages import stages_of
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.prediction import pixels_of
from cnnkit.serving.explain_job import loaded_explainer, png_base64
from cnnkit.serving.served_models import FileState


@dataclass(frozen=True)
class FeaturesJob:
    """What is asked; calling it computes the answer.

    Args:
        path: of the model file.
        state: of the file: if it changes, it is loaded again.
        how: what is said about a model that cnnkit did not write.
        image: an encoded image.
        image_pixels: the most that are decoded.
    """

    path: Path
    state: FileState
    how: HowToRead
    image: bytes
    image_pixels: int

    def __call__(self) -> dict[str, Any]:
        """Return the image as the network sees it, and the maps of each stage, as PNG in base64.

        Raises:
            CnnkitError: the image cannot be read, or the model has no layers to look into.
        """
        Image.MAX_IMAGE_PIXELS = self.image_pixels // 2  # decoding accepts twice as many
        explainer = loaded_explainer(self.path, self.state, self.how)
        pixels = pixels_of(self.image, explainer.predictor.info.pixels)
        stages = stages_of(explainer.steps, pixels)
        for stage in stages:
            check_finite(stage.values, stage.name)
        layers = []
        for strip in map_strips(stages):
            facts = asdict(strip)
            picture = png_base64(facts.pop("levels"))
            layers.append({**facts, "maps": picture})
        return {"image": png_base64(pixels.squeeze()), "layers": layers}
