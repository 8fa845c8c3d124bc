"""The keys of a rubric: what a submission is trained on, and the criteria with their points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import Field

from cnnkit.config.values import (
    Custom,
    Expected,
    Flag,
    MismatchError,
    NumberAbove0,
    NumberFrom0,
    Positive,
    Section,
    Seed,
    Text,
    Whole,
    choice,
    list_of,
)

# What a submission may name outside itself, if the rubric allows it.
OUTSIDE = ("imagenet", "weights", "backbone_file", "backbone_run", "hub", "phase_data")
JUDGES = ("shape", "parameters", "multiply_adds", "megabytes", "layers", "accuracy", "minutes")
TRAINED = ("accuracy", "minutes")  # need a training


def _read_mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise MismatchError
    return dict(value)


_Mapping = Annotated[
    Any, Custom("a section of keys", read=_read_mapping, schema={"type": "object"})
]
_Share = Annotated[NumberFrom0, Le(1)]
_Count = Annotated[Whole, Ge(0)]


class Limits(Section):
    """The smallest and the largest number that is allowed; at least one of the two."""

    at_least: NumberFrom0 | None = None
    at_most: NumberFrom0 | None = None


class ShapeCriterion(Section):
    """The shape of the input, of the output, or of a layer."""

    of: Text = Field(description="input, output, or the name of a layer such as conv_2.")
    equals: list_of(Positive) = Field(  # type: ignore[valid-type]
        description="[height, width, channels], or [units]."
    )


class LayersCriterion(Section):
    """How many layers of a kind there must be; `at_most: 0` for none."""

    kind: Text = Field(description="A layer as in model.layers, such as conv, or a Keras class.")
    at_least: _Count | None = None
    at_most: _Count | None = None
    arguments: _Mapping = Field({}, description="Only layers with these arguments count.")


class AccuracyCriterion(Section):
    """The accuracy on the test images of the rubric."""

    at_least: _Share = Field(description="The accuracy that gets all points.")
    no_points_below: _Share | None = Field(
        None, description="From here on, points grow in a line; null for all points or none."
    )


class Criterion(Section):
    """One criterion: its points, and exactly one thing that it judges."""

    points: NumberAbove0 = Field(description="How many points it is worth.")
    name: Text | None = Field(None, description="What results call it; null for what it judges.")
    required: Flag = Field(
        False, description="Whether a submission that does not meet it is not trained."
    )
    shape: ShapeCriterion | None = None
    parameters: Limits | None = None
    multiply_adds: Limits | None = None
    megabytes: Limits | None = None
    layers: LayersCriterion | None = None
    accuracy: AccuracyCriterion | None = None
    minutes: Limits | None = None

    @property
    def judge(self) -> str:
        """What is judged: one of JUDGES."""
        return next(key for key in JUDGES if getattr(self, key) is not None)

    @property
    def label(self) -> str:
        """What results call the criterion."""
        if self.name is not None:
            return self.name
        if self.shape is not None:
            return f"shape of {self.shape.of}"
        return f"{self.layers.kind} layers" if self.layers is not None else self.judge


class RubricTraining(Section):
    """How submissions are trained, whatever they say themselves."""

    seed: Seed = 0
    max_epochs: Positive | None = Field(None, description="More epochs are cut off.")
    max_minutes: NumberAbove0 | None = Field(
        None, description="A training ends before an epoch that would not end in this time."
    )


class Rubric(Section):
    """A whole rubric."""

    title: Text | None = Field(None, description="What results call the assignment.")
    data: _Mapping = Field(
        description="The keys of a config's data section, in place of those of a submission."
    )
    training: RubricTraining = Field(RubricTraining())
    allow: Annotated[list[choice(*OUTSIDE)], Expected(f"a list of {', '.join(OUTSIDE)}")] = Field(
        [],  # type: ignore[valid-type]
        description="What submissions may name outside themselves.",
    )
    pass_mark: NumberFrom0 = Field(description="The points that are needed to pass.")
    criteria: tuple[Criterion, ...]

    @property
    def total(self) -> float:
        """All points that can be reached."""
        return sum(criterion.points for criterion in self.criteria)
