"""The page of `cnnkit what-if` as a person uses it, its backbone row, and the command."""

from __future__ import annotations

import json
import re

import pytest
from places import CONFIGS
from whole_command import run

from cnnkit.arithmetic import times
from cnnkit.config import load_config
from cnnkit.explore.summarize import summarize
from cnnkit.explore.what_if.what_if_page import page_data, write_what_if

_LENET = CONFIGS / "digits_lenet5.yaml"
_WITH_BACKBONE = """
data: {{source: shapes, image_size: 64}}
model:
  backbone: {backbone}
  head:
    - conv: {{filters: 8, kernel_size: {kernel}, strides: {strides}}}
    - global_pool
    - dense: {units}
"""


@pytest.fixture
def lenet(open_page, tmp_path):
    """A function that opens the page of LeNet-5."""

    def opened(**options):
        file = tmp_path / "lenet.html"
        write_what_if(_LENET, file)
        page = open_page(file, **options)
        page.set_default_timeout(5_000)
        return page

    return opened


def _field(page, row, word):
    name = _row(page, row).locator("th").evaluate("head => head.firstChild.data")
    return page.get_by_label(f"{name}, {word}", exact=True)


def _row(page, row):
    return page.locator("tbody").nth(row)


def test_changes_are_marked_with_what_was_before_and_reset_removes_them(lenet):
    page = lenet()
    assert page.locator(".was").count() == 0
    _field(page, 3, "filters").fill("12")
    assert _row(page, 3).locator(".badge").text_content() == "edited"
    assert _row(page, 3).locator(".was").all_text_contents() == [
        "was 10 x 10 x 16", "was 2,416", "was 240,000",
    ]  # fmt: skip
    assert "changed" in _row(page, 4).get_attribute("class")
    assert not _row(page, 1).get_attribute("class")
    assert "was 61,706" in page.locator("#totals").text_content()
    page.get_by_role("button", name="Reset").click()
    assert page.locator(".was").count() == 0
    assert _field(page, 3, "filters").input_value() == "16"
    assert _row(page, 3).locator(".badge").text_content() == ""


def test_what_does_not_fit_is_said_at_its_layer_and_nothing_after_it_is_shown(lenet):
    page = lenet()
    _field(page, 3, "kernel").fill("15")
    fault = page.get_by_role("alert")
    assert fault.text_content() == (
        "conv of 15 x 15 does not fit: the image is already 14 x 14 here (32 > 28 > 14). Remove "
        "this layer, use padding: same, or increase data.image_size."
    )
    assert _row(page, 3).locator(".badge").text_content() == "does not fit"
    assert _row(page, 2).locator("td.number").first.text_content() == "14 x 14 x 6"
    assert _row(page, 3).locator("td.number").all_text_contents() == ["–"] * 4
    assert _row(page, 8).locator("td.number").all_text_contents() == ["–"] * 4
    _field(page, 3, "padding").select_option("same")
    assert fault.text_content() == ""
    assert "14 x 14 x 16" in _row(page, 3).text_content()


def test_what_is_no_number_is_refused_and_the_last_one_stays(lenet):
    page = lenet()
    kernel = _field(page, 1, "kernel")
    for typed in ("0", "", "-3", "2.5", "32"):
        kernel.fill(typed)
        assert page.get_by_role("alert").text_content() == (
            "1 conv, kernel: type a whole number from 1 to 31. The page still shows 5."
        )
        assert kernel.get_attribute("aria-invalid") == "true"
        assert "28 x 28 x 6" in _row(page, 1).text_content()
    _field(page, 1, "filters").fill("8")  # another field does not hide what is wrong
    assert "1 conv, kernel: type" in page.get_by_role("alert").text_content()
    assert "28 x 28 x 8" in _row(page, 1).text_content()
    _field(page, 1, "filters").fill("6")
    kernel.fill("3")
    assert page.get_by_role("alert").text_content() == ""
    assert kernel.get_attribute("aria-invalid") == "false"
    assert "30 x 30 x 6" in _row(page, 1).text_content()


