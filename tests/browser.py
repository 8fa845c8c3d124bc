"""Pages in a real browser: Playwright drives Debian's Chromium."""

from __future__ import annotations

import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium otherwise asks hosts of its maker for updates.
_FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture
def open_page():
    """A function that opens an HTML file and returns Playwright's page.

    Keyword arguments are those of Playwright's `new_page`: `viewport`, `color_scheme`, ... The test
    fails if a page's script raises an error, if it writes an error to the console, or if it asks
    for anything but files and embedded data. It is skipped if there is no Chromium.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed, so the page cannot be opened")
    from playwright.sync_api import sync_playwright

    faults = []

    def watch(page):
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(("file:", "data:", "blob:"))
                else faults.append(f"request: {asked.url}")
            ),
        )

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)

        def opened(path, **options):
            page = browser.new_page(**options)
            watch(page)
            page.goto(path.resolve().as_uri())
            return page

        yield opened
        browser.close()
    assert faults == []
