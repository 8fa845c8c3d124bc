"""Start processes that call one function on all items they are sent, and stop them again.

The processes of `concurrent.futures` do not fit here. If they are forked, TensorFlow's threads are
missing in them. If they are spawned, they import the user's main script again, and a script
without `if __name__ == "__main__"` then starts itself over and over. And Ctrl-C reaches each of
them, so each prints a traceback. The processes here import the module of their function and nothing
else, do not see Ctrl-C, and end when their parent does.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, cast

from cnnkit.errors import DataError

# The arguments are the parent's sys.path, so that modules are found where the parent finds them.
_START = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"


def can_start_processes() -> bool:
    """Tell whether `sys.executable` is Python; it is not in programs that have Python built in."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


class WorkerPool:
    """Some processes that know the same function.

    Args:
        function: takes one item; it is pickled, so it must be at the top level of a module.
        num_processes: how many batches can be computed at the same time.
    """

    def __init__(self, function: Callable[[Any], Any], num_processes: int) -> None:
        self._workers = [_Worker(function) for _ in range(num_processes)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def call(self, items: Sequence[Any]) -> list[Any]:
        """Return the result for each item, computed by a process that is idle.

        Raises:
            DataError: the process ended.
        """
        worker = self._idle.get()
        try:
            return worker.call(items)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """End all processes at once, even in the middle of their work."""
        for worker in self._workers:
            worker.stop()

    def close(self) -> None:
        """Close the pipes, after all threads that wait for an answer have ended."""
        for worker in self._workers:
            worker.close()


class _Worker:
    """One process, seen from its parent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # A process in a session of its own does not get the Ctrl-C that is meant for its parent.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            # The same on Windows; the flag exists only there.
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        # Never None, because both pipes are requested above.
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._function: Callable[[Any], Any] | None = function

    def call(self, items: Sequence[Any]) -> list[Any]:
        try:
            if (
                self._function is not None
            ):  # sent with the first call: by then the process has started
                self._send(self._function)
                self._function = None
            self._send(items)
            return pickle.load(self._answers)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._ended(items) from error

    def _send(self, value: Any) -> None:
        pickle.dump(value, self._requests, pickle.HIGHEST_PROTOCOL)
        self._requests.flush()

    def _ended(self, items: Sequence[Any]) -> DataError:
        code = self._process.wait()
        how = f"failed with exit code {code}"
        if code < 0:
            how = f"was ended by signal {-code} ({_signal_name(-code)})"
        others = f" or one of the {len(items) - 1} images after it" if len(items) > 1 else ""
        return DataError(
            f"A process that reads images {how} at {items[0]}{others}. Most often the memory was "
            "full: end other programs, or give this one more memory, and run the command again. If "
            "it happens at the same image again, remove that image."
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        with suppress(BrokenPipeError):  # a request that was sent only in part
            self._requests.close()
        self._answers.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def serve() -> None:
    """Answer the requests on stdin until there are no more, or the parent has ended.

    The first request is the function; each of the others is a list of items.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # so that what is printed by mistake is not taken for an answer
    try:
        function = pickle.load(requests)
        while True:
            results = [function(item) for item in pickle.load(requests)]
            pickle.dump(results, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)  # at once: what is still in a buffer has no reader
