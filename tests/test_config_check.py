"""`config check`: every file is reported, and the exit code says whether all are fine."""

from __future__ import annotations

import json

from click.testing import CliRunner

from cnnkit.cli import main

_FINE = "data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n"


def _check(*words):
    return CliRunner().invoke(main, ["config", "check", *map(str, words)])


def test_a_missing_file_does_not_hide_what_is_wrong_with_the_others(tmp_path):
    fine, wrong, missing = (tmp_path / name for name in ("a.yaml", "b.yaml", "missing.yaml"))
    fine.write_text(_FINE)
    wrong.write_text(_FINE.replace("8", "0"))
    done = _check(fine, missing, wrong)
    assert done.exit_code == 2
    assert done.stdout == f"{fine}: fine\n"
    absent, mistake = done.stderr.splitlines()
    assert absent.startswith(f"There is no config {missing}.")
    assert mistake.startswith(f"{wrong}:1:36  data.image_size  expected [height, width]")
    found = json.loads(_check(fine, missing, wrong, "--json").stdout)
    assert found[str(fine)] == {"problems": [], "notes": []}
    for path, kind, problems in ((missing, "usage", 0), (wrong, "config", 1)):
        facts = found[str(path)]
        assert (facts["kind"], facts["exit_code"], len(facts["problems"])) == (kind, 2, problems)
        assert facts["error"] in done.stderr


def test_images_that_are_not_here_are_a_note_and_no_failure(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        _FINE.replace("digits", "photos")
        + "training: {phases: [{train: all, data: {source: ./digits}}]}\n"
    )
    done = _check(path)
    assert (done.exit_code, done.stdout) == (0, f"{path}: fine\n")
    advice = "are not on this computer. That is no mistake of the config, but training needs them."
    notes = [f"{path}: the images {tmp_path / name} {advice}" for name in ("photos", "digits")]
    assert done.stderr.splitlines() == notes
    assert json.loads(_check(path, "--json").stdout)[str(path)]["notes"] == notes
    (tmp_path / "photos").mkdir()
    (tmp_path / "digits").mkdir()
    assert _check(path).stderr == ""
