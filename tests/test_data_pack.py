"""`cnnkit data pack`."""

from __future__ import annotations

import json

from caches import listed
from click.testing import CliRunner
from images import data_config, write_classes

from cnnkit.cli import main
from cnnkit.data.dataset import load_dataset


def pack(*words):
    return CliRunner().invoke(main, ["data", "pack", *map(str, words)])


def test_data_pack_makes_the_pack_that_training_uses(tmp_path, own_cache):
    photos = write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})
    (photos / "cat" / "copy.png").write_bytes((photos / "cat" / "00.png").read_bytes())
    done = pack(photos, "--set", "data.image_size=[16,16]", "--json")
    document = json.loads(done.stdout)
    assert document["images"] == 11
    assert document["different_images"] == 10
    assert document["bytes"] == 10 * 16 * 16 * 3
    assert document["undecodable"] == []
    again = pack(photos, "--set", "data.image_size=[16,16]").stdout.splitlines()
    assert again[0] == "11 images (10 different) of 16 x 16 x 3, 7.7 kB; already packed"
    assert (document["already_packed"], document["images_per_second"] > 0) == (False, True)
    document = json.loads(pack(photos, "--set", "data.image_size=[16,16]", "--json").stdout)
    assert (document["already_packed"], document["images_per_second"]) == (True, None)
    assert again[1] == document["pack"]
    notes = []
    load_dataset(data_config(photos), note=notes.append)
    assert notes[-1].endswith(f"read from {document['pack']}.")


def test_data_pack_reads_a_config_and_prints_for_people(tmp_path, own_cache):
    write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})
    config = tmp_path / "a.yaml"
    config.write_text(
        "data: {source: photos, image_size: [8, 9], cache: off}\nmodel: {layers: [flatten]}\n"
    )
    done = pack(config)
    assert done.exit_code == 0
    first, folder = done.stdout.splitlines()
    assert first.startswith("10 images of 8 x 9 x 3, 2.2 kB; ")
    assert [folder] == [entry["path"] for entry in listed()["entries"]]


def test_data_pack_names_every_file_that_cannot_be_decoded(tmp_path, own_cache):
    photos = write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})
    for index in range(30):
        (photos / "cat" / f"bad{index:02}.png").write_text(f"text {index}")
    done = pack(photos, "--set", "data.image_size=8", "--json")
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["undecodable"]) == 30
    assert all(f"cat/bad{index:02}.png: it is not an image" in done.stderr for index in range(30))
    done = pack(photos, "--set", "data.image_size=8", "--set", "data.on_error=skip")
    assert done.exit_code == 0
    assert done.stdout.startswith("10 images of 8 x 8 x 3")
    assert "Skipped cat/bad29.png: it is not an image" in done.stderr


def test_data_pack_without_room_is_an_error(tmp_path, own_cache):
    photos = write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})
    done = pack(photos, "--set", "data.cache_limit_gb=1e-6")
    assert done.exit_code == 1
    assert "they take up to 1.5 MB, and data.cache_limit_gb is 1e-06" in done.stderr
    assert "set data.cache: auto" not in done.stderr  # it is auto already
    assert listed()["entries"] == []
