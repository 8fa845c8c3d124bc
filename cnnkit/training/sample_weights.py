"""What is said and recorded of the weights of images, `data.weight_column`."""

from __future__ import annotations

import hashlib

from cnnkit.data.dataset import ImageDataset
from cnnkit.text import count_of


def weight_facts(dataset: ImageDataset) -> dict[str, float] | None:
    """Return the smallest, largest and mean weight of the training images, and how many are 0.

    Returns:
        None if the images have no weights.
    """
    if dataset.weights is None:
        return None
    weights = dataset.weights[dataset.select("train")]
    return {
        "min": float(weights.min()),
        "max": float(weights.max()),
        "mean": float(weights.mean()),
        "zero": int((weights == 0).sum()),
    }


def weights_text(column: str, facts: dict[str, float]) -> str:
    """Return the facts in words."""
    number = count_of(int(facts["zero"]), "image has", "images have")
    zero = f"; {number} the weight 0" if facts["zero"] else ""
    return (
        f"weights of the training images ({column}): {facts['min']:g} to {facts['max']:g}, "
        f"{facts['mean']:.3g} on average{zero}"
    )


def weights_fingerprint(dataset: ImageDataset) -> str | None:
    """Return a sha256 over (content, weight) of all images; None if they have no weights."""
    if dataset.weights is None:
        return None
    lines = sorted(f"{sample.sha256}\t{sample.weight!r}" for sample in dataset.samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
