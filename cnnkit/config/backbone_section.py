"""The `model.backbone` section of a config enters; a frozen `BackboneConfig` leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from cnnkit.config.mistakes import shown
from cnnkit.config.section import Section
from cnnkit.config.values import Kind, choice, flag, items_of, nullable, number, text, whole
from cnnkit.networks import NETWORKS

ARGUMENTS = ("alpha", "depth_multiplier", "minimalistic")  # of some named networks

# What says where a backbone comes from, and which other keys go with it.
ORIGINS: dict[str, tuple[str, ...]] = {
    "name": ("weights", "layer", *ARGUMENTS),
    "hub": ("value_range", "signature"),
    "run": ("layer",),
    "file": ("layer", "value_range"),
}

PATHS = ("hub", "run", "file", "weights")
NO_PATHS = ("imagenet", "none")


def _network() -> Kind:
    """Return the kind of `name`; the names are too many for a message."""
    return replace(
        choice(*NETWORKS), expected="the name of a network (`cnnkit models` lists them) or null"
    )


class BackboneConfig(Section):
    """A network that was trained before, without its classifier; one of name, hub, run or file."""

    name: Annotated[str | None, nullable(_network())] = Field(
        None, description="A network of keras.applications, as `cnnkit models` lists them."
    )
    hub: Annotated[str | None, nullable(text("a TF Hub handle or the folder of a SavedModel"))] = (
        Field(None, description="A TF Hub handle, or the folder of a SavedModel.")
    )
    run: Annotated[str | None, nullable(text("the folder of a cnnkit run"))] = Field(
        None, description="The folder of a cnnkit run, whose best weights are taken."
    )
    file: Annotated[str | None, nullable(text("a .keras or .h5 file"))] = Field(
        None, description="A .keras file, or an .h5 file that Keras 3 loads."
    )
    weights: Annotated[str, text("imagenet, none or the path of a weights file")] = Field(
        "imagenet", description="Of a named network: imagenet, none for random ones, or a file."
    )
    layer: Annotated[str | None, nullable(text("the name of a layer"))] = Field(
        None,
        description="The layer whose output is the features; null for the last one before the "
        "classifier.",
    )
    alpha: Annotated[float | None, nullable(number(above=0))] = Field(
        None, description="Width of a MobileNet, as a multiple; null for 1."
    )
    depth_multiplier: Annotated[int | None, nullable(whole(1))] = Field(
        None, description="Depthwise filters a channel of MobileNet; null for 1."
    )
    minimalistic: Annotated[bool | None, nullable(flag())] = Field(
        None, description="Whether a MobileNetV3 has no squeeze-excite and no hard-swish."
    )
    value_range: Annotated[list[float] | None, nullable(items_of(number(), (2,)))] = Field(
        None,
        description="What the pixels 0 and 255 become; null for what a module says itself, and for "
        "[0, 255] with file.",
    )
    signature: Annotated[str | None, nullable(text("the name of a signature"))] = Field(
        None, description="Of a module of TF Hub without `__call__`: the signature to use."
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_an_empty_section(cls, data: Any) -> Any:
        return data  # null is no backbone

    @property
    def origin(self) -> tuple[str, str]:
        """What the backbone is taken from: name, hub, run or file, and its value."""
        return next((key, getattr(self, key)) for key in ORIGINS if getattr(self, key) is not None)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of a named network that are given."""
        given = {key: getattr(self, key) for key in ARGUMENTS}
        return {key: value for key, value in given.items() if value is not None}

    def as_given(self) -> dict[str, Any]:
        """Return the keys that go with the origin and are not null."""
        origin, value = self.origin
        keys = ((key, getattr(self, key)) for key in ORIGINS[origin])
        return {origin: value, **{key: part for key, part in keys if part is not None}}

    def problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Yield (path, subject, message) of keys that do not go together."""
        given = [key for key in ORIGINS if getattr(self, key) is not None]
        if len(given) != 1:
            received = f"received {' and '.join(given)}" if given else "none of them is here"
            yield (), "value", f"expected one of {', '.join(ORIGINS)}; {received}."
            return
        others = {key for keys in ORIGINS.values() for key in keys} - set(ORIGINS[given[0]])
        for key in sorted(others & self._changed()):
            owners = " or ".join(origin for origin, keys in ORIGINS.items() if key in keys)
            yield (key,), "key", f"only with {owners}; here it is {given[0]}. Remove it."
        if self.name is not None:
            yield from self._argument_problems()

    def _argument_problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        row = NETWORKS[self.name]
        imagenet = self.weights == "imagenet"
        for key, value in self.arguments.items():
            if key not in row.arguments:
                owners = [other.name for other in NETWORKS.values() if key in other.arguments]
                message = f"{row.name} has no {key}. Remove it, or take another network: "
                yield (key,), "key", f"{message}{', '.join(owners)}."
            elif imagenet and value not in row.arguments[key].trained:
                known = ", ".join(shown(other) for other in row.arguments[key].trained)
                message = (
                    f"there are no ImageNet weights of {row.name} with {key}: {shown(value)}, "
                    f"only with {known}. Set one of these, or weights: none or the path of a file."
                )
                yield (key,), "value", message
        if imagenet and row.untrained and self.arguments == row.untrained:
            both = " and ".join(f"{key}: {shown(value)}" for key, value in row.untrained.items())
            message = (
                f"there are no ImageNet weights of {row.name} with {both} together. Leave one of "
                "them out, or set weights: none or the path of a file."
            )
            yield (next(iter(row.untrained)),), "value", message

    def _changed(self) -> set[str]:
        """The keys that are not at their defaults: a config that was written out has them all."""
        defaults: dict[str, Any] = {k: part.default for k, part in type(self).model_fields.items()}
        return {key for key, default in defaults.items() if getattr(self, key) != default}
