"""How long a training still takes: the estimate, what is noted, and what the progress shows."""

from __future__ import annotations

import io
import json
import os

import pytest
from click.testing import CliRunner
from rich.console import Console
from training_commands import weights_of
from transfer_runs import DATA

import cnnkit
from cnnkit.cli import main
from cnnkit.progress import BarReport, LineReport, Report
from cnnkit.training import timed_report
from cnnkit.training.time_left import Pace, PhaseWork, Work, seconds_left, seconds_of

pytest_plugins = ["transfer_fixtures"]

pytestmark = pytest.mark.usefixtures("no_pictures")

# 100 images: a head on features that cost 1,000 each, and a backbone of which all layers learn.
_HEAD = PhaseWork(10, Work(300, 20), before=Work(0, 120_000))
_ALL = PhaseWork(5, Work(300_300, 20_020))
_EPOCH = Work(training=90, inference=10)


@pytest.mark.parametrize(
    ("work", "measured", "expected"),
    [
        (Work(90, 10), {_EPOCH: 4.0}, 4.0),
        (Work(180, 20), {_EPOCH: 4.0}, 8.0),
        (Work(0, 50), {_EPOCH: 4.0}, 2.0),
        (Work(0), {}, 0.0),
        (Work(1), {}, None),
        (Work(1), {Work(0): 3.0}, None),
        # Of 10 and 1,000, the nearer one to 150 is 1,000: it is 6.7 times as large, not 15 times.
        (Work(150), {Work(10): 5.0, Work(1000): 20.0}, 3.0),
        (Work(10_000), {_EPOCH: 4.0}, 400.0),
        (Work(10_001), {_EPOCH: 4.0}, None),
        (Work(0.001), {_EPOCH: 4.0}, 0.00004),
    ],
)
def test_the_time_of_work_is_that_of_the_nearest_work(work, measured, expected):
    found = seconds_of(work, measured)
    assert found is None if expected is None else found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("phases", "measured", "expected"),
    [
        ([PhaseWork(3, _EPOCH)], {_EPOCH: 4.0}, 12.0),
        ([PhaseWork(0.25, _EPOCH), PhaseWork(2, _EPOCH)], {_EPOCH: 4.0}, 9.0),
        # Features: 12 s. An epoch of everything is 320,320 / 120,000 of that, 32.032 s.
        ([_HEAD, _ALL], {_HEAD.epoch: 0.5, _HEAD.before: 12.0}, 12 + 5 + 160.16),
        # With the features from the cache nothing is known about the backbone.
        ([_HEAD, _ALL], {_HEAD.epoch: 0.5}, None),
        ([], {}, 0.0),
    ],
)
def test_the_time_left_is_the_sum_over_the_phases(phases, measured, expected):
    found = seconds_left(phases, measured)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_the_pace_skips_the_first_steps_and_needs_ten_steps_and_two_seconds():
    pace = Pace(skipped=2)
    for seconds in (30.0, 5.0):
        pace.add(8, seconds)
    assert pace.seconds_per_image is None
    for _ in range(10):
        pace.add(8, 0.16)
    assert pace.seconds_per_image == pytest.approx(0.02)
    assert not pace.is_known
    for _ in range(3):
        pace.add(4, 0.16)
    assert pace.is_known


class _Kept(Report):
    """Keeps the notes, and the time left after each batch and epoch."""

    def __init__(self):
        self.notes, self.left = [], []

    def note(self, text):
        self.notes.append(text)

    def time_left(self, seconds, *, at_most):
        self.left.append((seconds, at_most))


class _Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1000.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(timed_report, "time", clock)
    return clock


class _Trained:
    """A training of which the test says how long everything takes; a step has 10 images."""

    def __init__(self, clock, *phases, is_resumed=False):
        self.report, self._clock = _Kept(), clock
        self.timed = timed_report.TimedReport(self.report, phases, is_resumed=is_resumed)
        self.notes, self.left = self.report.notes, self.report.left

    def phase(self, number, epochs_done=0, features=None):
        self._clock.now += features or 0
        self.timed.phase_begins(number, epochs_done, features)

    def epoch(self, steps, step_seconds, *, graph=0.0, end=0.0):
        self.timed.epoch_begins(1, 1, 10 * steps)
        self._clock.now += graph
        for step in range(1, steps + 1):
            self._clock.now += step_seconds
            self.timed.batch_done(10 * step, {})
        self._clock.now += end
        self.timed.epoch_done({}, is_best=True)


