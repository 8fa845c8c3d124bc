"""Train the best config and the unchanged one with several seeds that the search did not use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnkit.config import Config
from cnnkit.locks import held, is_held
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.runs.run_entry import read_entry
from cnnkit.training.named_training import train_or_resume
from cnnkit.tuning.one_trial import TrainingReport
from cnnkit.tuning.study import Study

AS_WRITTEN = "written"  # in the names of runs: the config without any change


@dataclass(frozen=True)
class FinalTraining:
    """A training with another seed.

    Args:
        name: `trial007` for the config of trial 7, or `written`.
        seed: of the training.
        run: its run, finished or not.
        config: what is trained.
    """

    name: str
    seed: int
    run: Run
    config: Config

    @property
    def is_finished(self) -> bool:
        """Whether its results are there."""
        entry = read_entry(self.run.folder)
        return entry is not None and entry.status == "finished"


def final_trainings(study: Study, num_seeds: int) -> Sequence[FinalTraining]:
    """Return the trainings that tell what the search has won, the best config first.

    The seeds follow that of the config: with that one itself the best trial was lucky, perhaps.

    Args:
        study: with at least one complete trial.
        num_seeds: how many seeds there are of each config.
    """
    best = study.best()
    configs = {}
    if best is not None and not best.user_attrs.get("as_written"):
        configs[study.runs.trial(best.number).name] = study.config_of(best)
    configs[AS_WRITTEN] = study.space.config
    first = study.space.config.training.seed + 1
    return [
        FinalTraining(
            name, seed, Run(study.runs.final / f"{name}-seed{seed}"), _with_seed(config, seed)
        )
        for seed in range(first, first + num_seeds)
        for name, config in configs.items()
    ]


def train_finals(study: Study, num_seeds: int, report: Report) -> None:
    """Train those that are not finished and that no other process trains.

    Args:
        study: with at least one complete trial.
        num_seeds: how many seeds there are of each config.
        report: shows the progress, and one line for each training.

    Raises:
        CnnkitError: a training failed.
        KeyboardInterrupt: Ctrl-C; it can be continued.
    """
    again = f"cnnkit tune --resume {study.runs.argument}"
    for final in final_trainings(study, num_seeds):
        claim = study.runs.claim(final.run)
        if final.is_finished or is_held(claim):
            continue
        claim.parent.mkdir(exist_ok=True)
        with held(claim):
            shown = TrainingReport(report)
            train_or_resume(final.run, final.config, report=shown, again=again)
        metrics = final.run.info()["metrics"]
        name = study.metric.name
        scores = ", ".join(f"{split} {each[name]:.4f}" for split, each in metrics.items())
        report.note(f"{final.name} with seed {final.seed}: {name} {scores}")


def _with_seed(config: Config, seed: int) -> Config:
    training = config.training.model_copy(update={"seed": seed})
    return config.model_copy(update={"training": training})
