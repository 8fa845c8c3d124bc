"""The page of `cnnkit serve` in a real browser, against `cnnkit predict`."""

from __future__ import annotations

import pytest
from browser import shown_answer
from servers import serving

import cnnkit
from cnnkit.runs import find_run

pytest_plugins = ["browser_fixtures"]

_DIGITS = """
data: {source: digits, image_size: 16, color_mode: grayscale}
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, activation: relu}
    - pool: 2
    - flatten
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def digits_run(made_once):
    def train(folder):
        (folder / "digits.yaml").write_text(_DIGITS)
        cnnkit.train(folder / "digits.yaml", runs_folder=folder)

    return find_run("digits", made_once("digits-runs", train))


@pytest.fixture(scope="module")
def server(calibrated_run, digits_run):
    models = f"colours={calibrated_run.folder}", f"digits={digits_run.folder}"
    with serving("--model", models[0], "--model", models[1]) as running:
        yield running


@pytest.fixture
def page(server, open_page):
    page = open_page(f"{server.url}/")
    page.get_by_text("Ready for a picture").wait_for()
    return page


def test_photographs_get_the_answers_of_predict(page, calibrated_run, photographs):
    predictions = cnnkit.load_run(calibrated_run.folder).predict(photographs)
    answered = set()
    for path, prediction in zip(photographs, predictions, strict=True):
        page.locator("#file").set_input_files(path)
        shares, (said, why) = shown_answer(page)
        for name, probability in prediction.top(3):
            assert shares[name] == pytest.approx(100 * probability, abs=0.051), path
        assert said.split(",")[0] == prediction.answer
        assert why.rstrip(".").lower() == (prediction.reason or "").lower()
        answered.add(prediction.answer)
    assert "unknown" in answered and len(answered) > 1


def test_the_map_and_its_class_are_shown(page, photographs):
    page.get_by_role("tab", name="Where it looks").click()
    assert page.locator("#look-state").inner_text() == "Choose a picture first."
    page.locator("#file").set_input_files(photographs[0])
    page.locator("#look").wait_for()
    assert page.locator("#overlay").evaluate(
        "image => image.decode().then(() => image.naturalWidth)"
    )
    first = page.locator("#overlay").get_attribute("src")
    page.get_by_label("Class", exact=True).select_option("green")
    page.locator("#look-caption:has-text('green')").wait_for()
    assert page.locator("#overlay").get_attribute("alt").endswith("speaks for green marked")
    assert page.locator("#overlay").get_attribute("src") != first


def test_the_tabs_are_used_with_the_arrow_keys(page, photographs):
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    page.get_by_role("tab", name="Probabilities").focus()
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("tab", name="Feature maps").get_attribute("aria-selected") == "true"
    page.locator(".layer").first.wait_for()
    page.keyboard.press("Home")
    assert page.locator("#bars").is_visible() and not page.locator("#maps").is_visible()
    assert [page.get_by_role("tab").nth(i).get_attribute("tabindex") for i in range(3)] == [
        "0", "-1", "-1",
    ]  # fmt: skip


def test_a_digit_is_drawn_and_watched_through_the_layers(page):
    assert not page.get_by_role(
        "button", name="Draw"
    ).is_visible()  # the first model is for colours
    page.get_by_label("Model").select_option(index=1)
    page.get_by_role("button", name="Draw").click()
    page.get_by_role("tab", name="Feature maps").click()
    box = page.locator("#sheet").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    page.locator(".layer").first.wait_for()
    names = page.locator(".layer h3").all_inner_texts()
    assert [name.split()[0] for name in names] == [
        "rescaling", "conv_1", "conv_1/relu", "pool_1", "probabilities", "probabilities/softmax",
    ]  # fmt: skip
    assert page.locator(".layer").nth(1).locator("canvas[role=img]").count() == 4
    before = page.locator(".seen").get_attribute("src")
    page.locator("#sheet").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("src => document.querySelector('.seen').src !== src", arg=before)


def test_the_drawing_can_be_inverted_and_cleared(page):
    page.get_by_label("Model").select_option(index=1)
    page.get_by_role("button", name="Draw").click()
    middle = "sheet => [...sheet.getContext('2d').getImageData(140, 140, 1, 1).data].slice(0, 3)"
    sheet = page.locator("#sheet")
    assert sheet.evaluate(middle) == [0, 0, 0]
    page.keyboard.press("Shift+ArrowRight")
    assert sheet.evaluate(middle) == [0, 0, 0]
    page.keyboard.press("ArrowLeft")
    assert sheet.evaluate(middle) == [255, 255, 255]
    page.get_by_label("Dark on light").check()
    assert sheet.evaluate(middle) == [0, 0, 0]
    page.get_by_role("button", name="Clear the sheet").click()
    assert sheet.evaluate(middle) == [255, 255, 255]
    shown_answer(page)


def test_the_camera_sends_frames(page):
    page.get_by_role("button", name="Use the camera").click()
    shown_answer(page)
    page.get_by_role("button", name="Take the picture").click()
    page.locator("#shown").wait_for()
    shown_answer(page)


def test_a_phone_shows_everything_without_scrolling_sideways(server, open_page, photographs):
    page = open_page(f"{server.url}/", viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    for tab, what in (("Where it looks", "#look"), ("Feature maps", ".layer >> nth=-1")):
        page.get_by_role("tab", name=tab).click()
        page.locator(what).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_server_with_a_key_asks_for_it(trained_run, open_page, photographs):
    environment = {"CNNKIT_API_KEY": "open-sesame"}
    with serving("--model", trained_run.folder, environment=environment) as server:
        page = open_page(f"{server.url}/", may_log="status of 401")
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Use this key").click()
        page.get_by_role("alert").wait_for()
        assert "The API key is missing or wrong" in page.get_by_role("alert").inner_text()
        page.get_by_label("API key").fill("open-sesame")
        page.get_by_role("button", name="Use this key").click()
        page.get_by_text("Ready for a picture").wait_for()
        assert not page.get_by_label("API key").is_visible()
        page.locator("#file").set_input_files(photographs[0])
        shown_answer(page)


def test_what_cannot_be_answered_is_said(server, open_page, tmp_path):
    page = open_page(f"{server.url}/", may_log="status of 422")
    (tmp_path / "notes.txt").write_text("not a picture")
    page.locator("#file").set_input_files(tmp_path / "notes.txt")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text().startswith("The image cannot be read: ")


def test_a_server_that_has_ended_is_noticed(trained_run, open_page, photographs):
    with serving("--model", trained_run.folder) as server:
        page = open_page(f"{server.url}/", may_log="ERR_CONNECTION_REFUSED")
        page.get_by_text("Ready for a picture").wait_for()
        assert server.stop() == 0
        page.locator("#file").set_input_files(photographs[0])
        page.get_by_role("alert").wait_for()
        assert "Is it still running?" in page.get_by_role("alert").inner_text()


def test_the_page_may_not_be_framed(server):
    status, headers, _ = server.ask("/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
