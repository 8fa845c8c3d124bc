"""Read a rubric, or report all of its mistakes with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnkit.config import Config, call_names
from cnnkit.config.file_paths import fill_in_paths
from cnnkit.config.load_config import config_text_of
from cnnkit.config.problems import Mistake, located, mistakes_of, shown
from cnnkit.config.yaml_reader import read_yaml
from cnnkit.errors import ConfigError, UsageError, did_you_mean
from cnnkit.grading.rubric import JUDGES, Criterion, LayersCriterion, Rubric

# A network to check the `data` section with; what a rubric does not set comes from a submission.
_ANY_DATA = {"data": {"source": "digits", "image_size": 32}}
_ANY_MODEL = {"model": {"layers": ["flatten"]}}
FROM_SUBMISSION = ("image_size", "color_mode", "resize", "background", "batch_size")


def read_rubric(path: Path) -> Rubric:
    """Return the rubric in a YAML file, with its paths made absolute.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it has mistakes; all of them, each with file:line:column.
    """
    if not path.exists():
        raise UsageError(f"There is no rubric {path}.")
    document = read_yaml(config_text_of(path), str(path))
    if not isinstance(document.data, dict):
        message = "expected a rubric with the keys data, pass_mark and criteria."
        raise ConfigError(located([Mistake((), message)], document))
    mistakes: list[Mistake] = []
    data = document.data.get("data")
    if isinstance(data, dict):
        whole: dict[str, Any] = {"data": dict(data)}
        mistakes += fill_in_paths(whole, path.parent)
        document.data["data"] = whole["data"]
        mistakes += _mistakes_of_data(whole["data"])
    try:
        rubric = Rubric.model_validate(document.data)
    except ValidationError as error:
        mistakes += mistakes_of(error, Rubric, document.data)
    else:
        mistakes += _mistakes_between(rubric)
    if mistakes:
        raise ConfigError(located(mistakes, document))
    return rubric


def _mistakes_of_data(data: dict[str, Any]) -> list[Mistake]:
    whole = {"data": {"image_size": 32, **data}, **_ANY_MODEL}
    try:
        Config.model_validate(whole)
    except ValidationError as error:
        return mistakes_of(error, Config, whole)
    return []


def _mistakes_between(rubric: Rubric) -> Iterator[Mistake]:
    if not rubric.criteria:
        yield Mistake(("criteria",), "expected at least one criterion.")
    elif rubric.pass_mark > rubric.total:
        message = f"is above {rubric.total:g}, the sum of all points. Nobody could pass."
        yield Mistake(("pass_mark",), message)
    for index, criterion in enumerate(rubric.criteria):
        for mistake in _mistakes_of_criterion(criterion):
            yield Mistake(
                ("criteria", index, *mistake.path), mistake.message, mistake.points_at,
                mistake.suggestion,
            )  # fmt: skip


def _mistakes_of_criterion(criterion: Criterion) -> Iterator[Mistake]:
    given = [key for key in JUDGES if getattr(criterion, key) is not None]
    if len(given) != 1:
        received = f"received {' and '.join(given)}" if given else "none of them is given"
        yield Mistake((), f"expected one of {', '.join(JUDGES)}; {received}.")
        return
    key, value = given[0], getattr(criterion, given[0])
    if key in ("parameters", "multiply_adds", "megabytes", "minutes", "layers"):
        low, high = value.at_least, value.at_most
        if low is None and high is None:
            yield Mistake((key,), "expected at_least, at_most or both.")
        elif low is not None and high is not None and low > high:
            yield Mistake((key, "at_most"), f"is below at_least, {low:g}.")
    if criterion.required and key in ("accuracy", "minutes"):
        message = f"{key} is known only after the training, so it cannot decide about it."
        yield Mistake(("required",), message)
    if key == "layers":
        yield from _mistakes_of_layers(value)
    if key == "accuracy" and (value.no_points_below or 0) >= value.at_least:
        yield Mistake((key, "at_least"), "is not above no_points_below. Set it above.")


def _mistakes_of_layers(value: LayersCriterion) -> Iterator[Mistake]:
    names = call_names("layers")
    if value.kind not in names:
        near = did_you_mean(value.kind, reversed(names))  # of two alike, the short name
        message = f"there is no layer {shown(value.kind)}.{near} `cnnkit models` lists all."
        yield Mistake(("layers", "kind"), message)
        return
    # As in a config, but without the arguments that a layer needs and the rubric does not mention.
    whole = {**_ANY_DATA, "model": {"layers": [{value.kind: value.arguments}]}}
    try:
        Config.model_validate(whole)
    except ValidationError as error:
        for mistake in mistakes_of(error, Config, whole):
            if mistake.path[4:5] and mistake.path[4] in value.arguments:
                yield replace(mistake, path=("layers", "arguments", *mistake.path[4:]))
