"""What a report says, against the files of the run."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner
from reported_runs import AWKWARD, reported_run, write_answers
from scored_runs import predictions_of

from cnnkit.cli import main
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.files import write_csv, write_json
from cnnkit.report import check_place, write_report
from cnnkit.report.number_text import metric_text
from cnnkit.report.sections.confusions import find_cells
from cnnkit.runs.removal import plan_removal

NAMES = (
    *("headline", "request", "images", "samples", "curves", "metrics", "classes", "confusion"),
    *("errors", "slices", "calibration", "robustness", "network", "exports", "reproduction"),
)


class _Reader(HTMLParser):
    """Collects the text, the ids and the sources of images of a page."""

    def __init__(self):
        super().__init__()
        self.text, self.ids, self.sources, self.tags = [], [], [], []
        self._skipped = None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.sources += [given["src"]] if "src" in given else []
        self._skipped = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._skipped = None if tag == self._skipped else self._skipped

    def handle_data(self, data):
        self.text += [] if self._skipped else [data]


def read(path):
    """Return what is on a page; its text has single spaces."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.words = re.sub(r"\s+", " ", " ".join(reader.text))
    return reader


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return reported_run(tmp_path_factory.mktemp("reported"))


@pytest.fixture(scope="module")
def written(run):
    return write_report(run)


def test_the_page_says_what_metrics_json_says(run, written):
    metrics = json.loads((run.evaluation("test") / "metrics.json").read_text())
    words = read(written.path).words
    right, number = 15, 20
    low, high = metrics["intervals"]["accuracy"]
    assert metrics["accuracy"] == right / number
    assert (
        f"Of {number} test images, which it never saw in training, it gets {right} right" in words
    )
    assert f"75.0% (95% interval {low:.1%} to {high:.1%})" in words
    for name in ("cohen_kappa", "matthews_corrcoef"):
        low, high = metrics["intervals"][name]
        assert f"{metrics[name]:.3f} {low:.3f} to {high:.3f}" in words, name
    for row in metrics["per_class"].values():
        assert metric_text("f1", row["f1"]) in words
    # Confidence is 0.8 everywhere, and the accuracy 0.75.
    assert "too sure of itself: its confidence is 5.0 percentage points above its accuracy" in words
    assert "5 wrong answers on 20 test images." in words


def test_every_section_is_there_or_says_which_command_adds_it(written):
    page = read(written.path)
    assert [each.name for each in written.sections] == list(NAMES)
    assert [name for name in page.ids if name in NAMES] == list(NAMES)
    absent = {each.name: each for each in written.sections if each.values is None}
    assert set(absent) == {"robustness", "network", "exports"}
    for each in absent.values():
        assert f"{each.missing} {each.command}".strip() in page.words
    assert "--corruptions" in absent["robustness"].command


def test_names_are_shown_as_they_are_and_never_as_html(run, written):
    page = read(written.path)
    text = written.path.read_text()
    for name in AWKWARD:
        assert name in page.words
    assert page.tags.count("script") == 2  # the data and the program
    assert "<img src=x" not in text
    assert len(page.ids) == len(set(page.ids))


def test_the_page_loads_nothing_and_is_small(run, written):
    page = read(written.path)
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert not re.search(r"(src|href)=\"(?!data:|#)", written.path.read_text())
    assert written.num_bytes == written.path.stat().st_size < 300_000


def test_the_page_of_a_training_is_quick_and_says_what_can_be_added(run, tmp_path):
    written = write_report(run, tmp_path / "quick.html", quick=True)
    slices = next(each for each in written.sections if each.name == "slices")
    assert slices.values is None and slices.command.startswith("cnnkit report ")
    assert "cnnkit data check" in read(written.path).words


def test_deleted_and_changed_images_are_named_in_their_place(tmp_path):
    run = reported_run(tmp_path)
    wrong = tmp_path / "photos" / "test-1.png"
    shutil.copy(tmp_path / "photos" / "test-0.png", tmp_path / "photos" / "test-5.png")
    wrong.unlink()
    words = read(write_report(run).path).words
    assert "this image is no longer there" in words
    assert "this image has changed since the training" in words
    shutil.rmtree(tmp_path / "photos")
    page = read(write_report(run).path)
    assert page.sources == []
    assert page.words.count("this image is no longer there") > 20


def test_a_run_without_test_images_is_judged_by_validation(tmp_path):
    run = reported_run(tmp_path, split="validation")
    words = read(write_report(run).path).words
    assert "Of 20 validation images" in words
    assert "There are no test images. The best epoch was chosen by the validation images" in words


def test_an_interrupted_run_has_a_page(tmp_path):
    run = reported_run(tmp_path)
    shutil.rmtree(run.folder / "evaluation")
    run.update(status="interrupted", metrics=None)
    written = write_report(run)
    words = read(written.path).words
    assert "Its training was interrupted" in words and "3 epochs finished" in words
    assert f"There is no evaluation yet. cnnkit evaluate {run.argument}" in words


