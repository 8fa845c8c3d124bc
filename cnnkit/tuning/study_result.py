"""What a study has found, as text, as plain values and as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from cnnkit.config import dump_config
from cnnkit.errors import CnnkitError
from cnnkit.files import write_csv, write_text
from cnnkit.runs import Run
from cnnkit.tables import table_text
from cnnkit.text import count_of, duration_text
from cnnkit.tuning.final_comparison import FinalComparison
from cnnkit.tuning.one_trial import facts_of_trial, result_of, seconds_of
from cnnkit.tuning.study import Study, short_names, shown_value, shown_values

_MOST_ROWS = 20  # of the table that is printed; trials.csv has all


@dataclass(frozen=True)
class StudyResult:
    """A study and what the final trainings tell.

    Args:
        study: with at least one complete trial.
        best: its best trial.
        importances: of the keys; None if there are too few trials.
        finals: None if there was no final training.
    """

    study: Study
    best: FrozenTrial
    importances: dict[str, float] | None
    finals: FinalComparison | None

    @property
    def best_values(self) -> dict[str, Any]:
        """The searched keys with the values of the best trial; a choice has its label."""
        return dict(self.best.params)

    @property
    def best_run(self) -> Run:
        """The run of the best trial."""
        return self.study.run_of(self.best)

    def text(self) -> str:
        """Return what `tune` prints."""
        study = self.study
        names = short_names(list(study.space.keys))
        lines = [_trials_table(study, self.best)]
        counts = [
            count_of(sum(trial.state == state for trial in study.trials), f"{word} trial")
            for state, word in _STATES.items()
            if any(trial.state == state for trial in study.trials)
        ]
        lines += [f"\n{', '.join(counts)}; all of them are in {study.runs.table}"]
        if self.importances:
            parts = [f"{names[key]} {part:.2f}" for key, part in self.importances.items()]
            lines.append(f"importance  {', '.join(parts)}")
        lines.append(
            f"best        trial {self.best.number}, validation {study.metric.name} "
            f"{self.best.value:.4f}: {shown_values(self.best.params, names)}"
        )
        if self.finals:
            table = table_text(self.finals.columns(), self.finals.rows(), right=["seeds"])
            lines += ["", table, self.finals.verdict()]
        lines += [
            "",
            f"config      {study.runs.best_config}",
            f"pictures    {study.runs.plot('history').parent}",
            f"next        cnnkit train {study.runs.best_config}",
            f"            cnnkit runs --runs-folder {study.runs.argument} --split validation "
            f"--sort {study.metric.name}",
            f"            cnnkit tune --resume {study.runs.argument} --trials "
            f"{2 * len(study.trials)}",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        study = self.study
        return {
            "study": str(study.runs.folder),
            "metric": study.metric.name,
            "sampler": study.settings.sampler,
            "searched": {key: part.as_given() for key, part in study.space.keys.items()},
            "trials": [facts_of_trial(trial) for trial in study.trials],
            "best_so_far": best_so_far(study),
            "best": {**facts_of_trial(self.best), "run": str(self.best_run.folder)},
            "importances": self.importances,
            "final": self.finals.as_dict() if self.finals else None,
            "config": str(study.runs.best_config),
        }


_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
}


def best_so_far(study: Study) -> list[float | None]:
    """Return for each trial the best score among it and all before it; None if there is none."""
    choose = max if study.metric.larger_is_better else min
    best: float | None = None
    found = []
    for trial in study.trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            best = trial.value if best is None else choose(best, trial.value)
        found.append(best)
    return found


def best_trial(study: Study) -> FrozenTrial:
    """Return the best trial.

    Raises:
        CnnkitError: no trial is complete.
    """
    best = study.best()
    if best is not None:
        return best
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    why = f" The last one that failed: {result_of(study, failed[-1])}." if failed else ""
    raise CnnkitError(
        f"No trial was trained to its end, so there is no result.{why} To go on: "
        f"cnnkit tune --resume {study.runs.argument}"
    )


def write_study_files(study: Study, importances: dict[str, float] | None) -> None:
    """Write trials.csv, and with a complete trial best.yaml and the pictures."""
    write_csv(study.runs.table, _columns(study), (_row(study, trial) for trial in study.trials))
    best = study.best()
    if best is None:
        return
    write_text(study.runs.best_config, _best_text(study, best))
    from cnnkit.plots.study_plots import plot_importances, plot_study_history

    scores = [
        (trial.number, trial.value if trial.state == TrialState.COMPLETE else None)
        for trial in study.trials
    ]
    study.runs.plot("history").parent.mkdir(exist_ok=True)
    label = f"validation {study.metric.name}"
    plot_study_history(scores, best_so_far(study), study.runs.plot("history"), label=label)
    if importances:
        names = short_names(list(study.space.keys))
        shown = {names[key]: part for key, part in importances.items()}
        plot_importances(shown, study.runs.plot("importance"))


def _columns(study: Study) -> list[str]:
    return ["trial", "state", study.metric.name, "epochs", "seconds", *study.space.keys, "note"]


def _row(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    facts = facts_of_trial(trial)
    note = result_of(study, trial) if facts["reason"] or facts["repeats"] is not None else ""
    return {
        **{key: facts[key] for key in ("trial", "state", "epochs", "seconds")},
        study.metric.name: facts["value"],
        **trial.params,
        "note": note or ("as written" if facts["as_written"] else ""),
    }


def _trials_table(study: Study, best: FrozenTrial) -> str:
    """Return a table of the trials, by number; if there are many, of the best ones."""
    sign = -1 if study.metric.larger_is_better else 1
    complete = sorted(study.complete, key=lambda trial: (sign * (trial.value or 0), trial.number))
    others = [trial for trial in study.trials if trial.state != TrialState.COMPLETE]
    shown = sorted((complete + others)[:_MOST_ROWS], key=lambda trial: trial.number)
    names = short_names(list(study.space.keys))
    columns = ["trial", study.metric.name, "epochs", "time", *names.values(), ""]
    right = ["trial", study.metric.name, "epochs", "time"]
    rows = [_cells(study, trial, best) for trial in shown]
    return table_text(columns, rows, right=right, fold=False)


def _cells(study: Study, trial: FrozenTrial, best: FrozenTrial) -> Sequence[str]:
    facts, seconds = facts_of_trial(trial), seconds_of(trial)
    marks = ["best"] * (trial.number == best.number)
    marks += ["as written"] * facts["as_written"]
    if facts["repeats"] is not None:
        marks.append(f"same as trial {facts['repeats']}")
    elif trial.state != TrialState.COMPLETE:
        marks.append(_STATES[trial.state])
    values = [shown_value(trial.params.get(key, "")) for key in study.space.keys]
    return [
        str(trial.number),
        "" if facts["value"] is None else f"{facts['value']:.4f}",
        str(facts["epochs"] or ""),
        "" if seconds is None else duration_text(seconds),
        *values,
        ", ".join(marks),
    ]


def _best_text(study: Study, best: FrozenTrial) -> str:
    """Return the config of the best trial, with the reason in its first lines."""
    written = [trial for trial in study.complete if trial.user_attrs.get("as_written")]
    beside = f"; as written it was {written[0].value:.4f}" if written else ""
    lines = [
        f"{study.settings.config_name}, with the values of the best of "
        f"{count_of(len(study.trials), 'trial')} of `cnnkit tune`: trial {best.number}.",
        f"Its validation {study.metric.name} was {best.value:.4f} with seed "
        f"{study.space.config.training.seed}{beside}. The best of many is too high a",
        "figure: see the final trainings with other seeds in the output of `cnnkit tune`.",
        *(f"  {key}: {value}" for key, value in best.params.items()),
    ]
    return "".join(f"# {line}\n" for line in lines) + dump_config(study.config_of(best))
