"""Where and why a model is wrong: slices, galleries, worsened images, averaged views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnkit.comparison.paired_tests import mcnemar
from cnnkit.evaluation.galleries import GALLERY_FILES, FindImage, find_galleries, write_gallery
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.slices import Slice, find_slices
from cnnkit.files import write_csv
from cnnkit.tables import table_text
from cnnkit.text import count_of, shown

if TYPE_CHECKING:
    from cnnkit.evaluation.robustness import Robustness  # imports OpenCV

_SLICES_FILE = "slices.csv"
_ROBUSTNESS_FILES = ("corruptions.csv", "corruptions.png", "corruption_examples.png")
DETAIL_FILES = (_SLICES_FILE, *GALLERY_FILES, *_ROBUSTNESS_FILES)
_MOST_SLICES = 10  # of the table on the terminal
_MEANINGS = (
    "others: accuracy of all other images; expected: what the classes of the slice make likely;\n"
    "p: of Fisher's exact test, corrected for the number of slices"
)
_NUMBERS = ("images", "accuracy", "others", "expected", "p")


@dataclass(frozen=True)
class Averaging:
    """What test-time augmentation changes, compared with one answer per image.

    Args:
        kind: `flips` or `crops`.
        num_images: how many images were scored.
        right_before: how many of them are right without the views.
        gained: how many are right only with the views.
        lost: how many are right only without them.
    """

    kind: str
    num_images: int
    right_before: int
    gained: int
    lost: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "accuracy_without": self.right_before / self.num_images,
            "gained": self.gained,
            "lost": self.lost,
            "p_value": mcnemar(self.gained, self.lost),
        }

    def text(self) -> str:
        """Return two sentences."""
        after = self.right_before + self.gained - self.lost
        return (
            f"--tta {self.kind}: accuracy {after / self.num_images:.4f}, without it "
            f"{self.right_before / self.num_images:.4f}. It corrects "
            f"{count_of(self.gained, 'image')} and spoils {self.lost:,} "
            f"(McNemar's test: p = {mcnemar(self.gained, self.lost):.2g})."
        )


@dataclass(frozen=True, eq=False)
class Details:
    """More than the numbers of an evaluation.

    Args:
        predictions: the answers.
        find_image: gives the images of the galleries.
        robustness: the accuracy on worsened images, if they were scored.
        averaging: what test-time augmentation changes, if it was used.
    """

    predictions: Predictions
    find_image: FindImage
    robustness: Robustness | None = None
    averaging: Averaging | None = None

    @cached_property
    def slices(self) -> Sequence[Slice]:
        """All slices that were compared with the rest, the most significantly worse first."""
        return find_slices(self.predictions)

    @property
    def worse_slices(self) -> Sequence[Slice]:
        """Those that are significantly worse than the rest."""
        return [each for each in self.slices if each.is_worse]

    def write(self, folder: Path) -> None:
        """Write slices.csv, the galleries, and what corruptions do; nothing of before is left."""
        columns = [*Slice.__dataclass_fields__, "is_worse"]
        write_csv(folder / _SLICES_FILE, columns, map(_slice_row, self.slices))
        for gallery in find_galleries(self.predictions):
            write_gallery(gallery, self.predictions, folder, self.find_image)
        for name in _ROBUSTNESS_FILES:
            (folder / name).unlink(missing_ok=True)
        if self.robustness is not None:
            self.robustness.write(folder)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, ready for JSON; of the slices, those that are worse."""
        worse = [asdict(each) for each in self.worse_slices]
        values: dict[str, Any] = {"slices": {"tried": len(self.slices), "worse": worse}}
        if self.averaging is not None:
            values["tta"] = self.averaging.as_dict()
        if self.robustness is not None:
            values["corruptions"] = self.robustness.as_dict()
        return values

    def text(self) -> str:
        """Return tables and sentences."""
        parts = [self._slices_text()]
        if self.averaging is not None:
            parts.append(self.averaging.text())
        if self.robustness is not None:
            parts.append(self.robustness.text())
        return "\n\n".join(parts)

    def _slices_text(self) -> str:
        if not self.slices:
            return "Too few images to compare slices."
        worse = self.worse_slices
        tried = count_of(len(self.slices), "slice")
        if not worse:
            return f"None of {tried} is significantly worse than the other images."
        rows = [_table_row(each) for each in worse[:_MOST_SLICES]]
        verb = "is" if len(worse) == 1 else "are"
        title = f"{len(worse)} of {tried} {verb} significantly worse than the other images:"
        table = table_text(["slice", *_NUMBERS], rows, right=_NUMBERS, title=title)
        more = len(worse) - _MOST_SLICES
        left = [f"and {more:,} more in {_SLICES_FILE}"] if more > 0 else []
        return "\n".join([table, *left, _MEANINGS])


def _slice_row(each: Slice) -> dict[str, Any]:
    return {
        name: f"{value:.6g}" if isinstance(value, float) else value
        for name, value in {**asdict(each), "is_worse": str(each.is_worse).lower()}.items()
    }


def _table_row(each: Slice) -> list[str]:
    return [
        shown(each.name),
        f"{each.images:,}",
        f"{each.accuracy:.4f}",
        f"{each.rest_accuracy:.4f}",
        f"{each.expected_accuracy:.4f}",
        f"{each.p_corrected:.2g}",
    ]
