"""Which data sets are built in, and their classes, without what draws or downloads their images."""

from __future__ import annotations

from pathlib import Path

from cnnkit.config import BUILT_IN_SOURCES, ShapesConfig
from cnnkit.text import shown

DIGIT_NAMES = tuple("0123456789")
SHAPE_NAMES = ("circle", "square", "star", "triangle")
# In the order of the published labels.
KNOWN_CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        # The published name is T-shirt/top, which cannot be a folder.
        *("T-shirt_top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    "cifar100": tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach
        couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
        house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
        motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
        pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
        rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
        sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
        turtle wardrobe whale willow_tree wolf woman worm
        """.split()
    ),
    "tf_flowers": ("daisy", "dandelion", "roses", "sunflowers", "tulips"),
    "cats_vs_dogs": ("Cat", "Dog"),
}


def is_builtin(source: str | Path) -> bool:
    """Return whether a source is a built-in data set. A `Path` is a folder or a file, never that.

    `digits` is the built-in; `./digits`, `digits/` and an absolute path are folders.
    """
    return isinstance(source, str) and source in BUILT_IN_SOURCES


def namesake_note(source: str | Path, folder: Path = Path()) -> str:
    """Return a sentence if a folder has the name of the built-in that is used; else "".

    Args:
        source: the name of a built-in, or a path.
        folder: the folder that relative paths start from.
    """
    if not is_builtin(source) or not (folder / source).is_dir():
        return ""
    return (
        f"{source} is the built-in data set, not the folder {shown(str(folder / source))}. To use "
        f"the folder, write ./{source} instead."
    )


def builtin_class_names(source: str, shapes: ShapesConfig) -> tuple[str, ...] | None:
    """Return the sorted classes of a built-in without making its images; None for another source.

    Args:
        source: the name of a built-in, or a path.
        shapes: the config of the drawn shapes; the first few images do not have all classes.
    """
    if not is_builtin(source):
        return None
    if source == "digits":
        return DIGIT_NAMES
    if source == "shapes":
        return SHAPE_NAMES[: shapes.num_images]
    return tuple(sorted(KNOWN_CLASS_NAMES[source]))
