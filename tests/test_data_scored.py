"""Images to score: the split of a run, and other images with the classes of a run."""

from __future__ import annotations

import pytest
from images import data_config, write_classes

import cnnkit
from cnnkit.config import load_config
from cnnkit.data.dataset import load_dataset
from cnnkit.data.scored_images import find_images_for, run_images
from cnnkit.errors import DataError, UsageError
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.explore.summarize import summarize


def _rows(config):
    dataset = load_dataset(config)
    return [
        {
            "path": s.path,
            "label": dataset.class_names[s.label],
            "split": s.split,
            "sha256": s.sha256,
        }
        for s in dataset.samples
    ]


def test_the_split_of_a_run_is_the_one_it_wrote_even_if_images_were_added(tmp_path):
    config = data_config(write_classes(tmp_path / "x", {"cat": 10, "owl": 10}))
    rows = _rows(config)
    write_classes(tmp_path / "x", {"cat": 30, "yak": 5}, seed=1000)  # replaces cats, adds a class
    write_classes(tmp_path / "x", {"cat": 10, "owl": 10})
    found = run_images(rows, "test", config)
    assert [r.path for r in found] == [row["path"] for row in rows if row["split"] == "test"]


def test_changed_and_lost_images_of_a_split_are_named(tmp_path):
    config = data_config(write_classes(tmp_path / "x", {"cat": 10, "owl": 20}))
    rows = _rows(config)
    changed, lost = [row["path"] for row in rows if row["split"] == "test"][:2]
    (tmp_path / "x" / changed).write_bytes(b"other")
    (tmp_path / "x" / lost).unlink()
    with pytest.raises(DataError) as caught:
        run_images(rows, "test", config)
    assert f"{changed} (has changed), {lost} (cannot be read)" in str(caught.value)


def test_a_split_the_run_does_not_have_is_refused(tmp_path):
    config = data_config(
        write_classes(tmp_path / "x", {"cat": 5, "owl": 5}), split={"validation": 0.2, "test": 0}
    )
    with pytest.raises(UsageError, match="The run has no test split; it has train, validation"):
        run_images(_rows(config), "test", config)


def test_other_images_that_lack_a_class_are_refused_unless_allowed(tmp_path):
    other = write_classes(tmp_path / "other", {"owl": 2, "yak": 1})
    names = ["cat", "owl", "yak"]
    with pytest.raises(UsageError, match="missing: cat.*--allow-missing-classes"):
        find_images_for(other, names, data_config("x"))
    found = find_images_for(other, names, data_config("x"), allow_missing_classes=True)
    assert [record.label for record in found.records] == ["owl", "owl", "yak"]


def test_other_images_with_other_classes_are_refused_with_the_difference(tmp_path):
    other = write_classes(tmp_path / "other", {"owl": 1, "yak": 1, "emu": 1})
    with pytest.raises(UsageError) as caught:
        find_images_for(
            other, ["cat", "owl"], data_config("x"), run_name="runs/a", allow_missing_classes=True
        )
    assert str(caught.value) == (
        f"runs/a was trained on 2 classes, {other} has 3 (new: emu, yak; missing: cat). "
        "Evaluate with the same classes, or retrain."
    )


@pytest.mark.parametrize("name", ["Owl", "owl ", " OWL"])
def test_classes_that_differ_in_case_or_spaces_are_named(tmp_path, name):
    other = write_classes(tmp_path / "other", {name: 1, "cat": 1})
    words = f'"{name}" and "owl" differ only in upper and lower case or in spaces'
    with pytest.raises(UsageError, match=words):
        find_images_for(other, ["cat", "owl"], data_config("x"))


def test_one_split_of_other_images_can_be_chosen(tmp_path):
    for number, part in enumerate(("train", "test")):
        write_classes(tmp_path / part, {"cat": 1, "owl": 2}, seed=10 * number)
    names, config = ["cat", "owl"], data_config("x")
    found = find_images_for(tmp_path, names, config, split="test")
    assert [r.path for r in found.records] == [
        "test/cat/00.png",
        "test/owl/00.png",
        "test/owl/01.png",
    ]
    assert len(find_images_for(tmp_path, names, config).records) == 6
    with pytest.raises(UsageError, match="no validation split; it has train, test"):
        find_images_for(tmp_path, names, config, split="validation")


def test_images_of_classes_that_the_run_does_not_list_are_ignored(tmp_path):
    other = write_classes(tmp_path / "other", {"owl": 2, "yak": 1, "emu": 3})
    config = data_config("x", classes=("yak", "owl"))
    found = find_images_for(other, ("yak", "owl"), config)
    assert [record.label for record in found.records] == ["owl", "owl", "yak"]
    assert found.notes == ("Ignored: 3 images of 1 class (emu) that data.classes does not list.",)
    few = write_classes(tmp_path / "few", {"owl": 2, "emu": 3})
    with pytest.raises(UsageError, match="missing: yak"):
        find_images_for(few, ("yak", "owl"), config)


def test_the_class_list_decides_the_order_everywhere(tmp_path):
    write_classes(tmp_path / "x", {"cat": 6, "owl": 6, "yak": 6})
    (tmp_path / "order.txt").write_text("yak\ncat\n")
    config = tmp_path / "a.yaml"
    config.write_text(
        "data: {source: x, image_size: 16, classes: order.txt, "
        "split: {validation: 0.2, test: 0.2}}\n"
        "model: {layers: [flatten]}\ntraining: {epochs: 1}\n"
    )
    assert summarize(config, (), None).as_dict()["num_classes"] == 2
    run = cnnkit.train(config, runs_folder=tmp_path / "runs")
    assert run.class_names() == ("yak", "cat")
    assert load_config(run.config).data.classes == ("yak", "cat")
    notes = []
    evaluation = evaluate_model(
        str(run.folder), tmp_path / "runs", data=tmp_path / "x", note=notes.append
    )
    assert notes == ["Ignored: 6 images of 1 class (owl) that data.classes does not list."]
    header = (evaluation.folder / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith("p_yak,p_cat")
