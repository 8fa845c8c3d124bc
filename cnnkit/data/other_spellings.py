"""Match names that look the same but consist of different characters, as é and e with an accent.

Macs write file names with combining accents (Unicode NFD), most other programs with one character
for letter and accent (NFC). After a copy or in a ZIP file both occur.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from cnnkit.data.records import ImageRecord, Source
from cnnkit.text import first_few


def composed(name: str) -> str:
    """Return the name in Unicode NFC; names that are equal in it look the same."""
    return unicodedata.normalize("NFC", name)


def matching_spellings(names: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    r"""Return the wanted name of each other name that looks the same, if there is no doubt.

    >>> matching_spellings(["cafe\u0301", "the"], ["caf\xe9", "the"]) == {"cafe\u0301": "caf\xe9"}
    True
    """
    names, wanted = set(names), set(wanted)
    # ASCII has one spelling for each letter, so most data sets need no more than this look.
    if all(name.isascii() for name in names - wanted):
        return {}
    others, targets = _by_form(names - wanted), _by_form(wanted)
    return {
        same[0]: targets[form][0]
        for form, same in others.items()
        if len(same) == 1 and len(targets.get(form, ())) == 1 and targets[form][0] not in names
    }


def _by_form(names: Iterable[str]) -> dict[str, list[str]]:
    by_form: dict[str, list[str]] = {}
    for name in names:
        by_form.setdefault(composed(name), []).append(name)
    return by_form


def with_class_names(
    source: Source, wanted: Iterable[str], *, splits: Iterable[str | None] | None = None
) -> Source:
    """Return the source with its classes spelt like the wanted ones; a note names those changed.

    Args:
        source: the images.
        wanted: the names of the classes.
        splits: only the images of these splits; None for all.
    """
    chosen = None if splits is None else set(splits)
    labels = {r.label for r in source.records if chosen is None or r.split in chosen}
    labels |= {folder.rpartition("/")[2] for folder, _ in source.empty_classes if chosen is None}
    spelt = matching_spellings(labels, wanted)
    if not spelt:
        return source

    def renamed(record: ImageRecord) -> ImageRecord:
        is_chosen = record.label in spelt and (chosen is None or record.split in chosen)
        return replace(record, label=spelt[record.label]) if is_chosen else record

    note = (
        f"Only the spelling of an accent differs, so it is the same class: "
        f"{first_few(sorted(spelt.values()))} (Unicode NFC and NFD)."
    )
    notes = (*source.notes, *(() if note in source.notes else (note,)))
    return replace(source, records=tuple(map(renamed, source.records)), notes=notes)


class PathSpelling:
    """Find files whose paths are spelt differently on disk; each folder is listed only once.

    Names may differ in their accents, and in upper and lower case, as they may on Windows.
    """

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def existing(self, path: str) -> str | None:
        """Return the only path that exists and is like this one; None if there is none."""
        drive, rest = os.path.splitdrive(path)
        place = drive + os.sep if rest.startswith(os.sep) else drive
        for part in filter(None, rest.split(os.sep)):
            below = os.path.join(place, part)
            if not os.path.lexists(below):
                same = self._listed(place or os.curdir).get(composed(part).casefold(), [])
                if len(same) != 1:
                    return None
                below = os.path.join(place, same[0])
            place = below
        return place

    def _listed(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            try:
                names = os.listdir(folder)
            except OSError:  # not a folder, or a locked one: then nothing in it looks the same
                names = []
            self._names[folder] = {}
            for name in names:
                self._names[folder].setdefault(composed(name).casefold(), []).append(name)
        return self._names[folder]