def test_the_total_is_noted_after_some_steps_and_the_left_is_that_of_all_epochs(clock):
    training = _Trained(clock, PhaseWork(4, _EPOCH))
    training.phase(1)
    training.epoch(100, 0.9, graph=8, end=10)
    # Three steps do not count, then ten: 0.9 s x 100 steps are 90% of an epoch of 100 s.
    assert training.left[:12] == [(None, False)] * 12
    assert training.left[12][0] == pytest.approx(100 * (4 - 0.13 * 0.9))
    # 8 + 13 x 0.9 s are over, which makes 408 s.
    assert training.notes == ["This training will take about 7 min (2 min per epoch)."]
    assert training.left[-1][0] == pytest.approx(3 * 108)  # this epoch took 8 + 90 + 10 s
    training.epoch(100, 0.9, end=10)
    assert training.left[-1][0] == pytest.approx(2 * 104)  # the mean of 108 and 100 s
    assert len(training.notes) == 1


@pytest.mark.parametrize(
    ("end", "notes"),
    [
        # 4 x 208 s, not 408 s.
        (110, ["This training will take about 14 min (3 min per epoch), not 7 min."]),
        (50, []),  # 4 x 148 s: less than 1.5 times as long
    ],
)
def test_a_wrong_total_is_corrected_after_the_first_full_epoch(clock, end, notes):
    training = _Trained(clock, PhaseWork(4, _EPOCH))
    training.phase(1)
    training.epoch(100, 0.9, graph=8, end=end)
    training.epoch(100, 0.9, end=end)
    assert training.notes[1:] == notes


def test_nothing_is_noted_of_a_training_of_less_than_30_seconds(clock):
    training = _Trained(clock, PhaseWork(2, _EPOCH))
    training.phase(1)
    for _ in range(2):
        training.epoch(40, 0.25, end=1)
    assert training.notes == []
    assert training.left[20][0] is not None


def test_short_epochs_are_timed_as_a_whole_and_the_first_does_not_count(clock):
    training = _Trained(clock, PhaseWork(40, _EPOCH, may_stop_early=True))
    training.phase(1)
    training.epoch(3, 0.2, graph=5, end=1.0)
    assert training.left[-1] == (None, True)
    training.epoch(3, 0.2, end=1.0)
    assert training.left[-1] == (pytest.approx(38 * 1.6), True)
    # 5 + 2 x 1.6 s are over.
    assert training.notes == ["This training will take at most 69 s (2 s per epoch)."]


def test_a_resumed_training_counts_only_what_is_left(clock):
    training = _Trained(clock, PhaseWork(10, _EPOCH), PhaseWork(2, _EPOCH), is_resumed=True)
    clock.now += 300  # these five minutes are over
    training.phase(1, epochs_done=7)
    training.epoch(100, 0.9, end=10)
    assert training.left[-1][0] == pytest.approx(4 * 100)
    assert training.notes == [
        "The rest of this training will take about 8 min (2 min per epoch of phase 1)."
    ]


def test_computed_features_tell_how_long_a_backbone_takes_that_has_not_learned_yet(clock):
    training = _Trained(clock, _HEAD, _ALL)
    training.phase(1, features=12.0)
    for _ in range(2):
        training.epoch(10, 0.05)
    # 8 epochs of half a second, 5 of 32.032 s.
    assert training.left[-1][0] == pytest.approx(8 * 0.5 + 160.16)
    assert training.notes == ["This training will take about 3 min (0.5 s per epoch of phase 1)."]


def test_a_linear_probe_says_nothing_about_the_phases_after_it(clock):
    training = _Trained(clock, PhaseWork(1, _EPOCH), PhaseWork(4, _EPOCH))
    training.phase(1)
    training.epoch(0, 0, end=50)
    training.phase(2)
    assert training.left == [(None, False)]
    training.epoch(100, 0.9, end=10)
    assert training.left[-1][0] == pytest.approx(300)


@pytest.mark.parametrize(
    ("seconds", "at_most", "bar", "line"),
    [
        (185, False, "about 3 min left", "0.5 s  3 min left\n"),
        (185, True, "at most 3 min left", "0.5 s  at most 3 min left\n"),
        (None, False, "16 images/s", "0.5 s\n"),
        (0.3, False, "16 images/s", "0.5 s\n"),
    ],
)
def test_the_bar_and_the_lines_show_what_is_left(monkeypatch, seconds, at_most, bar, line):
    clock = _Clock()
    monkeypatch.setattr("cnnkit.progress.time", clock)
    row = {"epoch": 2, "learning_rate": 0.1, "seconds": 0.5}
    shown = {}
    for report in (BarReport(), LineReport(io.StringIO())):
        written = report._stream
        if isinstance(report, BarReport):
            written = io.StringIO()
            report._console = Console(file=written, force_terminal=True, width=200, highlight=False)
        report.epoch_begins(2, 9, 32)
        clock.now += 1
        report.time_left(seconds, at_most=at_most)
        report.batch_done(16, {"loss": 1, "accuracy": 0.5})
        report.close()
        shown[type(report)] = written.getvalue()
        report.epoch_done(row, is_best=False)
        assert written.getvalue().endswith(line)
    assert bar in shown[BarReport]
    assert ("left" in shown[BarReport]) == ("left" in bar)


