"""Measure the peak memory of a training by cnnkit, in MB.

`resident` includes the mapped pages of the packed pixels, which the system can take back;
`private` is only the memory of the process itself. Linux only.

    python scripts/contestants/train_memory.py CONFIG RUNS_FOLDER
"""

import json
import re
import sys
import threading
from pathlib import Path

import cnnkit


def private_megabytes() -> float:
    """Return the memory of the process itself, now."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1e3


peak, done = [0.0], threading.Event()


def watch() -> None:
    """Record the largest value until the training is done."""
    while not done.wait(0.05):
        peak[0] = max(peak[0], private_megabytes())


watcher = threading.Thread(target=watch)
watcher.start()
cnnkit.train(sys.argv[1], runs_folder=Path(sys.argv[2]))
done.set()
watcher.join()
resident = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1e3
print(json.dumps({"resident": resident, "private": peak[0]}))
