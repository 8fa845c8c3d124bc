"""Sounds on the page of `cnnkit serve` and on that of the browser folder, in a real browser."""

from __future__ import annotations

import pytest
from browser import shown_answer
from servers import serving
from sounds import wav_tone

import cnnkit
from cnnkit.export import export_run

pytest_plugins = ["browser_fixtures", "sound_runs"]

_DROP = """([name, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/wav" }));
  document.getElementById("drop").dispatchEvent(
    new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def server(tones_run):
    with serving("--model", f"tones={tones_run.folder}") as running:
        yield running


@pytest.fixture
def page(server, open_page):
    page = open_page(f"{server.url}/")
    page.get_by_text("Ready for a picture").wait_for()
    return page


@pytest.fixture
def files(tmp_path):
    for tone in (200, 800, 3_200):
        (tmp_path / f"tone of {tone} Hz.wav").write_bytes(wav_tone(tone, seconds=0.35))
    return sorted(tmp_path.iterdir())


def test_sounds_get_the_answers_of_predict_and_can_be_heard(page, tones_run, files):
    for path, prediction in zip(
        files, cnnkit.load_run(tones_run.folder).predict(files), strict=True
    ):
        page.locator("#file").set_input_files(path)
        shares, (said, _) = shown_answer(page)
        assert said.split(",")[0] == prediction.answer
        for name, probability in prediction.top(3):
            assert shares[name] == pytest.approx(100 * probability, abs=0.051)
        assert page.locator("#sound").inner_text() == path.name
        page.wait_for_function("document.getElementById('player').duration > 0.3")
        assert not page.locator("#shown").is_visible() and not page.locator("#hint").is_visible()


def test_a_dropped_sound_is_answered_and_a_picture_takes_its_place(page, files, photographs):
    page.evaluate(_DROP, [files[0].name, list(files[0].read_bytes())])
    shown_answer(page)
    assert page.locator("#sound").is_visible()
    page.locator("#file").set_input_files(photographs[0])
    shown_answer(page)
    assert page.locator("#shown").is_visible() and not page.locator("#sound").is_visible()


def test_the_page_shows_where_the_network_looks_in_a_sound(page, files):
    page.locator("#file").set_input_files(files[0])
    shown_answer(page)
    page.get_by_role("tab", name="Where it looks").click()
    page.locator("#look").wait_for()
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert page.locator("#overlay").evaluate(width) >= 40
    page.get_by_role("tab", name="Feature maps").click()
    page.locator("#maps canvas").first.wait_for()
    assert page.locator("#maps .seen").evaluate(width) == 40


def test_the_browser_folder_says_that_it_reads_no_sounds(
    tones_run, files, litert_js, serve_folder, open_page, tmp_path_factory
):
    notes = []
    folder = tmp_path_factory.mktemp("browser") / "export"
    export_run(tones_run, ["browser"], output=folder, note=notes.append)
    assert any("its page reads pictures but not the WAV files" in note for note in notes)
    page = open_page(serve_folder(folder / "browser"))
    page.get_by_text("Ready for a picture").wait_for()
    assert "trained on sounds, which this page cannot read" in page.locator("#about").inner_text()
    page.locator("#file").set_input_files(files[0])
    page.get_by_text("Sounds cannot be read here.").wait_for()
