"""The log of the server: one line per request or event, without images and names of files."""

from __future__ import annotations

import json
import queue
import sys
import threading
from datetime import datetime, timezone
from typing import Any

_MOST_LINES = 10_000  # that wait for a slow reader


class RequestLog:
    """Writes lines in a thread of its own: a reader that sleeps must not stop the server.

    Args:
        as_json: JSON lines on stdout; otherwise short lines for people on stderr.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_LINES)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def event(self, name: str, **facts: Any) -> None:
        """Write that something happened.

        Args:
            name: what happened.
            facts: JSON values; None is left out.
        """
        facts = {key: value for key, value in facts.items() if value is not None}
        now = datetime.now(timezone.utc)
        if self._as_json:
            time = now.isoformat(timespec="milliseconds")
            line = json.dumps({"time": time, "event": name, **facts})
        else:
            time = now.astimezone().strftime("%H:%M:%S")
            words = " ".join(f"{key}={value}" for key, value in facts.items())
            line = f"{time} {name} {words}"
        try:
            self._lines.put_nowait(f"{line}\n")
        except queue.Full:  # better to lose a line than a request
            return

    def close(self) -> None:
        """Write what waits, unless nobody reads it."""
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(timeout=1)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            stream = sys.stdout if self._as_json else sys.stderr
            stream.write(line)
            if self._lines.empty():
                stream.flush()
