"""Report the images that cannot be read: as an error, or as notes if they are skipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnkit.errors import DataError
from cnnkit.text import count_of, shown

Note = Callable[[str], None]

_MAX_SHOWN = 20


def report_unreadable(
    unreadable: Sequence[tuple[str, str]],
    num_images: int,
    name: str,
    *,
    skip: bool,
    how_to_skip: str = "set data.on_error: skip",
    max_shown: int = _MAX_SHOWN,
    note: Note,
) -> None:
    """Name every image that cannot be read.

    Args:
        unreadable: (path, reason) of each of them; nothing happens if there are none.
        num_images: how many images there are, readable or not.
        name: what messages call all these images.
        skip: whether to note them, with their number at the end, instead of raising an error.
        how_to_skip: what the user has to do so that they are skipped.
        max_shown: how many of them an error names.
        note: called with each sentence.

    Raises:
        DataError: there are some, and they are not to be skipped.
    """
    if not unreadable:
        return
    number = f"{len(unreadable):,} of {count_of(num_images, 'image')} cannot be read"
    if skip:
        for path, reason in unreadable:
            note(f"Skipped {shown(path)}: {reason}.")
        note(f"{number} and {'is' if len(unreadable) == 1 else 'are'} left out.")
        return
    lines = [f"  {shown(path)}: {reason}" for path, reason in unreadable[:max_shown]]
    if len(unreadable) > max_shown:
        lines.append(f"  and {len(unreadable) - max_shown:,} more")
    raise DataError(
        "\n".join([f"{name}: {number}:", *lines])
        + f"\nRepair or remove them, or {how_to_skip} to leave them out."
    )
