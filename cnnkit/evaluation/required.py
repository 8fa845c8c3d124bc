"""What a model must meet: requirements on metrics, and a run that it must not be worse than."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import GateError, UsageError
from cnnkit.evaluation.gates import Outcome, check_requirements
from cnnkit.evaluation.junit_report import write_junit
from cnnkit.evaluation.no_worse import check_no_worse
from cnnkit.evaluation.pooled_folds import FoldEvaluation
from cnnkit.evaluation.scores import Evaluation
from cnnkit.output_guard import check_output


@dataclass(frozen=True)
class Gate:
    """What decides whether a model may be used.

    Args:
        requirements: on metrics, such as `accuracy>=0.9`.
        no_worse_than: the other run; None if there is none.
        on_lower: look at the worse end of the intervals instead of the values.
        junit: a file for the outcomes as JUnit XML; None writes none.
    """

    requirements: Sequence[str] = ()
    no_worse_than: str | None = None
    on_lower: bool = False
    junit: Path | None = None

    def check_options(self, *, overwrite: bool) -> None:
        """Refuse what cannot be done, before anything is scored.

        Raises:
            UsageError: `junit` may not be written, or there is nothing to require.
        """
        if not self.requirements and self.no_worse_than is None:
            for option, is_given in (("--on lower", self.on_lower), ("--junit", self.junit)):
                if is_given:
                    raise UsageError(
                        f'{option} needs a requirement, for example --require "accuracy>=0.9".'
                    )
        check_output(self.junit, "--junit", (".xml",), overwrite=overwrite)

    def check(self, evaluation: Evaluation | FoldEvaluation) -> list[Outcome]:
        """Return whether each requirement is met, and write the JUnit file.

        Raises:
            UsageError: a requirement names something that these images do not have.
        """
        outcomes = self._outcomes(evaluation)
        if self.junit is not None:
            write_junit(outcomes, str(evaluation.folder or "predictions"), self.junit)
        return outcomes

    def _outcomes(self, evaluation: Evaluation | FoldEvaluation) -> list[Outcome]:
        scores = evaluation.pooled if isinstance(evaluation, FoldEvaluation) else evaluation
        # Slices take time to find, so they are only if a requirement is about them.
        needs_slices = any("slice" in requirement for requirement in self.requirements)
        slices = scores.details.slices if needs_slices and scores.details is not None else ()
        outcomes = check_requirements(
            self.requirements, scores.metrics, slices, on_lower=self.on_lower
        )
        if scores.baseline is not None:
            outcomes.append(
                check_no_worse(
                    scores.predictions,
                    scores.baseline,
                    contents=scores.contents,
                    on_lower=self.on_lower,
                )
            )
        return outcomes


@dataclass(frozen=True)
class Judged:
    """An evaluation, and whether the requirements on it are met: what `cnnkit evaluate` prints.

    Args:
        evaluation: the scores.
        outcomes: of the requirements, in order.
    """

    evaluation: Evaluation | FoldEvaluation
    outcomes: Sequence[Outcome] = ()

    @property
    def sentences(self) -> list[str]:
        """One per requirement."""
        return [outcome.sentence for outcome in self.outcomes]

    @property
    def failure(self) -> GateError | None:
        """The error with which the command ends if at least one requirement is not met."""
        is_met = all(outcome.is_met for outcome in self.outcomes)
        return None if is_met else GateError("\n".join(self.sentences))

    def text(self) -> str:
        """Return the scores."""
        return self.evaluation.text()

    def as_dict(self) -> dict[str, Any]:
        """Return the scores and the outcomes, ready for JSON."""
        outcomes = [outcome._asdict() for outcome in self.outcomes]
        return {**self.evaluation.as_dict(), "requirements": outcomes}
