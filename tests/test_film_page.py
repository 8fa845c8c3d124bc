"""The page of a film as a person uses it: slider, keys, small and dark screens."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from cnnkit.runs import Run
from cnnkit.training.film.film_page import page_data, write_film_page
from cnnkit.training.film.frames import Frames

_NAMES = ("cat", "<b>dog</b>", "owl")


@pytest.fixture
def film(tmp_path):
    """Return a page of four epochs whose numbers are simple."""
    frames = Frames(
        tmp_path / "film.npz",
        {
            **{"image": "cat/1.png", "split": "validation", "label": "cat"},
            **{"layers": ["conv", "conv_2"], "filters": [6, 40], "has_backbone": False},
            "has_validation": True,
        },
    )
    for epoch in range(1, 5):
        frames.add(
            epoch,
            {
                "filters": np.full((3, 3, 1, 6), epoch / 4, np.float32),
                "maps_0": np.full((5, 5, 6), 4.0 - epoch, np.float32),
                "maps_1": np.ones((2, 2, 16), np.float32),
                "answer": np.array([epoch / 4, 1 - epoch / 4, 0], np.float32),
                "confusion": np.array([[epoch, 4 - epoch, 0], [0, 2, 2], [0, 0, 0]], np.uint32),
            },
        )
    rows = [
        {"epoch": e, "phase": 1, "train_loss": 1 / e, "train_accuracy": e / 8} for e in range(1, 5)
    ]
    pixels = np.zeros((4, 4, 3), np.uint8)
    run = Run(tmp_path)
    write_film_page(run, frames, rows, pixels, _NAMES)
    return run, page_data(frames, rows, pixels, _NAMES)


def test_the_colour_scale_is_the_same_in_all_frames(film):
    _, data = film
    filters, maps = data["filters"], data["maps"][0]
    assert (filters["low"], filters["high"]) == (-1.0, 1.0)
    levels = np.frombuffer(base64.b64decode(filters["levels"]), np.uint8).reshape(4, 6, 3, 3, 1)
    assert levels[:, 0, 0, 0, 0].tolist() == [159, 191, 223, 255]  # round(255 (1 + epoch / 4) / 2)
    assert (maps["low"], maps["high"], maps["changes"]) == (0.0, 3.0, True)
    assert data["maps"][1]["changes"] is False


def test_of_many_classes_the_true_one_and_the_most_likely_are_shown(film, tmp_path, open_page):
    run, _ = film
    names = [f"c{number:02}" for number in range(14)]
    facts = {"image": "1.png", "split": "test", "label": "c13", "layers": [], "filters": []}
    frames = Frames(
        tmp_path / "many.npz", {**facts, "has_backbone": False, "has_validation": False}
    )
    frames.add(1, {"answer": np.arange(14, 0, -1, dtype=np.float32) / 105})
    rows = [{"epoch": 1, "phase": 1, "train_loss": 1.0, "train_accuracy": 0.1}]
    write_film_page(run, frames, rows, np.zeros((4, 4, 3), np.uint8), names)
    page = open_page(run.film)
    assert page.get_by_text("Of 14 classes, the true one and the most likely:").is_visible()
    assert page.locator(".answer i").count() == 11
    assert page.locator(".answer .true").inner_text() == "c13"


def _first_cell(page):
    return page.locator("tbody td").first.inner_text()


def test_keys_slider_and_button_choose_the_frame(film, open_page):
    run, _ = film
    page = open_page(run.film)
    line = page.locator("#epoch")
    assert "epoch 4 of 4 · training loss 0.2500, accuracy 0.5000" in line.inner_text()
    for key, epoch in (("ArrowLeft", 3), ("Home", 1), ("ArrowLeft", 1), ("ArrowRight", 2)):
        page.keyboard.press(key)
        assert line.inner_text().startswith(f"epoch {epoch} of 4")
        assert _first_cell(page) == str(epoch)
        assert page.locator(".answer .true + i + span").inner_text() == f"{25 * epoch:.1f} %"
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")  # once, not once for the slider and once for the page
    assert line.inner_text().startswith("epoch 3 of 4")
    page.locator("#slider").fill("0")
    assert line.inner_text().startswith("epoch 1 of 4")
    page.locator("#play").focus()
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "Pause"
    page.locator("#epoch", has_text="epoch 4 of 4").wait_for()
    assert page.locator("#play").inner_text() == "Play"  # it stops at the end
    page.locator("h1").click()
    page.keyboard.press("Space")  # from the beginning
    assert line.inner_text().startswith("epoch 1 of 4")
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "Play"


def test_a_filter_changes_its_colour_and_a_still_layer_is_named(film, open_page):
    run, _ = film
    page = open_page(run.film)
    colour = (
        "[...document.querySelector('.grid canvas').getContext('2d').getImageData(1, 1, 1, 1).data]"
    )
    last = page.evaluate(colour)
    page.keyboard.press("Home")
    first = page.locator(".grid canvas").first.evaluate(colour)
    assert last == [103, 0, 31, 255] and first != last  # the end of the scale, dark red
    texts = page.locator("section").all_inner_texts()
    assert "The first 16 of 40." in texts[3] and "Nothing here changes" in texts[3]
    assert "<b>dog</b>" in texts[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(film, open_page, scheme):
    run, _ = film
    page = open_page(run.film, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#play").bounding_box()["height"] >= 24


def test_paper_is_light_and_keeps_the_colours_of_the_matrix(film, open_page):
    run, _ = film
    page = open_page(run.film, color_scheme="dark")
    page.emulate_media(media="print")
    style = "node => { const { backgroundColor, printColorAdjust } = getComputedStyle(node);"
    style += " return [backgroundColor, printColorAdjust]; }"
    assert page.locator("body").evaluate(style) == ["rgb(255, 255, 255)", "exact"]
    assert page.locator("tbody td").first.evaluate(style)[1] == "exact"
    assert page.locator("#epoch").is_visible()
    assert not page.locator("#slider").is_visible()
