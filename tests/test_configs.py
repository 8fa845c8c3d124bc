"""The shipped configs, and the one in the README, do what their heads and the README promise."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from places import CONFIGS, ROOT

import cnnkit
from cnnkit.cli import main
from cnnkit.config import check_config
from cnnkit.explore.summarize import summarize
from cnnkit.explore.zoo import architectures, config_files, model_list


def _test_accuracy(run):
    return run.info()["metrics"]["test"]["accuracy"]


# Trained numbers of the papers, or of the networks that others took from them.
_PUBLISHED = {
    "lenet5": 60_000 + 900 - 44 + 850,  # see the head of the file: what the paper has otherwise
    "digits_lenet5": 61_706,
    "alexnet": 62_378_344,
    "vgg11": 132_863_336,
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_636_712 - 53_120 - 26_560,  # keras.applications: moving averages, biases
    "cifar10_resnet20": 269_722 + 2_656,  # the paper's 0.27 M, and two projections
    "wrn_16_4": 2_748_890,
    "googlenet": 6_998_552,
    "mobilenet": 4_253_864 - 21_888,  # keras.applications, without its moving averages
}
# Multiply-adds of one image in millions, as published with the papers or by torchvision.
_MEGA_MULTIPLY_ADDS = {
    "vgg11": 7_609, "vgg16": 15_470, "resnet18": 1_814, "resnet34": 3_664, "resnet50": 4_089,
    "mobilenet": 569,
}  # fmt: skip


def test_the_zoo_has_the_published_numbers():
    zoo = {each.name: each for each in architectures()}
    assert {name: zoo[name].trained_parameters for name in _PUBLISHED} == _PUBLISHED
    for name, millions in _MEGA_MULTIPLY_ADDS.items():
        assert round(zoo[name].multiply_adds / 1e6) == millions


def test_small_fashion_is_small():
    (small,) = [each for each in architectures() if each.name == "small_fashion"]
    assert small.parameters == 83_434 < 100_000


def test_alexnet_in_two_towers_has_the_number_of_the_paper():
    groups = [f"model.layers[{index}].conv.groups=2" for index in (2, 5, 6)]
    config = CONFIGS / "alexnet.yaml"
    assert summarize(config, groups, num_classes=1000).trained == 60_965_224


@pytest.mark.parametrize("least, most", [(0, 5e6), pytest.param(5e6, 30e6, marks=pytest.mark.slow)])
def test_keras_builds_every_shipped_config_as_we_count_it(least, most):
    from cnnkit.backend import keras
    from cnnkit.model.build_model import build_model

    for each in architectures():
        # More than 30 million take hundreds of megabytes; their kinds of layers are in the others.
        if not least <= each.parameters < most:
            continue
        config = cnnkit.load_config(config_files()[each.name])
        model = build_model(config, each.num_classes)
        assert model.count_params() == each.parameters, each.name
        keras.backend.clear_session()


def test_every_config_describes_itself_and_has_no_mistakes():
    assert sorted(config_files().values()) == sorted(CONFIGS.glob("*.yaml"))
    for name, path in config_files().items():
        assert "x-model:" in path.read_text(), name
        assert check_config(path) == ()


def test_models_prints_the_list_and_a_config(tmp_path):
    listed = CliRunner().invoke(main, ["models", "--json"])
    document = json.loads(listed.stdout)
    assert [row["name"] for row in document["configs"]] == [a.name for a in architectures()]
    mobile = next(row for row in document["backbones"] if row["name"] == "MobileNetV2")
    assert (mobile["minimum_size"], mobile["parameters"]) == (32, 2_257_984)
    lines = CliRunner().invoke(main, ["models"]).stdout.splitlines()
    assert "trained parameters" in lines[0]
    assert any("62,378,344" in line for line in lines)
    wrong = CliRunner().invoke(main, ["models", "resnet81"])
    assert (wrong.exit_code, "Did you mean resnet18?" in wrong.stderr) == (2, True)
    backbone = CliRunner().invoke(main, ["models", "MobileNetV2"])
    assert (backbone.exit_code, "MobileNetV2 is a backbone" in backbone.stderr) == (2, True)


def test_a_printed_config_works_in_any_folder(tmp_path):
    printed = CliRunner().invoke(main, ["models", "resnet18"]).stdout
    shipped = (CONFIGS / "resnet18.yaml").read_text()
    assert printed.partition("x-model")[2] == shipped.partition("x-model")[2]
    assert "schema.json" not in printed
    assert "configs/" not in printed
    document = json.loads(CliRunner().invoke(main, ["models", "resnet18", "--json"]).stdout)
    assert (document["name"], document["config"]) == ("resnet18", printed)
    assert (document["parameters"], document["trained_parameters"]) == (11_699_112, 11_689_512)
    (tmp_path / "my.yaml").write_text(printed.replace("../data/imagenet", "nowhere"))
    result = CliRunner().invoke(main, ["summary", str(tmp_path / "my.yaml"), "--json"])
    assert "the output has the 1,000 classes of x-model" in result.stderr
    found = json.loads(result.stdout)
    assert (found["num_classes"], found["parameters"]) == (1000, 11_699_112)
    (tmp_path / "my.yaml").write_text((tmp_path / "my.yaml").read_text().replace("1000", "many"))
    refused = CliRunner().invoke(main, ["summary", str(tmp_path / "my.yaml")])
    assert (refused.exit_code, "Give --num-classes N" in refused.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("digits_lenet5", 0.975), ("shapes_cnn", 0.95)])
def test_a_shipped_config_reaches_its_accuracy(tmp_path, name, least):
    run = cnnkit.train(CONFIGS / f"{name}.yaml", runs_folder=tmp_path)
    assert _test_accuracy(run) >= least


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "images", "least"),
    [
        ("sign_digits", "sign_digits", 0.97),
        ("small_fashion", "fashion_mnist_sprite900", 0.72),
        ("clothing_small", "clothing_small", 0.55),
    ],
)
def test_a_config_for_few_real_images_reaches_its_accuracy(
    shared_data, tmp_path, name, images, least
):
    source = shared_data / "datasets" / images
    config, words = CONFIGS / f"{name}.yaml", [f"data.source={source}"]
    assert _test_accuracy(cnnkit.train(config, runs_folder=tmp_path, overrides=words)) >= least


@pytest.mark.slow
def test_the_config_of_the_readme_learns_real_photographs(shared_data, tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    text = next(block for block in blocks if "source: photos/" in block)
    path = tmp_path / "photos.yaml"
    path.write_text(text.replace("photos/", str(shared_data / "datasets" / "sign_digits")))
    run = cnnkit.train(
        path, runs_folder=tmp_path, overrides=["augmentation=[{random_rotation: 0.05}]"]
    )
    assert _test_accuracy(run) >= 0.9


def test_the_list_of_backbones_has_measured_times_that_grow_with_the_network():
    found = model_list()
    times = {row["name"]: row["milliseconds"] for row in found.backbones}
    assert 0 < times["MobileNetV3Small"] < times["MobileNetV2"] < times["EfficientNetLite2"]
    assert "one core" in found.measured_on and found.measured_on in found.text()
    assert found.as_dict()["milliseconds_measured_on"] == found.measured_on
