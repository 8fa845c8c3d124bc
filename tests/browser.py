"""Run a script in a page, in headless Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def found_by_page(page, script, folder):
    """Run a script in a page that is opened as a file; return what it passes to `report(value)`.

    The test is skipped if there is no Chromium. It fails if the page's own script raises an error,
    or if the page has the address of a network resource.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed, so the page cannot be opened")
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://", text), "the page would load something from a network"
    watch = "<script>window.faults = []; onerror = (m) => { faults.push(m); };</script>"
    end = (
        "<script>function report(value) { const made = document.createElement('pre');"
        " made.id = 'found'; made.textContent = JSON.stringify({value, faults});"
        f" document.body.append(made); }}\n{script}</script>"
    )
    tested = folder / f"tested-{page.name}"
    tested.write_text(watch + text + end, encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [program, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", tested.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads(html.unescape(found[1]))
    assert result["faults"] == []
    return result["value"]
