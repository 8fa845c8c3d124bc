"""A process that trains trials of a study, or final trainings, beside others."""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError
from cnnkit.progress import LineReport, report_for
from cnnkit.runs.study_runs import StudyRuns

MORE_CODE = 75  # the exit code if another process shall do the rest
URL_VARIABLE = "CNNKIT_STUDY_STORAGE"  # not an argument: those of a process can be seen by others


def main(task: str) -> None:
    """Do what the parent asks for, and end the process; it also ends when the parent does.

    Args:
        task: JSON with the folder of the study, and the limits or the number of seeds.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent may ignore them
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_interrupt_when_parent_ends, daemon=True).start()
    try:
        _work(json.loads(task))
    except CnnkitError as error:
        LineReport().note(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # the parent says how to go on
        sys.exit(130)


def _work(task: dict[str, Any]) -> None:
    # Imported here, so that Ctrl-C during the seconds that this takes ends the process as above.
    from cnnkit.tuning.final_trainings import train_finals
    from cnnkit.tuning.search_loop import Limits, search
    from cnnkit.tuning.study import open_study
    from cnnkit.tuning.study_settings import StudySettings

    runs = StudyRuns(Path(task["folder"]))
    settings = StudySettings.read(runs)
    space = settings.space(runs.config.read_text(encoding="utf-8"))
    study = open_study(runs, settings, space, os.environ.get(URL_VARIABLE) or settings.storage)
    # The bars of several processes would overwrite each other.
    report = report_for(sys.stderr) if task["is_alone"] else LineReport()
    if task["num_seeds"]:
        train_finals(study, task["num_seeds"], report)
    elif not search(study, Limits(task["num_trials"], task["end"]), report):
        sys.exit(MORE_CODE)


def _interrupt_when_parent_ends() -> None:
    """Wait for the end of stdin, which the parent never writes to, and do what Ctrl-C does."""
    # Not sys.stdin.read: Python aborts if a thread still waits in it when the process ends.
    os.read(sys.stdin.fileno(), 1)
    _thread.interrupt_main()
