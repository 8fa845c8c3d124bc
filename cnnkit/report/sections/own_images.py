"""The images of the run: how many there are, what is wrong with them, and what they look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cnnkit.data.check import Checked
from cnnkit.data.check.fault_kinds import KINDS
from cnnkit.data.records import SPLITS
from cnnkit.report.report_images import ReportImages
from cnnkit.report.run_facts import RunFacts
from cnnkit.report.section import Section
from cnnkit.text import command_line, count_of, first_few

_MOST_SAMPLES = 60
_SAMPLES_PER_CLASS = 4  # one row of the page
_MOST_PATHS, _MOST_SKIPPED = 3, 10
_SOUNDS = "sounds: "  # what begins the sentence of a training on WAV files


def data_section(facts: RunFacts, checked: Checked | None) -> Section:
    """Return the section of counts and faults.

    Args:
        facts: of the run.
        checked: what `check_data` found; None if it was not asked.
    """
    counts = facts.counts()
    splits = [name for name in (*SPLITS, *counts) if name in counts]
    splits = list(dict.fromkeys(splits))
    rows = [(name, [counts[split].get(name, 0) for split in splits]) for name in facts.class_names]
    sizes = [sum(numbers) for _, numbers in rows]
    source = str(facts.data.get("source", facts.config.data.source))
    if facts.folds:
        source = facts.config.data.source
    values = {
        "source": source,
        "total": count_of(sum(sizes), "image"),
        "splits": [(split, sum(counts[split].values())) for split in splits],
        "rows": rows,
        "largest": max([max(numbers) for _, numbers in rows] or [1]),
        "faults": [
            *([] if checked else _left_out(facts)),  # the check names broken files, too
            *_recorded_faults(facts),
            *(_found_faults(checked) if checked else []),
        ],
        "sounds": next(_notes(facts, _SOUNDS), ""),
        "is_sound": checked is not None and checked.is_sound,
        "command": "" if checked else command_line("cnnkit", "data", "check", source),
    }
    return Section("images", "The images", values)


def _left_out(facts: RunFacts) -> Iterator[str]:
    """Yield the images that the training left out, each with the reason."""
    skipped = facts.data.get("skipped", [])
    for each in skipped[:_MOST_SKIPPED]:
        yield f"Left out: {each.get('path')}: {each.get('reason')}"
    if len(skipped) > _MOST_SKIPPED:
        yield f"Left out: {len(skipped) - _MOST_SKIPPED:,} more, which run.json names."


def _recorded_faults(facts: RunFacts) -> Iterator[str]:
    """Yield what the training itself noticed, and exact copies between splits."""
    for note in _notes(facts):
        # Where pixels are cached tells nobody anything; the others are told elsewhere.
        if not note.startswith(("pixels: ", "Skipped ", _SOUNDS)):
            yield note
    splits: dict[str, set[str]] = {}
    for row in facts.split_rows:
        splits.setdefault(row["sha256"], set()).add(row["split"])
    if shared := sum(len(names) > 1 for names in splits.values()):
        yield (
            f"{count_of(shared, 'image')} {'is' if shared == 1 else 'are'} in more than one split "
            "as an exact copy, so the scores may be too good."
        )


def _notes(facts: RunFacts, start: str = "") -> Iterator[str]:
    """Yield what the training noticed of its images, if it starts like this."""
    yield from filter(lambda note: note.startswith(start), map(str, facts.data.get("notes", [])))


def _found_faults(checked: Checked) -> Iterator[str]:
    """Yield one sentence for each kind of error and warning that the check found."""
    kinds = Counter(each.kind for each in checked.findings if each.severity != "info")
    for kind, number in kinds.items():
        found = [each for each in checked.findings if each.kind == kind]
        names = [path for each in found for path in each.paths] or [found[0].detail]
        examples = first_few(filter(None, names), _MOST_PATHS)
        where = f": {examples}" if examples else "."
        yield f"{KINDS[kind].meaning} Found {count_of(number, 'time')}{where}"


def sample_paths(facts: RunFacts) -> dict[str, list[str]]:
    """Return some training images of each class, evenly spread over the files.

    Of a run without training images, such as a cross-validation, any images.
    """
    wanted = "train" if any(row["split"] == "train" for row in facts.split_rows) else None
    by_class: dict[str, list[str]] = {name: [] for name in facts.class_names}
    for row in facts.split_rows:
        if wanted is None or row["split"] == wanted:
            by_class.setdefault(row["label"], []).append(row["path"])
    number = max(1, min(_SAMPLES_PER_CLASS, _MOST_SAMPLES // len(by_class)))
    few = list(by_class.items())[:_MOST_SAMPLES]
    return {name: _spread(sorted(paths), number) for name, paths in few}


def _spread(paths: Sequence[str], number: int) -> list[str]:
    """Return so many of the paths, at equal distances.

    >>> _spread(["a", "b", "c", "d", "e"], 2)
    ['a', 'c']
    """
    chosen = min(number, len(paths))
    return [paths[position * len(paths) // chosen] for position in range(chosen)]


def samples_section(facts: RunFacts, images: ReportImages) -> Section:
    """Return the section of sample images; those of `sample_paths` must be loaded."""
    samples = sample_paths(facts)
    left = len(facts.class_names) - len(samples)
    values = {
        "most": max(map(len, samples.values())),
        "classes": [
            (name, [(facts.name_of(path), images.in_next_place(path)) for path in paths])
            for name, paths in samples.items()
        ],
        "note": f"The first {len(samples)} of {len(facts.class_names):,} classes."
        if left > 0
        else "",
    }
    return Section("samples", "Sample images", values)
