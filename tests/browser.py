"""A page and a script enter; what the script finds in headless Chromium leaves."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def told_by_page(page, script, folder):
    """Run a script in a page, opened as a file, and return what it gives to `tell(value)`.

    Skips the test where there is no Chromium. Errors of the page's own script come back as a
    failure, and so does a request to anything but the file itself.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("there is no Chromium here to open the page in")
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://", text), "the page asks a network for something"
    watch = "<script>window.faults = []; onerror = (m) => { faults.push(m); };</script>"
    end = (
        "<script>function tell(value) { const made = document.createElement('pre');"
        " made.id = 'told'; made.textContent = JSON.stringify({value, faults});"
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
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(html.unescape(found[1]))
    assert told["faults"] == []
    return told["value"]
