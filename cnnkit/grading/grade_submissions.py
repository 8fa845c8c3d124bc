"""Grade submissions by a rubric, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cnnkit.config import Config, config_from_dict
from cnnkit.data.sources.class_names import class_names
from cnnkit.errors import CnnkitError, UsageError, reason_of
from cnnkit.explore.summarize import summary_of_config
from cnnkit.grading.grades import Grade, Grades
from cnnkit.grading.judging import Judgement, Trained, judge_network, judge_training
from cnnkit.grading.read_rubric import read_rubric
from cnnkit.grading.rubric import TRAINED, Rubric
from cnnkit.grading.submission import read_submission
from cnnkit.progress import Report
from cnnkit.runs import folder_name_near
from cnnkit.text import first_few, quoted


def grade_submissions(
    paths: Sequence[Path], rubric_file: Path, runs_folder: Path | None, report: Report
) -> Grades:
    """Return the grades of config files, or of all config files in folders.

    Args:
        paths: files and folders.
        rubric_file: the rubric.
        runs_folder: where the runs are kept; None to remove them.
        report: shows the progress.

    Raises:
        UsageError: there is no submission, or the rubric has mistakes.
        DataError: the images of the rubric cannot be found.
    """
    rubric = read_rubric(rubric_file)
    files = _files(paths, rubric_file)
    data = {"image_size": 32, **rubric.data}
    probe = config_from_dict({"data": data, "model": {"layers": ["flatten"]}})
    num_classes = len(class_names(probe.data))
    with tempfile.TemporaryDirectory(prefix="cnnkit-grade-") as temporary:
        folder = runs_folder or Path(temporary)
        grades = tuple(_grade(file, rubric, num_classes, folder, report) for file in files)
    return Grades(rubric, grades)


def _files(paths: Sequence[Path], rubric_file: Path) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            found = (each for each in path.iterdir() if each.suffix in (".yaml", ".yml"))
            inside = sorted(each for each in found if not each.samefile(rubric_file))
            if not inside:
                raise UsageError(f"{path} has no submissions: files that end in .yaml or .yml.")
        files += inside
    if missing := [str(file) for file in files if not file.is_file()]:
        raise UsageError(f"There is no file or folder {first_few(missing)}.")
    return files


def _grade(
    file: Path, rubric: Rubric, num_classes: int, runs_folder: Path, report: Report
) -> Grade:
    report.note(f"grading {quoted(file)}")
    try:
        config = read_submission(file, rubric)
        _check_output(config, num_classes)
        summary = summary_of_config(config, num_classes)
    except CnnkitError as error:
        return Grade(str(file), message=str(error))
    found: dict[int, Judgement] = {
        index: judge_network(criterion, config, summary)
        for index, criterion in enumerate(rubric.criteria)
        if criterion.judge not in TRAINED
    }
    if len(found) < len(rubric.criteria):
        trained = _trained(config, list(found.values()), file.stem, runs_folder, report)
        for index, criterion in enumerate(rubric.criteria):
            if index not in found:
                found[index] = judge_training(criterion, trained)
    return Grade(str(file), tuple(found[index] for index in range(len(rubric.criteria))))


def _check_output(config: Config, num_classes: int) -> None:
    """Refuse one sigmoid unit for more than two classes, as the training would.

    Raises:
        UsageError: this is the case.
    """
    if config.model.output == "sigmoid" and num_classes != 2:
        raise UsageError(
            f"model.output: sigmoid is one unit for two classes, but there are {num_classes} "
            "classes. Set model.output: softmax."
        )


def _without_paths(error: CnnkitError, runs_folder: Path) -> str:
    """Return why a training failed, without how to continue it: its run is removed."""
    lines = reason_of(error).splitlines()
    return " ".join(line for line in lines if str(runs_folder) not in line)


def _trained(
    config: Config, judgements: Sequence[Judgement], name: str, runs_folder: Path, report: Report
) -> Trained:
    """Train a submission, unless a required criterion is not met."""
    from cnnkit.training.run import train

    unmet = [each for each in judgements if each.criterion.required and not each.is_met]
    if unmet:
        labels = first_few([each.criterion.label for each in unmet])
        reason = f"it was not trained, because it does not meet what is required ({labels})."
        return Trained(None, None, reason)
    begin = time.monotonic()
    try:
        run = train(config, name=folder_name_near(name), runs_folder=runs_folder, report=report)
    except CnnkitError as error:
        return Trained(None, None, f"the training failed. {_without_paths(error, runs_folder)}")
    minutes = (time.monotonic() - begin) / 60
    if (scores := run.info()["metrics"].get("test")) is None:
        raise UsageError(
            "The data of the rubric has no test images, so there is no accuracy to judge. Set "
            "data.split.test of the rubric above 0, or add a test folder."
        )
    return Trained(scores["accuracy"], minutes)
