"""Paths in a config: relative ones, `~`, `${NAME}` and `$${NAME}`, read and written back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cnnkit.config import config_from_text, dump_config, load_config
from cnnkit.errors import ConfigError
from configs import SMALL


def source_of(text: str, folder: Path) -> str:
    path = folder / "a.yaml"
    path.write_text(f"data: {{source: {text}, image_size: 32}}\nmodel: {{layers: [flatten]}}\n")
    return load_config(path).data.source


def test_a_relative_source_starts_from_the_config_file(tmp_path: Path) -> None:
    assert source_of("photos/", tmp_path) == str(tmp_path / "photos")
    assert source_of("../photos", tmp_path) == str(tmp_path.parent / "photos")
    assert source_of("/photos", tmp_path) == os.path.abspath("/photos")


def test_a_folder_may_have_the_name_of_a_number_or_a_built_in(tmp_path: Path) -> None:
    assert source_of("012", tmp_path) == str(tmp_path / "012")
    assert source_of("./digits", tmp_path) == str(tmp_path / "digits")
    assert source_of("digits", tmp_path) == "digits"


def test_the_home_folder_and_variables_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PHOTOS", str(tmp_path / "all"))
    assert source_of("~/photos", tmp_path) == str(tmp_path / "photos")
    assert source_of("'${PHOTOS}/cats'", tmp_path) == str(tmp_path / "all" / "cats")
    assert source_of("'$${PHOTOS}/cats'", tmp_path) == str(tmp_path / "${PHOTOS}" / "cats")


def with_paths(folder: str, key: str) -> str:
    """Return a config with a path at every place that can have one; JSON is YAML."""
    name = {"name": "VGG16"} if key == "weights" else {}
    data = {
        "data": {"source": f"{folder}/images", "image_size": 64, "classes": "names.txt"},
        "model": {"backbone": {**name, key: f"{folder}/backbone"}},
        "training": {
            "phases": [
                {"train": "head", "data": {"source": f"{folder}/drawn"}},
                {"train": "all", "data": {"source": "shapes"}},
            ]
        },
    }
    return json.dumps(data)


@pytest.mark.parametrize("key", ["hub", "run", "file", "weights"])
@pytest.mark.parametrize(
    ("written", "real"),
    [
        ("$${A}", "${A}"),
        ("x$${A}y$${B}", "x${A}y${B}"),
        ("$$${A}", "$${A}"),
        ("$${A$${B}}", "$${A${B}}"),  # `${A$` is not a variable
        ("${1}", "${1}"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("${SET}", "${HOME}"),  # what a variable holds is not filled in again
    ],
)
def test_a_path_with_a_dollar_survives_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, written: str, real: str
) -> None:
    monkeypatch.setenv("SET", "${HOME}")
    folder = tmp_path / "of ${the} $config"  # the real name of a folder is never filled in
    folder.mkdir()
    (folder / "names.txt").write_text("${A}\n$b\n", encoding="utf-8")
    (folder / "a.yaml").write_text(with_paths(written, key), encoding="utf-8")
    config = load_config(folder / "a.yaml")
    assert config.data.source == str(folder / real / "images")
    assert config.data.classes == ("${A}", "$b")
    assert getattr(config.model.backbone, key) == str(folder / real / "backbone")
    assert config.training.phases[0].data.source == str(folder / real / "drawn")
    assert config.training.phases[1].data.source == "shapes"
    (tmp_path / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == config


def test_urls_and_names_of_weights_are_written_as_they_are() -> None:
    url = "https://example.org/${A}/1"
    text = f"data: {{source: digits, image_size: 32}}\nmodel: {{backbone: {{hub: '{url}'}}}}\n"
    config = config_from_text(text)
    assert config.model.backbone.hub == url
    assert config_from_text(dump_config(config)) == config


def test_a_class_list_is_a_list_or_a_file_with_one_class_per_line(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("on\n\n 012 \ncafé\n", encoding="utf-8")
    path = tmp_path / "a.yaml"
    path.write_text(
        "data: {source: digits, image_size: 32, classes: names.txt}\nmodel: {layers: [flatten]}\n"
    )
    assert load_config(path).data.classes == ("on", "012", "café")
    assert load_config(path, ["data.classes=[no, 1e-4]"]).data.classes == ("no", "1e-4")


def test_a_missing_class_list_is_reported_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SMALL.replace("size: 32", "size: 32, classes: names.txt"))
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(
        f"{path}:1:49  data.classes  the class list {tmp_path / 'names.txt'} cannot be read: No "
        "such file or directory."
    )
