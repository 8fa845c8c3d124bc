"""The browser folder of `cnnkit export` in a real browser, against `cnnkit predict`."""

from __future__ import annotations

import base64
import itertools
import json
import re

import numpy as np
import pytest
from browser import shown_answer
from places import ROOT

import cnnkit
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.runs.run_files import contents_of

pytest_plugins = ["browser_fixtures"]

_READY = "Ready for a picture"
# Puts a file into a DataTransfer, as a mouse that drops it or a keyboard that pastes it does.
_TRANSFER = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  return transfer;
}"""


@pytest.fixture(scope="module")
def address(browser_run, serve_folder):
    return serve_folder(browser_run.export / "browser")


@pytest.fixture
def page(address, open_page):
    page = open_page(address)
    page.get_by_text(_READY).wait_for()
    return page


def _transfer(page, path):
    content = base64.b64encode(path.read_bytes()).decode()
    return page.evaluate_handle(_TRANSFER, [path.name, content])


def test_photographs_get_the_answers_of_predict(page, browser_run, photographs):
    predictions = cnnkit.load_run(browser_run.folder).predict(photographs)
    answered = set()
    for path, prediction in zip(photographs, predictions, strict=True):
        page.locator("#file").set_input_files(path)
        shares, (said, why) = shown_answer(page)
        # Shown with one digit. For a network of 16 pixels, cnnkit decodes these JPEGs at an eighth
        # of their size, which changes their pixels a little.
        most = 0.6 if path.suffix == ".jpg" else 0.06
        for name, probability in prediction.top(3):
            assert shares[name] == pytest.approx(100 * probability, abs=most), path
        assert said.split(",")[0] == prediction.answer
        assert bool(why) == (prediction.reason is not None)
        if prediction.reason:
            assert why.split(":")[0].lower() == prediction.reason.split(":")[0]
        answered.add(prediction.answer)
    assert len(photographs) >= 10
    assert "unknown" in answered and len(answered) > 1


def test_a_picture_can_be_dropped_and_pasted(page, photographs):
    path = photographs[0]
    page.locator("#file").set_input_files(path)
    chosen, _ = shown_answer(page)
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": _transfer(page, path)})
    assert shown_answer(page)[0] == chosen
    page.evaluate(
        "data => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))",
        _transfer(page, path),
    )
    assert shown_answer(page)[0] == chosen
    assert page.locator("#shown").evaluate("image => image.naturalWidth") > 0


def test_the_camera_is_followed_and_a_frame_can_be_kept(page):
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#camera").wait_for()
    shown_answer(page)
    assert page.locator("#status").get_attribute("aria-live") == "off"  # not each frame aloud
    page.get_by_role("button", name="Take the picture").click()
    page.locator("#shown").wait_for()
    shown_answer(page)
    assert page.locator("#status").get_attribute("aria-live") == "polite"
    assert page.locator("#shown").evaluate("image => image.naturalWidth") >= 640
    assert page.locator("#camera").evaluate("video => video.srcObject") is None


def test_the_keyboard_reaches_everything(page):
    page.on("filechooser", lambda chooser: None)  # so that the dialog is caught in time
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    with page.expect_file_chooser():
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#camera").wait_for()
    assert page.evaluate("document.activeElement.id") == "take"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.id") == "start-camera"
    assert not page.locator("#camera").is_visible()


def test_a_file_that_is_no_picture_is_refused_in_words(page, photographs, tmp_path):
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    (tmp_path / "notes.txt").write_text("not a picture")
    page.locator("#file").set_input_files(tmp_path / "notes.txt")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == (
        "This browser cannot read that file as a picture."
    )
    assert page.locator("#bars li").count() == 0 and page.locator("#said").inner_text() == ""
    assert page.locator("#hint").inner_text() == "This browser cannot show that file."
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    assert not page.get_by_role("alert").is_visible()


def test_a_phone_shows_everything_without_scrolling_sideways(address, open_page, photographs):
    page = open_page(address, viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_many_classes_are_shown_on_request(page):
    page.evaluate("""showAnswer({
      prediction: "class 0", probability: 1 / 12, milliseconds: { pixels: 1, network: 1 },
      top: [...Array(12).keys()].map((i) => ({ class: `class ${i}`, probability: 1 / 12 })),
    })""")
    bars = page.locator("#bars li")
    assert bars.count() == 10
    page.get_by_role("button", name="Show all 12 classes").click()
    assert bars.count() == 12
    page.get_by_role("button", name="Show only 10 classes").click()
    assert bars.count() == 10


def test_opened_as_a_file_the_page_says_what_to_do(browser_run, open_page):
    page = open_page(browser_run.export / "browser" / "index.html")
    page.get_by_role("alert").wait_for()
    assert "python -m http.server" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_the_pixels_are_those_of_cnnkit(resize, page, photographs):
    for size, color_mode in itertools.product([(31, 20), (100, 75)], ["rgb", "grayscale"]):
        settings = PixelSettings(size, color_mode, resize, background=99)
        for path in photographs:
            difference = np.abs(_pixels(page, path, settings) - read_pixels(path, settings))
            # Pillow computes the box of a crop with 32 bits. It decodes a large JPEG at a part of
            # its size, and the grey of a JPEG without its colours, which are strong here.
            most = 16 if path.suffix == ".jpg" else 1
            assert difference.max() <= most and difference.mean() < 0.8, (path, settings)


def _pixels(page, path, settings):
    found = page.evaluate(
        """async ([content, settings]) => {
          const { readPixels } = await import("/pixels.js");
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          return [...await readPixels(new Blob([bytes]), settings)];
        }""",
        [base64.b64encode(path.read_bytes()).decode(), settings.to_dict()],
    )
    return np.reshape(found, settings.shape)


@pytest.fixture
def page_of_the_docs(browser_run, serve_folder, tmp_path):
    """Return the address of the page in docs/browser.md, in a copy of the folder."""
    for path in (browser_run.export / "browser").iterdir():
        (tmp_path / path.name).symlink_to(path)
    (text,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs/browser.md").read_text(), re.S)
    (tmp_path / "own.html").write_text(text)
    return f"{serve_folder(tmp_path)}own.html"


def test_the_page_of_the_docs_classifies(page_of_the_docs, browser_run, photographs, open_page):
    page = open_page(page_of_the_docs, may_log="status of 404")  # it has no icon
    page.wait_for_load_state("networkidle")  # then the classifier is loaded
    with page.expect_console_message(lambda line: line.type == "log") as found:
        page.locator("input").set_input_files(photographs[0])
    (prediction,) = cnnkit.load_run(browser_run.folder).predict(photographs[:1])
    assert found.value.args[0].json_value() == prediction.answer
    assert [each["class"] for each in found.value.args[2].json_value()] == [
        name for name, _ in prediction.top(3)
    ]


def test_runs_rm_knows_every_file_of_the_folder(browser_run):
    folder = browser_run.export / "browser"
    others = contents_of(browser_run.folder).others
    assert not [path for path in others if path.is_relative_to(folder)]


def test_the_folder_has_what_its_readme_lists(browser_run):
    folder = browser_run.export / "browser"
    listed = {
        line.split()[0]
        for line in (folder / "README.txt").read_text().split("\n\n")[-1].splitlines()
    }
    listed.add("README.txt")
    assert {path.name + "/" * path.is_dir() for path in folder.iterdir()} == listed
    assert json.loads((folder / "cnnkit.json").read_text())["class_names"] == [
        "blue",
        "green",
        "red",
    ]
    assert "Apache License" in (folder / "litert" / "LICENSE").read_text()
    start = (folder / "litert" / "index.js").read_text()
    assert '"./wasm_utils.js"' in start and "@litertjs/wasm-utils" not in start
