"""A config and a folder enter; the peak memory of a training by cnnkit leaves, in MB.

`resident` counts the mapped pages of the pixel pack, which the system takes back when in need;
`private` is the process's own memory. Linux only.

    python scripts/contestants/train_memory.py CONFIG RUNS_FOLDER
"""

import json
import re
import sys
import threading
from pathlib import Path

import cnnkit


def private_megabytes() -> float:
    """Return the memory that is the process's own now."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1e3


peak, done = [0.0], threading.Event()


def watch() -> None:
    """Note the largest value until the training is done."""
    while not done.wait(0.05):
        peak[0] = max(peak[0], private_megabytes())


watcher = threading.Thread(target=watch)
watcher.start()
cnnkit.train(sys.argv[1], runs_folder=Path(sys.argv[2]))
done.set()
watcher.join()
resident = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1e3
print(json.dumps({"resident": resident, "private": peak[0]}))
