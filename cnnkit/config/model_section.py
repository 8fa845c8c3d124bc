"""The keys of the `model` section: layers, or a backbone with a head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from annotated_types import Gt, Len
from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from cnnkit.backbone_networks import NETWORKS, NetworkRow
from cnnkit.config.calls import HeadLayers, Layers
from cnnkit.config.problems import Mistake, shown
from cnnkit.config.values import REFERENCE, Expected, Flag, Number, Section, Text, Whole

# --- model.backbone

ARGUMENTS = ("alpha", "depth_multiplier", "minimalistic")  # of some of the named networks

# What says where a backbone comes from, and which other keys go with it.
ORIGINS: dict[str, tuple[str, ...]] = {
    "name": ("weights", "layer", *ARGUMENTS),
    "hub": ("value_range", "signature"),
    "run": ("layer",),
    "file": ("layer", "value_range"),
}

NO_PATHS = ("imagenet", "none")  # values of `weights` that are not the path of a file
# The names are too many for a message.
_NETWORK = Expected("the name of a network (`cnnkit models` lists them) or null")


class BackboneConfig(Section):
    """A pretrained network without its classifier; from one of name, hub, run or file."""

    name: Annotated[Literal[tuple(NETWORKS)] | None, _NETWORK] = Field(  # type: ignore[valid-type]
        None,
        description="EfficientNet-Lite or a network of keras.applications, as listed by "
        "`cnnkit models`.",
    )
    hub: Annotated[Text, Expected("a TF Hub handle or the folder of a SavedModel")] | None = Field(
        None, description="A TF Hub handle, or the folder of a SavedModel."
    )
    run: Annotated[Text, Expected("the folder of a cnnkit run")] | None = Field(
        None, description="The folder of a cnnkit run. Its best weights are used."
    )
    file: Annotated[Text, Expected("a .keras or .h5 file")] | None = Field(
        None, description="A .keras file, or an .h5 file that Keras 3 can load."
    )
    weights: Annotated[Text, Expected("imagenet, none or the path of a weights file")] = Field(
        "imagenet",
        description="The weights of a named network: imagenet, none for random ones, or a file.",
    )
    layer: Annotated[Text, Expected("the name of a layer")] | None = Field(
        None,
        description="The layer whose output is used as features; null for the last one before the "
        "classifier.",
    )
    alpha: Annotated[Number, Gt(0)] | None = Field(
        None, description="Width of a MobileNet, as a multiple; null for 1."
    )
    depth_multiplier: Annotated[Whole, Gt(0)] | None = Field(
        None, description="Depthwise filters per channel of MobileNet; null for 1."
    )
    minimalistic: Flag | None = Field(
        None, description="Whether a MobileNetV3 does without squeeze-excite and hard-swish."
    )
    value_range: Annotated[list[Number], Len(2, 2)] | None = Field(
        None,
        description="What the pixel values 0 and 255 are scaled to; null for what a module itself "
        "declares, and for [0, 255] with file.",
    )
    signature: Annotated[Text, Expected("the name of a signature")] | None = Field(
        None, description="The signature to use of a TF Hub module without `__call__`."
    )

    @property
    def origin(self) -> tuple[str, str]:
        """Where the backbone comes from: name, hub, run or file, and its value."""
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

    def mistakes(self) -> Iterator[Mistake]:
        """Yield the keys that do not go together; their paths start at the backbone."""
        given = [key for key in ORIGINS if getattr(self, key) is not None]
        if len(given) != 1:
            received = f"received {' and '.join(given)}" if given else "none of them is given"
            yield Mistake((), f"expected one of {', '.join(ORIGINS)}; {received}.")
            return
        others = {key for keys in ORIGINS.values() for key in keys} - set(ORIGINS[given[0]])
        for key in sorted(others & self._changed()):
            owners = " or ".join(origin for origin, keys in ORIGINS.items() if key in keys)
            message = f"goes only with {owners}, but {given[0]} is given. Remove {key}."
            yield Mistake((key,), message, "key")
        if self.name is not None:
            yield from self._argument_mistakes(NETWORKS[self.name])

    def _argument_mistakes(self, row: NetworkRow) -> Iterator[Mistake]:
        imagenet = self.weights == "imagenet"
        for key, value in self.arguments.items():
            if key not in row.arguments:
                owners = [other.name for other in NETWORKS.values() if key in other.arguments]
                message = f"{row.name} has no {key}. Remove it, or use another network: "
                yield Mistake((key,), f"{message}{', '.join(owners)}.", "key")
            elif imagenet and value not in row.arguments[key].trained:
                known = ", ".join(shown(other) for other in row.arguments[key].trained)
                message = (
                    f"there are no ImageNet weights of {row.name} with {key}: {shown(value)}, "
                    f"only with {known}. Set one of these, or set weights: none or the path of a "
                    "file."
                )
                yield Mistake((key,), message)
        if imagenet and row.untrained and self.arguments == row.untrained:
            both = " and ".join(f"{key}: {shown(value)}" for key, value in row.untrained.items())
            message = (
                f"there are no ImageNet weights of {row.name} with {both} together. Remove one of "
                "them, or set weights: none or the path of a file."
            )
            yield Mistake((next(iter(row.untrained)),), message)

    def _changed(self) -> set[str]:
        """Return the keys that differ from their defaults: a config that was written has all."""
        fields = type(self).model_fields
        return {key for key, field in fields.items() if getattr(self, key) != field.default}


# --- model


def _layers_or_backbone(schema: dict[str, Any]) -> None:
    # pydantic would require `layers`, which has no default, also next to a backbone.
    del schema["required"]
    schema["anyOf"] = [{"required": ["layers"]}, {"required": ["backbone"]}]


_BLOCKS_SCHEMA = {
    "type": "object",
    "additionalProperties": {
        "type": "array",
        "items": {REFERENCE: "#/$defs/layers"},
        "minItems": 1,
    },
}


class ModelConfig(Section):
    """The layers between the pixels and the probabilities."""

    model_config = ConfigDict(json_schema_extra=_layers_or_backbone)

    layers: Annotated[Layers | None, Expected("a list of at least one layer")] = Field(
        description="The layers in order. Rescaling before them and the output after them are "
        "added."
    )
    backbone: BackboneConfig | None = Field(
        None, description="A pretrained network, in place of layers."
    )
    head: HeadLayers | None = Field(
        None,
        description="The layers between the backbone and the output; null for global_pool, if the "
        "features are maps, and dropout: 0.2.",
    )
    weights: Annotated[Text, Expected("the folder of a cnnkit run or a .keras file")] | None = (
        Field(
            None,
            description="The folder of a cnnkit run, or a .keras file, from whose weights the "
            "training starts; null for random ones, and those of the backbone.",
        )
    )
    partial_weights: Flag = Field(
        False,
        description="Whether `weights` may be those of only some layers; the others start as "
        "without it.",
    )
    blocks: Annotated[Mapping[str, Any], WithJsonSchema(_BLOCKS_SCHEMA)] = Field(
        {},
        exclude=True,  # cnnkit.config.expansion has written them into the layers
        description="Stacks of layers by name, for `block` in `layers`.",
    )
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="One probability per class, or one sigmoid unit for two classes.",
    )
    tta: Literal["flips"] | None = Field(
        None,
        description="flips: the trained model answers with the mean over the image and its mirror "
        "image, which takes up to twice the time; null: the image alone.",
    )

    @model_validator(mode="before")
    @classmethod
    def _backbone_replaces_layers(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("backbone") is not None:
            # `layers` has no default, so that one that is missing is reported as missing.
            return {"layers": None, **data}
        return data
