"""What `cnnkit diagnose` finds: verdicts with what was seen, why it matters and what to change."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.text import as_argument, command_line

NOTHING = "Nothing to complain about"
_WIDTH = 100  # characters of a line
_WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
_MOST_SHORT = 3  # verdicts that `train` prints at its end


@dataclass(frozen=True)
class Change:
    """A key of the config and a value to try.

    Args:
        key: dotted, as in `training.optimizer.adam.learning_rate`.
        value: as YAML on one line.
        now: the value that it has, for people; "" if it has none.
    """

    key: str
    value: str
    now: str = ""

    @property
    def option(self) -> str:
        """The value of `--set` that makes the change."""
        return f"{self.key}={self.value}"

    def text(self) -> str:
        """Return `training.epochs: 40 (now 20)`."""
        return f"{self.key}: {self.value}" + (f" (now {self.now})" if self.now else "")


@dataclass(frozen=True)
class Verdict:
    """One thing that is wrong with a training, or may be.

    Args:
        name: such as `overfitting`; scripts may rely on it.
        title: the verdict in a few words, without a full stop.
        seen: what it rests on: numbers and epochs, as sentences.
        why: why it matters, in one sentence.
        changes: what to change in the config; any one of them may be enough.
        advice: what to do besides or instead; "" if the changes say it all.
        epoch: since when, counted from 1 over all phases; None if it belongs to no epoch.
    """

    name: str
    title: str
    seen: str
    why: str
    changes: tuple[Change, ...] = ()
    advice: str = ""
    epoch: int | None = None

    def text(self) -> str:
        """Return the verdict for people, a title and indented lines below it."""
        lines = [self.title]
        for sentences in filter(None, (self.seen, self.why, self.advice)):
            lines += textwrap.wrap(
                sentences, _WIDTH, initial_indent="  ", subsequent_indent="  ", **_WHOLE_WORDS
            )
        if self.changes:
            lines.append("  change:" if len(self.changes) == 1 else "  change one of these:")
            lines += [f"    {change.text()}" for change in self.changes]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "seen": self.seen,
            "why": self.why,
            "advice": self.advice,
            "epoch": self.epoch,
            "changes": [
                {"key": change.key, "value": change.value, "now": change.now, "set": change.option}
                for change in self.changes
            ],
        }


@dataclass(frozen=True)
class Diagnosis:
    """All verdicts on a run.

    Args:
        folder: of the run.
        verdicts: the most important one first; none for a healthy training.
        healthy: why there is nothing to complain about, in sentences.
        not_judged: what could not be judged, in sentences.
        failure: why the training failed; "" if it did not.
    """

    folder: Path
    verdicts: tuple[Verdict, ...]
    healthy: str = ""
    not_judged: tuple[str, ...] = ()
    failure: str = ""

    def text(self) -> str:
        """Return all verdicts for people."""
        nothing = textwrap.fill(self.nothing_text(), _WIDTH, **_WHOLE_WORDS)
        parts = [verdict.text() for verdict in self.verdicts] or [nothing]
        if self.not_judged:
            parts.append("\n".join(f"Not judged: {text}" for text in self.not_judged))
        return "\n\n".join(parts)

    def short_lines(self) -> list[str]:
        """Return at most three lines for the end of `train`."""
        return short_lines(self.folder, self.verdicts, self.not_judged)

    def hints(self) -> list[str]:
        """Return what to type to try the first change; nothing if there is none."""
        return trying_first_change(self.folder, self.verdicts)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.folder),
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
            "healthy": self.healthy,
            "not_judged": list(self.not_judged),
            "failure": self.failure,
        }

    def nothing_text(self) -> str:
        """Return what is said if there is no verdict."""
        if self.failure:
            return f"The training failed: {self.failure}"
        return f"{NOTHING}. {self.healthy}" if self.healthy else f"{NOTHING}."


def trying_first_change(folder: Path, verdicts: Sequence[Verdict], *more: str) -> list[str]:
    """Return the command that trains with the first change of all, if there is any.

    Args:
        folder: of the run, with its config.
        verdicts: the most important first.
        more: words at the end of the command.
    """
    changes = [change for verdict in verdicts for change in verdict.changes]
    if not changes:
        return []
    config = as_argument(folder / "config.yaml")
    words = ("cnnkit", "train", config, "--set", changes[0].option, "--name", folder.name)
    return [f"to try the first change: {command_line(*words, *more)}"]


def short_lines(
    folder: Path, verdicts: Sequence[Verdict], not_judged: Sequence[str] = ()
) -> list[str]:
    """Return at most three lines on the verdicts on a run, the last one with the next command."""
    if not verdicts:
        limits = "".join(f"; not judged: {text.rstrip('.')}" for text in not_judged)
        return [f"diagnosis   {NOTHING.lower()}{limits}"]
    lines = [f"diagnosis   {_short(verdict)}" for verdict in verdicts[:_MOST_SHORT]]
    more = len(verdicts) - len(lines)
    also = f", {more} more" if more else ""
    lines[-1] += f" ({command_line('cnnkit', 'diagnose', as_argument(folder))}{also})"
    return lines


def _short(verdict: Verdict) -> str:
    change = f"; try {verdict.changes[0].text()}" if verdict.changes else ""
    return f"{verdict.title}{change}"