def test_wrong_answers_come_first_among_the_pictures_of_the_matrix():
    right = [True] * 40 + [False] * 3
    cells = find_cells(predictions_of(right, labels=[0] * 40 + [1, 1, 2]), most_images=6)
    assert [(cell.true, cell.predicted, cell.images, len(cell.shown)) for cell in cells] == [
        (1, 2, 2, 2),
        (2, 0, 1, 1),
        (0, 0, 40, 3),
    ]
    assert sorted(cells[0].shown) == [40, 41]


def test_a_thousand_classes_are_bounded(tmp_path):
    names = tuple(f"class {number}" for number in range(1000))
    right = np.arange(3000) % 10 > 0
    run = reported_run(tmp_path, class_names=names[:4], right=right[:8])
    paths = [f"test-{place % 8}.png" for place in range(3000)]
    predictions = predictions_of(right, paths=paths, class_names=names)
    write_answers(run, predictions, "test")
    run.classes.write_text("".join(f"{name}\n" for name in names))
    written = write_report(run, quick=True)
    page = read(written.path)
    assert written.num_bytes < 1_500_000
    assert "class 999" in page.words
    assert "70 rarer pairs are not listed" in page.words  # of 100, 30 are listed
    assert page.tags.count("tr") < 2100


def test_what_was_left_out_is_named_and_bounded(tmp_path):
    run = reported_run(tmp_path)
    skipped = [{"path": f"{number}.jpg", "reason": "it is cut off"} for number in range(500)]
    rows = run.read_split()
    write_csv(run.split, tuple(rows[0]), [*rows, {**rows[0], "split": "train"}])
    run.update(data={**run.info()["data"], "skipped": skipped, "notes": ["2 files are no images."]})
    words = read(write_report(run, quick=True).path).words
    assert "500 images could not be read and were left out." in words
    assert "Left out: 9.jpg: it is cut off Left out: 490 more" in words
    assert "2 files are no images." in words
    assert "1 image is in more than one split as an exact copy" in words


@pytest.mark.parametrize("file", ["metrics.json", "predictions.csv"])
def test_damaged_results_are_named(tmp_path, file):
    run = reported_run(tmp_path)
    (run.evaluation("test") / file).write_text("{")
    with pytest.raises(DataError, match=file):
        write_report(run)
    assert not run.report.exists()


@pytest.mark.parametrize("file", ["config.yaml", "split.csv", "classes.txt", "run.json"])
def test_a_run_that_lacks_a_file_is_refused_with_its_name(tmp_path, file):
    run = reported_run(tmp_path)
    (run.folder / file).unlink()
    with pytest.raises(UsageError, match=file):
        write_report(run)


def test_a_damaged_history_is_named(tmp_path):
    run = reported_run(tmp_path)
    run.history.write_text("epoch,val_loss\n1,none\n")
    with pytest.raises(CnnkitError, match="history.csv"):
        write_report(run)


def test_exports_and_corruptions_and_calibration_are_shown(tmp_path):
    run = reported_run(tmp_path)
    run.export.mkdir()
    formats = {"onnx": {"file": "model.onnx", "bytes": 8_900_000, "max_difference": 1.5e-7}}
    formats["onnx"]["top1_agreement"] = 1.0
    write_json(run.export / "parity.json", {"limit": 1e-4, "num_images": 16, "formats": formats})
    (run.evaluation("test") / "corruptions.csv").write_text(
        "corruption,strength,accuracy\nblur,1,0.5\nblur,2,0.25\nnoise,1,0.7\nnoise,2,0.1\n"
    )
    found = {"temperature": 1.25, "thresholds": [0.5, None, 0.75, 0.0], "largest_distance": 0.3}
    write_json(run.calibration, found)
    shutil.copytree(run.evaluation("test"), run.evaluation("test-corruptions"))
    (run.evaluation("test") / "corruptions.csv").unlink()  # `evaluate --corruptions` writes both
    words = read(write_report(run, quick=True).path).words
    assert "test-corruptions" not in words
    assert "The accuracy on the test images is 75.0%" in words
    assert "onnx model.onnx 8.9 MB 1.5e-07 100%" in words
    assert "blur 50.0% 25.0% noise 70.0% 10.0%" in words
    assert "temperature 1.250, smallest probability of an answer 0.000 to 0.750" in words


def test_the_page_may_replace_only_what_it_may(run, tmp_path):
    photo = tmp_path / "a.html"
    photo.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        check_place(run, photo, overwrite=False)
    check_place(run, photo, overwrite=True)
    with pytest.raises(UsageError, match="must end in"):
        check_place(run, tmp_path / "a.png", overwrite=True)
    mine = run.folder / "notes.html"
    mine.write_text("mine")
    with pytest.raises(UsageError, match="file of the run"):
        check_place(run, mine, overwrite=True)
    mine.unlink()


def test_the_command_prints_json_and_its_run_can_be_removed(run, written):
    result = CliRunner().invoke(main, ["report", str(run.folder), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["report"] == str(run.report) and found["bytes"] == run.report.stat().st_size
    assert [each["name"] for each in found["sections"]] == list(NAMES)
    assert run.report in plan_removal([run.folder]).contents[run.folder].written
