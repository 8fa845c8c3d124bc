"""Find classes of sounds that can be told apart by their sample rate alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.check.image_faults import Facts
from cnnkit.data.decoding.spectrograms import HIGHEST_HERTZ
from cnnkit.data.records import ImageRecord
from cnnkit.text import first_few

# A sample rate holds the frequencies up to half of it, so all from this one on fill all bands.
_FULL_RATE = round(2 * HIGHEST_HERTZ)


def rate_findings(records: Sequence[ImageRecord], facts: Sequence[Facts]) -> list[Finding]:
    """Return the first two classes whose sounds have no sample rate in common, if there are any.

    Args:
        records: the images; only those to train on are compared.
        facts: of each image.
    """
    rates: dict[str, set[int]] = {}
    for record, fact in zip(records, facts, strict=True):
        if fact.sample_rate is not None and record.split in (None, "train"):
            rates.setdefault(record.label, set()).add(fact.sample_rate)
    for one, other in combinations(sorted(rates), 2):
        if _as_seen(rates[one]).isdisjoint(_as_seen(rates[other])):
            detail = f"{_text(rates[one])} and {_text(rates[other])} samples per second"
            return [Finding("sample_rates", (one, other), detail)]
    return []


def _as_seen(rates: set[int]) -> set[int]:
    return {min(rate, _FULL_RATE) for rate in rates}


def _text(rates: set[int]) -> str:
    return first_few(f"{rate:,}" for rate in sorted(rates))