def test_an_empty_stride_of_a_pooling_is_the_size_of_its_window(lenet):
    page = lenet()
    _field(page, 2, "window").fill("4")
    assert "7 x 7 x 6" in _row(page, 2).text_content()
    _field(page, 2, "stride").fill("1")
    assert "25 x 25 x 6" in _row(page, 2).text_content()
    _field(page, 2, "stride").fill("")
    assert "7 x 7 x 6" in _row(page, 2).text_content()


def test_the_keyboard_is_enough(lenet):
    page = lenet()
    for _ in range(5):  # Reset, Copy YAML, Formulas, height of the image, its width
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.parentNode.textContent") == "width"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert "28 x 28 x 7" in _row(page, 1).text_content()
    page.locator("#formulas").focus()
    page.keyboard.press("Space")
    assert not _row(page, 1).locator(".lines").is_visible()
    page.locator("#copy").focus()
    page.keyboard.press("Enter")
    assert "filters: 7" in page.locator("#yaml").input_value()
    # The clipboard answers a moment later.
    page.get_by_role("status").filter(has_text=re.compile("^(Copied|Copy the text)")).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_narrow_and_wide_windows(lenet, width, scheme):
    page = lenet(viewport={"width": width, "height": 800}, color_scheme=scheme)
    _field(page, 1, "kernel").fill("31")
    _field(page, 1, "padding").select_option("same")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 29)")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#copy").is_visible()


def test_the_copied_yaml_is_a_config_that_trains(lenet, tmp_path):
    page = lenet()
    _field(page, 0, "height").fill("40")
    _field(page, 6, "units").fill("50")
    page.get_by_role("button", name="Copy YAML").click()
    file = tmp_path / "copied.yaml"
    rest = "data:\n  source: digits\n  color_mode: grayscale"
    file.write_text(page.locator("#yaml").input_value().replace("data:", rest))
    config = load_config(file)
    assert config.data.image_size == (40, 32)
    parameters = summarize(file).parameters
    assert f"{parameters:,}" in page.locator("#totals").text_content()


# --- backbones


def _summary_numbers(config):
    summary = summarize(config)
    rows = [row for row in summary.rows if len(row.path) == 1]
    trained = sum(row.non_trainable for row in summary.rows)
    totals = [f"{summary.parameters:,}", f"{trained:,}", f"{summary.multiply_adds:,}"]
    return rows, totals


def test_the_head_of_a_backbone_can_be_changed(open_page, tmp_path):
    def written(**values):
        path = tmp_path / "photos.yaml"
        path.write_text(_WITH_BACKBONE.format(backbone="{name: EfficientNetLite0}", **values))
        return path

    file = tmp_path / "page.html"
    write_what_if(written(kernel=1, strides=1, units=16), file)
    page = open_page(file)
    assert page.locator("tbody").count() == 5
    assert "EfficientNetLite0" in _row(page, 0).text_content()
    assert _row(page, 0).locator("input").count() == 0
    for row, word, value in [(1, "kernel", 2), (1, "stride", 2), (3, "units", 20)]:
        _field(page, row, word).fill(str(value))
    rows, totals = _summary_numbers(written(kernel=2, strides=2, units=20))
    for shown, row in zip(range(1, 5), rows, strict=True):
        cells = _row(page, shown).locator("td.number").all_text_contents()
        cells = [cell.partition("was")[0] for cell in cells]
        assert cells[0] == times(row.output_shape)
        assert cells[1] == (f"{row.parameters:,}" if row.parameters else "")
        assert cells[3] == times(row.receptive_field)
    shown = [text.partition("was")[0] for text in page.locator("#totals dd").all_text_contents()]
    assert shown[:3] == totals
    _field(page, 1, "kernel").fill("3")
    assert (
        "conv of 3 x 3 does not fit: the image is already 2 x 2 here (2)"
        in page.get_by_role("alert").text_content()
    )
    page.get_by_role("button", name="Copy YAML").click()
    assert page.locator("#yaml").input_value().startswith("model:\n  head:\n    - conv: {")


