"""Run something as a user who may not write or read everything; for root, no file is locked."""

from __future__ import annotations

import json
import os
import signal

_NOBODY = 65534


def as_another_user(work):
    """Return what `work()` returns, as JSON has it, from a child process of another user.

    If this process is not root's, it is that user already, and there is no child.
    """
    if os.geteuid() != 0:
        return json.loads(json.dumps(work()))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)
            os.setuid(_NOBODY)
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def open_parents(folder):
    """Let others look into the folders of pytest above a folder, which only root may enter."""
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
