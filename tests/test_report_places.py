"""Where a report is written: from Python, of runs that may not be changed, over other files."""

from __future__ import annotations

import os

import pytest
from another_user import as_another_user, open_parents
from click.testing import CliRunner
from reported_runs import reported_run

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import UsageError


def _invoked(*words):
    result = CliRunner().invoke(main, [*map(str, words)])
    return result.exit_code, result.stderr


def _contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.skipif(os.name == "nt", reason="folders there cannot be locked that way")
def test_a_run_that_may_only_be_read_has_its_report_elsewhere(tmp_path):
    run = reported_run(tmp_path)
    places = [run.folder, *run.folder.rglob("*")]
    for path in places:
        path.chmod(0o555 if path.is_dir() else 0o444)
    own = tmp_path / "own"
    own.mkdir()
    own.chmod(0o777)
    open_parents(own)
    tmp_path.chmod(0o755)
    _invoked("report", run.folder, "-o", tmp_path / "by_root.html")  # imports what it needs
    before = _contents(run.folder)
    refused, done = as_another_user(
        lambda: [
            _invoked("report", run.folder),
            _invoked("report", run.folder, "-o", own / "page.html"),
        ]
    )
    for path in places:
        path.chmod(0o755)  # so that pytest can remove it
    assert refused[0] == 2
    assert str(run.folder) in refused[1] and "Choose another place with --output." in refused[1]
    assert done[0] == 0
    # All that depends on who asks is nothing: the page is the one that root gets.
    page = (own / "page.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "by_root.html").read_text(encoding="utf-8")
    assert _contents(run.folder).keys() == before.keys()


def test_the_report_from_python_is_that_of_the_command(tmp_path):
    run = reported_run(tmp_path)
    written = cnnkit.write_report("cats", runs_folder=tmp_path / "runs")
    assert written.path == run.report and written.num_bytes == run.report.stat().st_size
    assert written.model_card == run.folder / "model_card.md"
    assert written.model_card.is_file()
    assert {each.name for each in written.sections if each.values is None} == {
        "network",
        "robustness",
        "exports",
    }
    other = tmp_path / "other.html"
    assert cnnkit.write_report(run.folder, other).model_card is None
    assert other.read_bytes() == run.report.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        cnnkit.write_report(run.folder, other)
    cnnkit.write_report(run.folder, other, overwrite=True)
    with pytest.raises(UsageError, match="no run"):
        cnnkit.write_report("dogs", runs_folder=tmp_path / "runs")


def test_the_page_of_a_comparison_from_python_is_that_of_the_command(tmp_path):
    one = reported_run(tmp_path / "one").folder
    two = reported_run(tmp_path / "two", right=[True] * 20).folder
    page, other = tmp_path / "page.html", tmp_path / "other.html"
    comparison = cnnkit.compare([one, two], html=page)
    assert comparison.pairs[0].p_value == cnnkit.compare([one, two]).pairs[0].p_value
    assert _invoked("compare", one, two, "--html", other)[0] == 0
    assert page.read_bytes() == other.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        cnnkit.compare([one, two], html=page)
    cnnkit.compare([one, two], html=page, overwrite=True)
    with pytest.raises(UsageError, match="must end in"):
        cnnkit.compare([one, two], html=tmp_path / "page.png")
