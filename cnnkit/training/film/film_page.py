"""Write the frames of a training as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.page import encoded
from cnnkit.files import write_text
from cnnkit.metrics import MOST_CLASSES_IN_FULL
from cnnkit.pages import printable, render_page
from cnnkit.runs import Run
from cnnkit.text import count_of
from cnnkit.training.film.frames import Frames

_MOST_ANSWERS = 10
_COLUMNS = ("epoch", "phase", "train_loss", "train_accuracy", "val_loss", "val_accuracy")


def write_film_page(
    run: Run,
    frames: Frames,
    rows: Sequence[Mapping[str, float]],
    pixels: NDArray,
    class_names: Sequence[str],
) -> None:
    """Write `film.html` of a run.

    Args:
        run: whose page it is.
        frames: at least one.
        rows: of history.csv.
        pixels: uint8 (height, width, channels), the image.
        class_names: in label order.
    """
    title = f"How {printable(run.name)} learned"
    data = page_data(frames, rows, pixels, class_names)
    write_text(run.film, render_page("cnnkit.training.film", "film.html", title=title, data=data))


def page_data(
    frames: Frames,
    rows: Sequence[Mapping[str, float]],
    pixels: NDArray,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Return what the page shows; all colour scales are those of the whole film."""
    facts, epochs = frames.facts, frames.epochs
    by_epoch = {row["epoch"]: row for row in rows}
    said = [{k: by_epoch.get(e, {}).get(k) for k in _COLUMNS} | {"epoch": e} for e in epochs]
    confusion = frames.array("confusion")
    return {
        "frames": said,
        "num_epochs": len(rows),
        "notes": _notes(frames, len(rows), len(class_names)),
        "class_names": list(class_names),
        "image": {
            "path": printable(facts["image"]),
            "split": facts["split"],
            "label": facts["label"],
            "shape": list(pixels.shape),
            "levels": encoded(pixels),
        },
        "filters": _pictures(frames, "filters", 0),
        "maps": [_pictures(frames, f"maps_{place}", place) for place in range(_num_maps(frames))],
        "answer": _answer(frames, class_names),
        "confusion": None if confusion is None else encoded(confusion),
    }


def _num_maps(frames: Frames) -> int:
    return sum(name.startswith("maps_") for name in frames.taken[frames.epochs[0]])


def _pictures(frames: Frames, name: str, place: int) -> dict[str, Any] | None:
    """Return arrays of all frames in 256 levels, with the channels (or filters) before the rows.

    Args:
        frames: of the film.
        name: of the array: filters (frames, height, width, depth, filters), or maps (frames,
            height, width, channels).
        place: of the layer among those of the film.
    """
    values = frames.array(name)
    if values is None:
        return None
    low, high = scale_of(values, centred=name == "filters")
    if name == "filters":
        values = np.moveaxis(values, (4, 3), (1, 4))  # (frames, filters, height, width, depth)
    else:
        values = np.moveaxis(values, 3, 1)[..., None]
    return {
        "layer": frames.facts["layers"][place],
        "all": frames.facts["filters"][place],
        "shape": list(values.shape[1:]),
        "low": low,
        "high": high,
        "changes": bool((values != values[:1]).any()),
        "levels": encoded(levels_of(values, low, high)),
    }


def scale_of(values: NDArray, *, centred: bool = False) -> tuple[float, float]:
    """Return the ends of the colour scale of all frames; 0 is always on it.

    >>> scale_of(np.array([-1.0, 3.0])), scale_of(np.array([-1.0, 3.0]), centred=True)
    ((-1.0, 3.0), (-3.0, 3.0))
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    reach = max(-low, high)
    return (-reach, reach) if centred else (low, high)


def levels_of(values: NDArray, low: float, high: float) -> NDArray:
    """Return uint8 levels: `low` is 0, `high` is 255.

    >>> levels_of(np.array([-1.0, 0.0, 1.0]), -1, 1).tolist()
    [0, 128, 255]
    """
    # 64-bit numbers, in which the range of large 32-bit ones is finite.
    shares = (values.astype(np.float64) - low) / ((high - low) or 1)
    return np.round(shares * 255).astype(np.uint8)


def _answer(frames: Frames, class_names: Sequence[str]) -> dict[str, Any] | None:
    """Return the probabilities of the classes that were likely in any frame, in label order."""
    values = frames.array("answer")
    if values is None:
        return None
    label = class_names.index(frames.facts["label"])
    likely = np.argsort(-values.max(axis=0), kind="stable")[:_MOST_ANSWERS].tolist()
    shown = sorted({label, *likely})
    return {"classes": shown, "values": encoded(values[:, shown].astype(np.float32))}


def _notes(frames: Frames, num_epochs: int, num_classes: int) -> list[str]:
    facts, epochs, notes = frames.facts, frames.epochs, []
    if len(epochs) < num_epochs:
        notes.append(
            f"The film has {count_of(len(epochs), 'frame')} of {count_of(num_epochs, 'epoch')}."
        )
    if not facts["layers"]:
        notes.append("This network has no convolution whose filters and maps could be shown.")
    elif facts["has_backbone"]:
        notes.append("The convolutions are those of the backbone: what it does not learn is still.")
    if not facts["has_validation"]:
        notes.append("There are no validation images, so there is no confusion matrix.")
    elif num_classes > MOST_CLASSES_IN_FULL:
        notes.append(
            f"With more than {MOST_CLASSES_IN_FULL} classes there is no confusion matrix here."
        )
    return notes
