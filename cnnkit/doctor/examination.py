"""Look at the machine, check its numbers, and measure it: `cnnkit doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnkit.doctor.checks import Check, all_checks
from cnnkit.doctor.devices import device_facts
from cnnkit.doctor.machine import machine_facts
from cnnkit.doctor.timings import all_timings


@dataclass(frozen=True)
class Examination:
    """What `cnnkit doctor` found.

    Args:
        facts: names and values.
        checks: what was tried.
        timings: name, figure and unit.
    """

    facts: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    timings: tuple[tuple[str, float, str], ...]

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [check.name for check in self.checks if not check.is_good]

    def text(self) -> str:
        """Return one block of lines, to read or to paste into a report of a problem."""
        rows = [
            *self.facts,
            *(
                (check.name, f"{'works' if check.is_good else 'FAILS'}: {check.found}")
                for check in self.checks
            ),
            *((f"{name} speed", f"{figure:,.3g} {unit}") for name, figure, unit in self.timings),
        ]
        width = max(len(name) for name, _ in rows) + 2
        return "\n".join(f"{name:<{width}}{value}" for name, value in rows)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "facts": dict(self.facts),
            "checks": [vars(check) for check in self.checks],
            "timings": [
                {"name": name, "value": round(figure, 3), "unit": unit}
                for name, figure, unit in self.timings
            ],
        }


def examine() -> Examination:
    """Return facts, checks and timings of this machine. It takes about ten seconds."""
    return Examination(
        (*machine_facts(), *device_facts()), tuple(all_checks()), tuple(all_timings())
    )
