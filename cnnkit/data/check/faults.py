"""The name of a fault enters; how grave it is, what it means and what to do about it leave."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Kind:
    """One kind of fault or fact.

    Args:
        severity: `error` (training stops, or its result is wrong), `warning` (look at it) or `info`
            (nothing is wrong).
        meaning: one sentence.
        advice: what to do, one sentence; empty where there is nothing to do.
    """

    severity: str
    meaning: str
    advice: str = ""


_REPAIR = "Get the file again, or remove it."
_RENAME = "Rename one of them, or merge them."

KINDS = {
    # --- files that give no pixels
    "empty_file": Kind("error", "The file has no bytes.", _REPAIR),
    "not_an_image": Kind("error", "An image by its name, but not by its content.", _REPAIR),
    "truncated": Kind("error", "The image is cut off.", _REPAIR),
    "damaged": Kind("error", "The image cannot be decoded.", _REPAIR),
    "too_large": Kind(
        "error",
        "The header claims more pixels than are ever decoded.",
        "Make the image smaller, or remove it.",
    ),
    "unsupported_pixels": Kind(
        "error",
        "The pixels are numbers whose black and white are not known.",
        "Convert the image to 8 or 16 bits a channel.",
    ),
    "unreadable_file": Kind("error", "The file cannot be opened.", "Correct its permissions."),
    "unreadable_folder": Kind(
        "error", "The folder cannot be opened.", "Correct its permissions, or remove it."
    ),
    "broken_link": Kind(
        "error", "A link that leads nowhere, or to itself.", "Correct the link, or remove it."
    ),
    "special_file": Kind("error", "A pipe or device where an image should be.", "Remove it."),
    # --- the same picture again
    "duplicate_across_splits": Kind(
        "error",
        "The same file lies in two splits: the score on it is worth nothing.",
        "Remove all copies but one.",
    ),
    "duplicate_across_classes": Kind(
        "error", "The same file has two labels.", "Keep it in the right class only."
    ),
    "near_duplicate_across_splits": Kind(
        "error",
        "Copies of one picture lie in two splits: the score on them is worth nothing.",
        "Look at them, and remove all but one.",
    ),
    "near_duplicate_across_classes": Kind(
        "error",
        "Copies of one picture have different labels.",
        "Look at them, and keep them in the right class only.",
    ),
    "group_across_splits": Kind(
        "error",
        "Images of one group lie in two splits.",
        "Bring them to one side, or let cnnkit data split divide anew.",
    ),
    # --- the source and its classes
    "unusable_source": Kind(
        "error", "The source cannot be read as classes of images.", "Do what the message says."
    ),
    "empty_class": Kind("error", "A class without an image.", "Add images, or remove the class."),
    "single_class": Kind(
        "error", "There are fewer than two classes.", "Add a class: there is nothing to tell apart."
    ),
    "no_train_split": Kind(
        "error", "The source has splits, but none to train on.", "Add a train split."
    ),
    "class_missing_from_split": Kind(
        "error",
        "A split lacks a class that train has.",
        "Add images of it, or set data.allow_missing_classes: true.",
    ),
    "class_missing_from_train": Kind(
        "error", "A split has a class that train lacks.", "Add it to train, or remove it."
    ),
    "class_too_small": Kind(
        "error",
        "A class has too few different images, or groups, to be in every split.",
        "Add images, remove the class, or set data.allow_missing_classes: true, which keeps it in "
        "train.",
    ),
    "unprintable_class_name": Kind(
        "error", "A class name has a character that cannot be printed.", "Rename the class."
    ),
    "odd_class_name": Kind(
        "warning", "A class name begins or ends with a blank.", "Rename the class."
    ),
    "names_differ_in_case": Kind(
        "warning", "Names that are one on systems that ignore case.", _RENAME
    ),
    "names_differ_in_unicode": Kind(
        "warning", "Names that look the same but are spelt with other characters.", _RENAME
    ),
    "imbalance": Kind(
        "warning",
        "The largest class has more than 10 times the images of the smallest.",
        "Set training.class_weights: effective_number, or add images.",
    ),
    # --- look at these
    "duplicate": Kind(
        "warning", "The same file lies several times in one class.", "Remove the copies."
    ),
    "near_duplicate": Kind(
        "warning",
        "Copies of one picture, which a split may put on both sides.",
        "Remove the copies, or name them as a group.",
    ),
    "wrong_extension": Kind(
        "warning",
        "The content is of another type than the name says; cnnkit goes by the content.",
        "Rename the file, for programs that go by the name.",
    ),
    "constant": Kind("warning", "All pixels have the same colour.", "Remove the image."),
    "tiny": Kind(
        "warning",
        "A side of less than 32 pixels, and less than half of what is usual here.",
        "Look whether it is a thumbnail by mistake.",
    ),
    "extreme_aspect": Kind(
        "warning",
        "One side is more than 4 times the other.",
        "Set data.resize: pad, or crop the image.",
    ),
    "changed_content": Kind(
        "warning",
        "The content is another one than the source states.",
        "Write the manifest again if that is right.",
    ),
    "unused_image": Kind(
        "warning",
        "An image that is not used: it lies beside the class folders, or its name has no ending of "
        "an image.",
        "Move or rename it if it should be used.",
    ),
    "unused_folder": Kind(
        "warning", "A folder beside the train, validation and test folders.", "Move it elsewhere."
    ),
    "notebook_checkpoints": Kind(
        "warning",
        "A folder of copies that Jupyter made; cnnkit leaves it aside, others take it for a class.",
        "Remove it.",
    ),
    "link_outside": Kind(
        "warning",
        "A link that leads out of the folder: a copy of the folder will lack it.",
        "Put the files themselves here.",
    ),
    "link_loop": Kind("warning", "A link to a folder that it lies in.", "Remove the link."),
    # --- counted
    "hidden_file": Kind("info", "A hidden file or folder, left aside."),
    "other_file": Kind("info", "A file that is no image, left aside."),
    "exif_rotated": Kind("info", "Turned upright by its EXIF orientation."),
    "cmyk": Kind("info", "CMYK, converted to RGB without a colour profile."),
    "palette": Kind("info", "Colours from a palette."),
    "sixteen_bit": Kind("info", "16 bits a channel, reduced to 8."),
    "transparent": Kind("info", "Transparency, laid over data.background."),
    "animated": Kind("info", "An animation, of which the first frame is used."),
    "multi_picture": Kind("info", "Several pictures in one file, of which the first is used."),
    "enlarged": Kind("info", "Smaller than data.image_size, so it is enlarged."),
}


@dataclass(frozen=True)
class Pair:
    """Two images that show the same picture.

    Args:
        paths: of the two.
        distance: differing bits of 64 between the perceptual hashes, where one picture may have
            been mirrored or cropped to compare.
        similarity: correlation of the two pictures when one is laid over the other, up to 1.
        mirrored: whether one shows the other's mirror image.
    """

    paths: tuple[str, str]
    distance: int
    similarity: float
    mirrored: bool


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: a key of `KINDS`.
        paths: of the files or folders, as the source shows them; for classes, their names.
        detail: what was measured or said; may be empty.
        pairs: for near duplicates, which two are alike and how much.
    """

    kind: str
    paths: tuple[str, ...]
    detail: str = ""
    pairs: tuple[Pair, ...] = ()

    @property
    def severity(self) -> str:
        """One of `SEVERITIES`."""
        return KINDS[self.kind].severity
