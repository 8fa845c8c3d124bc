"""A report in a real browser: mouse, keyboard, phone, dark scheme, print."""

from __future__ import annotations

import re

import pytest
from reported_runs import AWKWARD, reported_run

from cnnkit.report import write_report

_PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return write_report(reported_run(tmp_path_factory.mktemp("page"))).path


def _column(page, number):
    """Return the texts of a column of the table of the classes."""
    cells = page.locator(f"#classes tbody tr > :nth-child({number})").all_inner_texts()
    return [cell.strip() for cell in cells]


def test_a_click_on_a_cell_shows_its_images(page_file, open_page):
    page = open_page(page_file)
    cell = page.locator(".matrix td.wrong").first
    cell.click()
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    assert dialog.locator("h2").inner_text() == f"{AWKWARD[1]}, answered {AWKWARD[2]}"
    pictures = dialog.locator("img")
    assert pictures.count() == int(cell.inner_text()) == 5
    assert all(pictures.nth(place).evaluate("node => node.naturalWidth") == 16 for place in (0, 4))
    page.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_each_image_is_embedded_once_and_seen_wherever_it_belongs(page_file, open_page):
    text = page_file.read_text(encoding="utf-8")
    sources = re.findall(r"data:image/(?:png|jpeg);base64,[\w+/=]+", text)
    assert len(sources) == len(set(sources)) > 20
    page = open_page(page_file)
    galleries = page.locator("#errors .gallery")
    for gallery, number in ((galleries.nth(0), 5), (galleries.nth(1), 12)):
        widths = gallery.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert widths == [16] * number
    page.locator(".matrix td.wrong").first.click()  # the same images as in the first gallery
    widths = page.locator("dialog img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert widths == [16] * 5


def test_the_matrix_can_be_used_with_the_keyboard_alone(page_file, open_page):
    page = open_page(page_file)
    page.locator(".matrix td").first.focus()
    page.keyboard.press("ArrowDown")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.cell") == "1-2"
    assert page.evaluate("document.querySelectorAll('.matrix td[tabindex=\"0\"]').length") == 1
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.dataset.cell") == "1-2"
    page.keyboard.press("ArrowLeft")  # a pair without images: Enter does nothing
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert not page.locator("dialog").is_visible()


def test_the_first_tab_leads_past_the_list_of_sections(page_file, open_page):
    page = open_page(page_file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_url("**#headline")


def test_a_heading_sorts_the_table_and_says_so(page_file, open_page):
    page = open_page(page_file)
    assert _column(page, 1) == list(AWKWARD)
    heading = page.locator("#classes thead th", has_text="recall")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert _column(page, 1)[0] == AWKWARD[1]  # its images are all wrong
    recalls = [float(text.split("%")[0]) for text in _column(page, 3)]
    assert recalls == sorted(recalls)
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert _column(page, 1)[-1] == AWKWARD[1]
    assert page.locator("#classes [aria-sort]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_does_not_scroll_sideways(page_file, open_page, scheme):
    page = open_page(page_file, viewport=_PHONE, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    wide = page.locator("#classes .wide")
    assert wide.evaluate("node => node.scrollWidth > node.clientWidth")
    assert wide.get_attribute("tabindex") == "0"  # so that the arrow keys can scroll it


_CONTRAST = """
() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  // A colour may be written as color-mix: what is drawn is asked.
  const pixel = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = colour => {
    const [red, green, blue] = colour.map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!text || !node.checkVisibility() || node.closest("script, style")) continue;
    const backgrounds = [];
    for (let around = node; around; around = around.parentElement)
      backgrounds.unshift(getComputedStyle(around).backgroundColor);
    const style = getComputedStyle(node);
    const ink = node.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const pair = [light(pixel(backgrounds)), light(pixel([...backgrounds, ink]))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push([contrast, node.className.toString(), node.textContent.trim()]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_both_schemes(page_file, open_page, scheme):
    page = open_page(page_file, color_scheme=scheme)
    contrasts = page.evaluate(_CONTRAST)
    assert len(contrasts) > 200
    assert contrasts[0][0] >= 4.5, contrasts[0]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_print_is_light_and_unfolded(page_file, open_page, tmp_path):
    page = open_page(page_file, color_scheme="dark")
    assert not page.locator("#request pre").is_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#request pre").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".wide").evaluate_all(
        "nodes => nodes.every(node => getComputedStyle(node).overflowX === 'visible')"
    )
    page.set_viewport_size({"width": 720, "height": 1000})  # of a sheet without its margins
    assert page.evaluate("document.documentElement.scrollWidth") == 720
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert not page.locator("#request pre").is_visible()
    paper = page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3


def test_the_structure_is_there_for_a_screen_reader(page_file, open_page):
    page = open_page(page_file)
    levels = page.locator("h1, h2, h3").evaluate_all(
        "nodes => nodes.filter(node => node.checkVisibility()).map(node => +node.tagName[1])"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert page.locator("main, nav, header, footer").count() == 4
    for what, wrong in {
        "an image without a text": "img:not([alt]), img[alt='']",
        "a chart without a text": "svg:not([aria-label])",
        "a table without a caption": "table:not(:has(caption))",
        "a heading of a table without a scope": "th:not([scope])",
        "a section without a name": "section:not([aria-labelledby])",
    }.items():
        assert page.locator(wrong).count() == 0, what


def test_names_of_any_script_are_isolated(page_file, open_page):
    page = open_page(page_file)
    names = page.locator("#classes tbody bdi").all_inner_texts()
    assert names == list(AWKWARD)
    assert page.locator(".matrix thead bdi").all_inner_texts() == list(AWKWARD)
