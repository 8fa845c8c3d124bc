"""The page of `cnnkit compare --html`: what is on it, and how it looks in a real browser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from reported_runs import AWKWARD, reported_run
from scored_runs import answers, scored_run

from cnnkit.cli import main

_FIRST = [True, False, True, True] * 5
_SECOND = [True, True, True, False] * 5
_PHONE = {"width": 390, "height": 844}


def _compared(*words):
    result = CliRunner().invoke(main, ["compare", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Return the page of two runs with names that would break a page if they were not escaped."""
    folder = tmp_path_factory.mktemp("compared")
    one = reported_run(folder / "one", right=_FIRST).folder
    two = reported_run(folder / "two", right=_SECOND).folder
    second = two.rename(two.parent / "d<b>ogs")
    code, _, err = _compared(one, second, "--html", folder / "page.html")
    assert code == 0
    assert f"The page is {folder / 'page.html'}." in err
    return folder / "page.html"


def test_the_images_on_which_the_runs_differ_are_there_with_both_answers(page_file, open_page):
    page = open_page(page_file)
    differing = np.flatnonzero(np.array(_FIRST) != _SECOND)
    figures = page.locator("#differing figure")
    assert figures.count() == len(differing) == 10
    widths = figures.locator("img").evaluate_all("nodes => nodes.map(node => node.naturalWidth)")
    assert widths == [16] * 10
    paths = figures.locator("small").all_inner_texts()
    assert sorted(paths) == sorted(f"test-{place}.png" for place in differing)
    first = figures.nth(paths.index("test-1.png"))  # of class 1; only the second run is right
    assert first.locator("li").all_inner_texts() == [
        f"cats: {AWKWARD[2]} 80.0%",
        "d<b>ogs: right 80.0%",
    ]
    assert first.locator("li").nth(0).get_attribute("class") == "wrong"


def test_the_numbers_are_those_of_the_comparison(page_file, open_page):
    page = open_page(page_file)
    counts = page.locator("#pairs table").first.locator("tbody tr td:nth-child(2)")
    assert counts.all_inner_texts() == ["10", "5", "5", "0"]
    assert page.locator("#verdict .cards dd").first.inner_text().startswith("75.0%")
    rows = page.locator("#confusion_changes tbody tr")
    cells = [row.locator("th, td").all_inner_texts() for row in rows.all()]
    assert cells == [
        [AWKWARD[1], AWKWARD[2], "5", "0", "5"],
        [AWKWARD[3], AWKWARD[0], "0", "5", "5"],
    ]
    assert page.locator("#configs tbody th").all_inner_texts() == ["data.source"]
    assert page.locator("#overlaid svg.chart[aria-label^='validation loss']").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(page_file, open_page, scheme):
    page = open_page(page_file, viewport=_PHONE, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_tables_can_be_sorted_with_the_keyboard_and_everything_has_a_name(page_file, open_page):
    page = open_page(page_file)
    heading = page.locator("#runs thead th", has_text="accuracy")
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    for wrong in ("img:not([alt])", "svg:not([aria-label])", "table:not(:has(caption))"):
        assert page.locator(wrong).count() == 0, wrong
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#differing figure").first.is_visible()


def test_more_runs_than_colours_and_a_file_of_answers(tmp_path, open_page):
    for number in range(8):
        scored_run(tmp_path, f"run{number}", answers(60, number, 0, 30 - number)[0], seed=number)
    table = tmp_path / "run0" / "evaluation" / "test" / "predictions.csv"
    (tmp_path / "other.csv").write_bytes(table.read_bytes())
    names = [tmp_path / f"run{number}" for number in range(8)]
    code, _, _ = _compared(*names, tmp_path / "other.csv", "--html", tmp_path / "page.html")
    assert code == 0
    page = open_page(tmp_path / "page.html")
    assert page.locator("#runs tbody tr").count() == 9
    assert page.locator("#overlaid .swatches li").count() == 6
    assert "other.csv" in page.locator("#overlaid").inner_text()
    assert "other.csv has no config" in page.locator("#configs").inner_text()
    assert page.locator("#differing .no-image").count() == 7  # there are no such files


def test_a_page_is_replaced_only_with_overwrite(tmp_path):
    first, second = answers(10, 2, 1, 3)
    runs = [scored_run(tmp_path, "one", first).folder, scored_run(tmp_path, "two", second).folder]
    page = tmp_path / "page.html"
    page.write_text("mine")
    code, _, err = _compared(*runs, "--html", page)
    assert code == 2 and "--overwrite" in err
    assert page.read_text() == "mine"
    code, out, _ = _compared(*runs, "--html", page, "--overwrite", "--json")
    assert code == 0 and json.loads(out)["best"] == "one"
    assert "<!doctype html>" in page.read_text()
    code, _, err = _compared(*runs, "--html", tmp_path / "page.txt")
    assert code == 2 and ".html" in err
