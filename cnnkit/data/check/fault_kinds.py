"""The table of all kinds of fault: how severe each is, what it means and what to do about it.

The names are fixed: scripts read them in the JSON output, and errors about images carry them.
"""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Kind:
    """One kind of fault or fact.

    Args:
        severity: `error` (training stops, or its result is wrong), `warning` (worth a look) or
            `info` (nothing is wrong).
        meaning: one sentence.
        advice: what to do, one sentence; empty if there is nothing to do.
    """

    severity: str
    meaning: str
    advice: str = ""


_REPAIR = "Get the file again, or remove it."
_RENAME = "Rename one of them, or merge them."

KINDS = {
    # --- files that give no pixels (image_faults.py; of folders and links: folder_faults.py)
    "empty_file": Kind("error", "The file has no bytes.", _REPAIR),
    "not_an_image": Kind("error", "The name is that of an image, the content is not.", _REPAIR),
    "unread_format": Kind(
        "error", "A picture or document of a type that is not read.", "Do what the message says."
    ),
    "truncated": Kind("error", "The file is cut off.", _REPAIR),
    "damaged": Kind("error", "The image cannot be decoded.", _REPAIR),
    "too_large": Kind(
        "error",
        "The header claims more pixels, or minutes of sound, than are ever decoded.",
        "Make it smaller, or remove it.",
    ),
    "unsupported_pixels": Kind(
        "error",
        "The pixels are numbers, and which of them are black and white is not known.",
        "Set data.sample_range, or convert the image to 8 or 16 bits per channel.",
    ),
    "unreadable_file": Kind("error", "The file cannot be opened.", "Correct its permissions."),
    "unreadable_folder": Kind(
        "error", "The folder cannot be opened.", "Correct its permissions, or remove it."
    ),
    "broken_link": Kind(
        "error", "A link that leads nowhere, or to itself.", "Correct the link, or remove it."
    ),
    "special_file": Kind("error", "A pipe or device where an image should be.", "Remove it."),
    # --- the same picture again (copy_faults.py; groups: class_faults.py)
    "duplicate_across_splits": Kind(
        "error",
        "The same file is in two splits, so the score on it means nothing.",
        "Remove all copies but one.",
    ),
    "duplicate_across_classes": Kind(
        "error", "The same file has two labels.", "Keep it in the right class only."
    ),
    "near_duplicate_across_splits": Kind(
        "error",
        "Copies of one picture are in two splits, so the score on them means nothing.",
        "Look at them, and remove all but one.",
    ),
    "near_duplicate_across_classes": Kind(
        "error",
        "Copies of one picture have different labels.",
        "Look at them, and keep them in the right class only.",
    ),
    "group_across_splits": Kind(
        "error",
        "Images of one group are in two splits.",
        "Move them to one split, or let cnnkit data split divide the images again.",
    ),
    # --- the source and its classes (source_faults.py, class_faults.py, rate_faults.py)
    "unusable_source": Kind("error", "The source cannot be read as classes of images."),
    "empty_class": Kind("error", "A class without an image.", "Add images, or remove the class."),
    "single_class": Kind(
        "error",
        "There are fewer than two classes.",
        "Add a class.",
    ),
    "no_train_split": Kind(
        "error", "The source has splits, but no train split.", "Add a train split."
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
        "warning",
        "A class name begins or ends with a space or a dot, which Windows removes.",
        "Rename the class.",
    ),
    "names_differ_in_case": Kind(
        "warning", "Names that are the same on systems that ignore case.", _RENAME
    ),
    "names_differ_in_unicode": Kind(
        "warning", "Names that look the same but consist of different characters.", _RENAME
    ),
    "missing_value_name": Kind(
        "warning",
        "A class name that usually stands for a missing label.",
        "Label these images or remove them, unless it is the name of a class.",
    ),
    "names_same_number": Kind(
        "warning", "Class names that are the same number, such as 7 and 007, or 1 and 1.0.", _RENAME
    ),
    "doubtful_classes": Kind(
        "warning", "The classes seem to be deeper in the folder than where cnnkit looks for them."
    ),
    "imbalance": Kind(
        "warning",
        "The largest class has more than 10 times the images of the smallest.",
        "Set training.class_weights: effective_number, or add images.",
    ),
    "sample_rates": Kind(
        "warning",
        "Sounds of two classes never have the same sample rate, so the model may learn the rate.",
        "Bring all to one rate, for example with `sox in.wav -r 16000 out.wav`.",
    ),
    # --- worth a look (image_faults.py, folder_faults.py; duplicates: copy_faults.py)
    "duplicate": Kind(
        "warning", "One class contains the same file more than once.", "Remove the copies."
    ),
    "near_duplicate": Kind(
        "warning",
        "Copies of one picture, which may end up in different splits.",
        "Remove the copies, or put them into one group.",
    ),
    "wrong_extension": Kind(
        "warning",
        "The content is of another type than the name says; cnnkit goes by the content.",
        "Rename the file, for programs that go by the name.",
    ),
    "dark_samples": Kind(
        "warning",
        "Pictures of more than 8 bits use only the darkest samples, so the model sees them black.",
        "Set data.sample_range to the samples of black and white of your camera.",
    ),
    "ends_early": Kind(
        "warning", "The JPEG ends before its picture is complete; the rest is grey.", _REPAIR
    ),
    "constant": Kind(
        "warning", "All pixels have the same colour, or a sound is silent.", "Remove the file."
    ),
    "tiny": Kind(
        "warning",
        "A side has less than 32 pixels, and less than half of what is usual here.",
        "Check whether it is a thumbnail.",
    ),
    "extreme_aspect": Kind(
        "warning",
        "One side is more than 4 times the other.",
        "Set data.resize: pad, or crop the image.",
    ),
    "changed_content": Kind(
        "warning",
        "The content is not the one that the source states.",
        "Write the manifest again if the new content is right.",
    ),
    "unused_image": Kind(
        "warning",
        "An image that is not used: it is outside the class folders, or its name does not end like "
        "that of an image.",
        "Move or rename it if it should be used.",
    ),
    "unread_file": Kind(
        "warning",
        "A picture or document of a type that is not read; ignored.",
        "Do what the message says if it should be used.",
    ),
    "unused_folder": Kind(
        "warning",
        "A folder next to the train, validation and test folders.",
        "Move it elsewhere.",
    ),
    "notebook_checkpoints": Kind(
        "warning",
        "A folder of copies that Jupyter made; cnnkit ignores it, others take it for a class.",
        "Remove it.",
    ),
    "link_outside": Kind(
        "warning",
        "A link that leads out of the folder, so a copy of the folder will lack the files.",
        "Put the files themselves here.",
    ),
    "link_loop": Kind("warning", "A link to a folder that contains the link.", "Remove the link."),
    # --- for information (image_faults.py, folder_faults.py)
    "hidden_file": Kind(
        "info", "A file or folder that is hidden, or that a computer keeps for itself; ignored."
    ),
    "other_file": Kind("info", "Not an image; ignored."),
    "exif_rotated": Kind("info", "Turned upright by its EXIF orientation."),
    "cmyk": Kind("info", "CMYK, converted to RGB without a colour profile."),
    "palette": Kind("info", "Colours from a palette."),
    "sixteen_bit": Kind("info", "More than 8 bits per channel, reduced to 8."),
    "transparent": Kind("info", "Transparent, shown on data.background."),
    "sound": Kind("info", "A sound, read as its spectrogram; only exact copies of it are found."),
    "animated": Kind("info", "An animation; the first frame is used."),
    "multi_picture": Kind("info", "Several pictures in one file; the first is used."),
    "enlarged": Kind("info", "Smaller than data.image_size, so it is enlarged."),
}


@dataclass(frozen=True)
class Pair:
    """Two images that show the same picture.

    Args:
        paths: of the two.
        distance: number of different bits, of 64, between the perceptual hashes; one picture may
            have been mirrored or cropped for the comparison.
        similarity: correlation of the two pictures when one is laid over the other, up to 1.
        mirrored: whether one picture is the mirror image of the other.
    """

    paths: tuple[str, str]
    distance: int
    similarity: float
    mirrored: bool


@dataclass(frozen=True)
class Finding:
    """One fault that was found.

    Args:
        kind: a key of `KINDS`.
        paths: of the files or folders, as the source shows them; names, for classes.
        detail: what was measured, or why a file cannot be read; may be empty.
        pairs: for near duplicates, which pictures are alike and how much.
    """

    kind: str
    paths: tuple[str, ...]
    detail: str = ""
    pairs: tuple[Pair, ...] = ()

    @property
    def severity(self) -> str:
        """One of `SEVERITIES`."""
        return KINDS[self.kind].severity