def test_a_training_notes_its_time_and_its_lines_end_with_what_is_left(
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(timed_report, "_SHORTEST_SECONDS", 0)
    words = ["train", tiny_config, "--epochs", 3000, "--runs-folder", tmp_path, "--set"]
    # It is so slow to improve that it stops early, after 3 epochs.
    words += ["training={monitor: val_accuracy, early_stopping: {patience: 2}, tensorboard: false,"]
    words[-1] += " optimizer: {sgd: {learning_rate: 1e-9}}}"
    done = CliRunner().invoke(main, [*map(str, words), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["epochs"] == 3
    lines = done.stderr.splitlines()
    assert " left" not in lines[2]
    assert lines[3].startswith("epoch    2/3000")
    assert "  at most " in lines[3] and lines[3].endswith(" left")
    assert lines[4].startswith("This training will take at most ")
    assert lines[4].endswith(" per epoch).")


def test_a_dry_run_tells_the_time_and_changes_nothing(tiny_config, tmp_path):
    runs = [cnnkit.train(tiny_config, name="a", runs_folder=tmp_path, overrides=_SHORT)]
    command = ["train", str(tiny_config), "--dry-run", "--runs-folder", str(tmp_path / "none")]
    plain, as_json = (
        CliRunner().invoke(main, [*command, *more], catch_exceptions=False)
        for more in ([], ["--json"])
    )
    assert "\nexpected time: about " in plain.stdout
    assert json.loads(as_json.stdout)["expected_seconds"] > 0
    assert not (tmp_path / "none").exists()
    runs.append(cnnkit.train(tiny_config, name="b", runs_folder=tmp_path, overrides=_SHORT))
    one, other = map(weights_of, runs)
    assert all((x == y).all() for x, y in zip(one, other, strict=True))


_SHORT = ["training.epochs=2", "training.tensorboard=false"]


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ("{fine_tune: true, epochs: 4, early_stopping: {patience: 2}}", "expected time: at most "),
        ("{epochs: 1, feature_cache: false}", "expected time: about "),
        ("{phases: [{train: linear_probe}]}", "expected time: about "),
    ],
)
def test_a_dry_run_with_a_backbone_keeps_no_features(folder, own_cache, training, words):
    path = folder / "config.yaml"
    path.write_text(f"{DATA}\nmodel: {{backbone: {{run: runs/start}}}}\ntraining: {training}\n")
    done = CliRunner().invoke(main, ["train", str(path), "--dry-run"], catch_exceptions=False)
    assert words in done.stdout
    assert "features" not in os.listdir(own_cache)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        # Forward, for one image: `first` 14 x 14 x 4 x 27 = 21,168 multiply-adds and `second`
        # 12 x 12 x 6 x 36 = 31,104; the output 6 x 3 = 18. 24 images train, 6 validate.
        ("{epochs: 5}", [(5, 24 * 3 * 18, 6 * 18, 30 * 52_272)]),
        ("{epochs: 5, feature_views: 4}", [(5, 24 * 3 * 18, 6 * 18, (4 * 24 + 6) * 52_272)]),
        ("{epochs: 5, feature_cache: false}", [(5, 24 * (52_272 + 54), 6 * 52_290, 0)]),
        (
            "{epochs: 2, phases: [{train: linear_probe}, {train: {backbone_from: second}},"
            " {train: all, epochs: 3}]}",
            [
                (1, 24 * 3 * 18, 6 * 18, 30 * 52_272),
                (2, 24 * (21_168 + 3 * 31_122), 6 * 52_290, 0),
                (3, 24 * 3 * 52_290, 6 * 52_290, 0),
            ],
        ),
    ],
)
def test_the_work_of_phases_is_counted_in_multiply_adds(folder, training, expected):
    from cnnkit.config import load_config
    from cnnkit.training.phase_work import phase_works
    from cnnkit.training.plan import prepare

    path = folder / "config.yaml"
    path.write_text(
        f"{DATA}\naugmentation: [random_flip]\nmodel: {{backbone: {{run: runs/start}}}}\n"
        f"training: {training}\n"
    )
    works = phase_works(prepare(load_config(path), Report()))
    found = [
        (work.epochs, work.epoch.training, work.epoch.inference, work.before.total)
        for work in works
    ]
    assert found == expected


def test_the_work_is_counted_in_parameters_if_a_layer_is_known_to_keras_only(folder, monkeypatch):
    from cnnkit.config import load_config
    from cnnkit.training import phase_work
    from cnnkit.training.plan import prepare

    path = folder / "config.yaml"
    path.write_text(f"{DATA}\nmodel: {{backbone: {{run: runs/start}}}}\ntraining: {{epochs: 5}}\n")
    monkeypatch.setattr(phase_work, "summary_of_built", lambda *_, **__: None)
    (work,) = phase_work.phase_works(prepare(load_config(path), Report()))
    # `first` 112, the normalisation 16, `second` 222; the output 21.
    assert work == PhaseWork(5, Work(24 * 3 * 21, 6 * 21), Work(0, 30 * 350))
