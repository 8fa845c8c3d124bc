"""Write the images of the lessons in docs/course: a digit, also as numbers, and shapes.

    python scripts/course_images.py

The shapes have another seed than those that the lessons train on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cnnkit.data.sources.builtin import draw_outline, draw_shape
from cnnkit.data.sources.builtin_names import SHAPE_NAMES

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "course" / "images"
_THREE = 13  # the number of a clearly written 3 among the digits of scikit-learn
_SEED = 2026


def main() -> None:
    """Write all images."""
    from sklearn.datasets import load_digits

    IMAGES.mkdir(exist_ok=True)
    three = load_digits().images[_THREE].astype(int)
    np.savetxt(IMAGES / "three.csv", three, fmt="%d", delimiter=",")
    Image.fromarray(np.rint(three * (255 / 16)).astype(np.uint8)).save(IMAGES / "three.png")
    for index, name in enumerate(SHAPE_NAMES):
        drawn = draw_shape(index, image_size=64, seed=_SEED)
        Image.fromarray(drawn).save(IMAGES / f"{name}.png")
        sketch = draw_outline(index, image_size=64, seed=_SEED, by_hand=True)
        Image.fromarray(sketch).save(IMAGES / f"{name}_sketch.png")


if __name__ == "__main__":
    main()
