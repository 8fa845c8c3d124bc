"""Search in several processes on this machine, and notice when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from cnnkit.errors import CnnkitError
from cnnkit.progress import Report
from cnnkit.runs.study_runs import StudyRuns
from cnnkit.tuning.search_process import MORE_CODE, URL_VARIABLE

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from cnnkit.tuning.search_process import main; main(sys.argv[1])"
)
_LOOKING_SECONDS = 0.2
MOST_KILLED = 3  # for each process; after that, none is started in place of one that is killed
_THREADS_VARIABLE = "TF_NUM_INTRAOP_THREADS"


class SearchProcesses:
    """Some processes that do the same task; each of them takes what no other one does.

    Args:
        runs: the folder of the study.
        num_processes: how many there are at the same time.
        url: of the storage, with its password; None for the file in the folder.
        report: says when one is killed.
    """

    def __init__(
        self, runs: StudyRuns, num_processes: int, url: str | None, report: Report
    ) -> None:
        self._runs, self._num_processes, self._url = runs, num_processes, url
        self._report = report

    def search(self, num_trials: int | None, end: float | None) -> None:
        """Train trials.

        Args:
            num_trials: of the whole study; None for no limit.
            end: the time.time() after which no trial begins; None for no limit.

        Raises:
            CnnkitError: a process failed.
            KeyboardInterrupt: Ctrl-C; all processes have ended.
        """
        self._do({"num_trials": num_trials, "end": end, "num_seeds": 0})

    def train_finals(self, num_seeds: int) -> None:
        """Train the final runs, of so many seeds.

        Raises:
            CnnkitError: a process failed.
            KeyboardInterrupt: Ctrl-C; all processes have ended.
        """
        self._do({"num_seeds": num_seeds})

    def _do(self, task: dict[str, Any]) -> None:
        running = [self._started(task) for _ in range(self._num_processes)]
        num_killed = 0
        try:
            while running:
                time.sleep(_LOOKING_SECONDS)
                for process in [each for each in running if each.poll() is not None]:
                    running.remove(process)
                    _close(process)
                    if process.returncode == 0:
                        continue
                    if process.returncode != MORE_CODE:
                        self._check(process.returncode)
                        num_killed += 1
                    if num_killed <= MOST_KILLED * self._num_processes:
                        running.append(self._started(task))
        finally:
            _stop(running)

    def _check(self, code: int) -> None:
        """Note that a process was killed, or pass on that it failed."""
        if code == 130:
            raise KeyboardInterrupt
        if code > 0:
            raise CnnkitError(
                "One of the processes ended with an error, which is printed above. To go on after "
                f"that is mended: cnnkit tune --resume {self._runs.argument}"
            )
        self._report.note(
            f"A process of the study was killed by signal {-code} ({signal.Signals(-code).name}). "
            "Another one goes on with what it trained."
        )

    def _started(self, task: dict[str, Any]) -> subprocess.Popen[bytes]:
        threads = max(1, (os.cpu_count() or 1) // self._num_processes)
        environment = {_THREADS_VARIABLE: str(threads), **os.environ}
        is_alone = self._num_processes == 1
        # In a session of its own it does not get the Ctrl-C that is meant for this process, which
        # closes the pipe instead: see `_stop`.
        return subprocess.Popen(
            [
                *(sys.executable, "-c", _START),
                json.dumps({**task, "folder": str(self._runs.folder), "is_alone": is_alone}),
                *sys.path,
            ],
            stdin=subprocess.PIPE,
            env={**environment, URL_VARIABLE: self._url or ""},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Let processes end as after Ctrl-C, and wait for them; a second Ctrl-C kills them."""
    try:
        for process in processes:
            _close(process)
        for process in processes:
            process.wait()
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe of a process, which lets it end if it has not."""
    if process.stdin is not None:
        process.stdin.close()
