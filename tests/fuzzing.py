"""Use many mutated files in processes of their own, and collect what goes wrong with them.

A module of cases has `mutant(index)`, which returns the same file each time, `prepare(folder)` and
`before(mutant, folder)`, which write what is needed for all cases and for one, and `uses(mutant,
folder)`, which yields functions that do with the file what the commands do. What these report in
words, without a traceback, is right. Faults are any other exception, more than 5 seconds of the
processor, a program that is started, a connection, a line on stderr, and whatever is written
outside `folder/work`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

from cnnkit.cli.failure import failure_of

SEED = 12
_MOST_SECONDS = 5  # of the processor, for one case
_MOST_MEMORY = 6 << 30
_STANDS_STILL_SECONDS = 300  # without using the processor, as in front of a pipe
_STARTS = (
    "subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork",
    "os.forkpty", "pty.spawn", "os.startfile", "socket.connect", "socket.getaddrinfo",
    "urllib.Request", "webbrowser.open",
)  # fmt: skip
_CHANGES = (
    "os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.truncate", "os.chmod", "os.chown",
    "os.link", "os.symlink", "shutil.rmtree", "shutil.move", "shutil.copyfile",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Mutant(NamedTuple):
    """A damaged file: its name, which says what it was made from, and its content."""

    name: str
    content: bytes


def random_of(index):
    """Return the random numbers of one case, which do not depend on the other cases."""
    return random.Random(f"{SEED}:{index}")


def check_cases(module, indices, folder):
    """Fail with a list of what went wrong in the cases; their files are left in `folder/faults`."""
    pytest.importorskip("resource", reason="Windows cannot limit the time of a process")
    (folder / "input").mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    waiting, faults = list(indices), []
    while waiting:
        done, found = _run(module, waiting, folder)
        waiting = waiting[done:]
        faults += found
    if faults:
        pytest.fail(
            f"{len(faults)} of {len(indices)} cases with seed {SEED} went wrong; their files are "
            f"in {folder / 'faults'}:\n" + "\n".join(faults[:20]),
            pytrace=False,
        )


def _run(module, indices, folder):
    """Run a process until it ends, and return how many cases it has done, and their faults."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["CNNKIT_CACHE"] = str(folder / "work" / "cache")
    command = [sys.executable, "-m", "fuzzing", module, str(folder)]
    errors = folder / "stderr.txt"
    with (
        errors.open("w+b") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment
        ) as process,
    ):
        process.stdin.write(json.dumps(indices).encode())
        process.stdin.close()
        lines = list(_lines(process))
    whole = [line for line in lines if line["is_done"]]
    done, faults = len(whole), [line["fault"] for line in whole if line["fault"]]
    slowest = max(((line["seconds"], line["index"]) for line in whole), default=None)
    sys.stdout.write(f"slowest of {done:,} cases of {module}: {slowest}\n")
    printed = errors.read_text(errors="replace").strip()
    if len(lines) == 2 * done and process.returncode:  # not during a case
        pytest.fail(f"the process of the cases cannot start or end: {printed}", pytrace=False)
    if done < len(indices):
        ended = f"it ended the process with {process.returncode} (-24: more than 5 s)"
        faults.append(f"case {indices[done]} of {module}: {ended} {printed[-500:]}")
        cases = importlib.import_module(module)
        cases.prepare(folder)
        case = cases.mutant(indices[done])
        _keep(case, indices[done], folder)
        done += 1
    return done, faults


def _lines(process):
    """Yield what the process reports; end it if it does nothing at all for minutes."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(_STANDS_STILL_SECONDS):
            line = process.stdout.readline()
            if not line:
                return
            yield json.loads(line)
    process.kill()


def tree(folder):
    """Return the content of each file below a folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- in the process of the cases


class Watch:
    """Collect what Python code starts, and what it changes outside a folder, while it is `on`."""

    def __init__(self, allowed):
        self.on, self.seen = False, []
        self._allowed = os.path.realpath(allowed) + os.sep
        tempfile.gettempdir()  # writes a file when it is first called
        sys.addaudithook(self._hear)
        warnings.showwarning = lambda message, *_, **__: self.seen.append(f"warning: {message}")

    def _hear(self, event, arguments):
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            is_writing = bool(set(mode or "") & set("wax+")) or (flags or 0) & _WRITING
            if is_writing and not isinstance(path, int):
                self._check(event, path)
        elif event in _STARTS:
            self.seen.append(f"{event} {arguments}")
        elif event in _CHANGES and isinstance(arguments[0], str | bytes | os.PathLike):
            # Relative to another folder are only the parts of a tree that is removed as a whole.
            if os.path.isabs(arguments[0]) or event == "shutil.rmtree":
                self._check(event, arguments[0])

    def _check(self, event, path):
        self.on = False
        place = os.path.realpath(os.fsdecode(path))
        is_nameless = event == "open" and os.path.isdir(place)  # a temporary file without a name
        self.on = True
        if (
            not is_nameless
            and place != os.devnull
            and not (place + os.sep).startswith(self._allowed)
        ):
            self.seen.append(f"{event} {place}")


def _keep(case, index, folder):
    (folder / "faults").mkdir(exist_ok=True)
    (folder / "faults" / f"{index}-{Path(case.name).name}").write_bytes(case.content)


def _limit():
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(time.process_time()) + _MOST_SECONDS + 2  # whole seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _fault(module, index, folder, watch):
    """Use one file; return what is wrong with that or None, and the seconds of the longest use."""
    case, longest = module.mutant(index), 0.0
    module.before(case, folder)
    for use in module.uses(case, folder):
        fault, seconds = _fault_of_use(use, watch)
        longest = max(longest, seconds)
        if fault:
            _keep(case, index, folder)
            return f"case {index} of {module.__name__}, {case.name}: {fault}", longest
    return None, longest


def _fault_of_use(use, watch):
    _limit()
    fault, printed = None, os.fstat(2).st_size
    begin, watch.seen, watch.on = time.process_time(), [], True
    try:
        use()
    except BaseException as error:
        if not isinstance(error, Exception) or failure_of(error).is_bug:
            place = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"
    watch.on = False
    seconds = time.process_time() - begin
    if fault is None and watch.seen:
        fault = "; ".join(watch.seen[:5])
    if fault is None and seconds > _MOST_SECONDS:
        fault = f"{seconds:.1f} s of the processor"
    if fault is None and os.fstat(2).st_size > printed:
        fault = os.pread(2, 200, printed).decode(errors="replace").strip()
    return fault, seconds


def _report(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _main(name, folder):
    import resource

    indices = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    module = importlib.import_module(name)
    module.prepare(folder)
    if hasattr(module, "begin"):
        module.begin(indices)
    before, watch = tree(folder / "input"), Watch(folder / "work")
    for index in indices:
        _report(is_done=False)
        fault, seconds = _fault(module, index, folder, watch)
        _report(is_done=True, index=index, fault=fault, seconds=seconds)
    if tree(folder / "input") != before:
        raise SystemExit("files in the input folder have changed")


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