def test_a_backbone_without_a_head_gets_the_default_one(tmp_path):
    path = tmp_path / "photos.yaml"
    text = "data: {source: shapes, image_size: 64}\nmodel: {backbone: {name: MobileNetV2}}"
    path.write_text(text)
    data = page_data(load_config(path), 4)
    assert [node["name"] for node in data["nodes"]] == ["global_pool", "dropout"]
    assert data["base"]["shape"] == [2, 2, 1280]
    assert data["base"]["parameters"] + data["base"]["fixed"] == 2_257_984  # as Keras counts it


def test_a_page_on_which_nothing_can_be_changed_says_so(open_page, tmp_path):
    config, file = tmp_path / "photos.yaml", tmp_path / "page.html"
    start = (
        "data: {source: shapes, image_size: 64}\nmodel:\n  backbone: {name: EfficientNetLite0}\n"
    )
    config.write_text(start)
    write_what_if(config, file)
    page = open_page(file)
    assert page.locator("tbody input, tbody select").count() == 0
    assert page.get_by_text("There is nothing to change here").is_visible()
    config.write_text(f"{start}  head: [global_pool, dense: 8]\n")
    write_what_if(config, file)
    assert open_page(file).get_by_text("Change a number and see").is_visible()


# --- the command


def test_the_page_is_written_next_to_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run("what-if", _LENET)
    assert found.exit_code == 0
    assert found.stdout == "digits_lenet5.what-if.html: 8 layers. Open it in a browser.\n"
    page = (tmp_path / "digits_lenet5.what-if.html").read_text()
    assert "https:" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["digits_lenet5.what-if.html"]
    again = run("what-if", _LENET, "--json")
    assert again.exit_code == 2
    assert "add --overwrite" in json.loads(again.stdout)["error"]
    replaced = run("what-if", _LENET, "--overwrite", "--json", "--set", "data.image_size=28")
    assert json.loads(replaced.stdout) == {"file": "digits_lenet5.what-if.html", "num_layers": 8}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("missing.yaml",), "missing.yaml"),
        ((_LENET, "-o", "page.png"), "must end in .html"),
        ((_LENET, "--set", "model.layers=[{conv: {filters: 4, kernel_size: 99}}]"), "does not fit"),
    ],
)
def test_what_cannot_be_written_is_refused(words, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run("what-if", *words)
    assert found.exit_code == 2, found.output
    assert text in found.output
    assert list(tmp_path.iterdir()) == []


_TINY = """
data: {source: digits, image_size: 8, color_mode: grayscale}
model: {layers: [{conv: {filters: 4, kernel_size: 3}}, flatten]}
"""


def test_a_run_is_read_by_its_config_and_as_a_backbone(tmp_path, monkeypatch, open_page):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(_TINY)
    assert run("train", "tiny.yaml", "--epochs", "1", "--name", "tiny").exit_code == 0
    assert json.loads(run("what-if", "runs/tiny", "--json").stdout)["num_layers"] == 3
    assert (tmp_path / "tiny.what-if.html").is_file()
    use = _TINY.partition("model")[0] + "model: {backbone: {run: runs/tiny}, tta: flips}\n"
    (tmp_path / "use.yaml").write_text(use)
    assert run("what-if", "use.yaml").exit_code == 0
    page = open_page(tmp_path / "use.what-if.html")
    assert "runs/tiny" in _row(page, 0).text_content()
    _, totals = _summary_numbers(tmp_path / "use.yaml")
    # the last map is inside the backbone, which ends with flatten
    expected = [*totals, "3 x 3 of 8 x 8 pixels"]
    assert page.locator("#totals dd").all_text_contents() == expected
