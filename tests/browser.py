"""Pages in a real browser: Playwright drives Debian's Chromium."""

from __future__ import annotations

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium otherwise asks hosts of its maker for updates.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a clock
    "--use-fake-ui-for-media-stream",  # and that pages may use
)


@pytest.fixture
def open_page():
    """A function that opens an HTML file, or an address, and returns Playwright's page.

    Keyword arguments are those of Playwright's `new_page`: `viewport`, `color_scheme`, ... The test
    fails if a page's script raises an error, if it writes an error to the console, or if it asks
    for anything but files, embedded data and what its own server has. `may_log` is part of the one
    message that it may write. It is skipped if there is no Chromium.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed, so the page cannot be opened")
    from playwright.sync_api import sync_playwright

    faults = []

    def watch(page, own, may_log):
        def read(line):
            if line.type == "error" and not (may_log and may_log in line.text):
                faults.append(line.text)

        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", read)
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(("file:", "data:", "blob:"))
                or urlsplit(asked.url)[1] == own
                else faults.append(f"request: {asked.url}")
            ),
        )

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)

        def opened(place, *, may_log="", **options):
            url = place if isinstance(place, str) else place.resolve().as_uri()
            page = browser.new_page(**options)
            page.set_default_timeout(120_000)  # a server that starts TensorFlow on a busy machine
            watch(page, urlsplit(url)[1], may_log)
            page.goto(url)
            return page

        yield opened
        browser.close()
    assert not faults, faults


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def serve_folder():
    """A function that serves a folder on this machine, as `python -m http.server` does.

    It returns the address of the folder.
    """
    servers = []

    def served(folder):
        handler = functools.partial(_Quiet, directory=folder)
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield served
    for server in servers:
        server.shutdown()
        server.server_close()


def shown_answer(page):
    """Wait for the next answer on a page that classifies.

    Returns:
        {class: percentage} of the bars, and (what is said, why).
    """
    page.locator("#latency:has-text('ms')").wait_for(state="attached")
    bars = page.locator("#bars").evaluate(
        "list => [...list.children].map(each => [...each.children].map(part => part.textContent))"
    )
    said = page.locator("#said").inner_text(), page.locator("#why").inner_text()
    page.evaluate("document.getElementById('latency').textContent = ''")
    return {name: float(share.rstrip(" %")) for name, share, _ in bars}, said
