"""A server that is asked for minutes, rightly and wrongly, does not grow.

CNNKIT_SOAK_SECONDS sets how long; by default a minute.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from predict_command import image_folder
from servers import serving
from test_serve_attacks import connection_to

_SECONDS = float(os.environ.get("CNNKIT_SOAK_SECONDS", "60"))
_MOST_GROWTH = 12  # MB between the middle and the last third; the allocator alone makes some
_CLIENTS = 8


def questions(images):
    """Return functions that ask a server something."""
    rng, contents = random.Random(0), [path.read_bytes() for path in images]
    encoded = [base64.b64encode(content).decode() for content in contents]
    as_json = {"Content-Type": "application/json"}

    def cut_off(server):
        with closing(connection_to(server)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nx")
        return 0

    def rows():
        return {"instances": [{"b64": text} for text in rng.sample(encoded, 3)]}

    return [
        lambda server: server.predict(*rng.sample(images, 4))[0],
        lambda server: server.ask("/predict", rng.choice(contents))[0],
        lambda server: server.ask(
            "/predict", json.dumps({"images": rng.sample(encoded, 2)}), headers=as_json
        )[0],
        lambda server: server.ask("/v1/models/m:predict", json.dumps(rows()))[0],
        lambda server: server.ask("/predict", rng.randbytes(2000))[0],
        lambda server: server.ask("/predict", bytes(3_000_000))[0],
        lambda server: server.ask(f"/{rng.random()}")[0],
        lambda server: server.ask("/metrics")[0],
        cut_off,
    ]


def megabytes(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow(trained_run, tmp_path):
    images = sorted(Path(image_folder(trained_run)).rglob("*.png"))
    model = tmp_path / "model.tflite"
    shutil.copyfile(trained_run.tflite, model)
    statuses, sizes, stopped = [], [], threading.Event()
    with serving("--model", f"m={model}", "--max-megabytes", "2", "--max-images", "8") as server:

        def ask(seed):
            rng, known = random.Random(seed), questions(images)
            while not stopped.is_set():
                statuses.append(rng.choice(known)(server))

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        end, next_change = time.monotonic() + _SECONDS, 0.0
        while time.monotonic() < end:
            time.sleep(0.5)
            sizes.append(megabytes(server.process.pid))
            del server.log[:-100]
            if time.monotonic() > next_change:  # it is loaded again and again
                model.touch()
                next_change = time.monotonic() + _SECONDS / 20
        stopped.set()
        for thread in threads:
            thread.join()
        assert server.ask("/health")[0] == 200
        number = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    third = len(sizes) // 3
    middle, last = max(sizes[third : 2 * third]), max(sizes[2 * third :])
    growth = f"{sizes[0]:.0f} > {middle:.0f} > {last:.0f} MB"
    facts = f"{len(statuses)} requests, {growth}, {number} open files"
    (tmp_path / "soak.txt").write_text(facts)
    assert last - middle < _MOST_GROWTH, facts
    assert number < 100, facts
    assert max(statuses) < 500 and {200, 413, 422} <= set(statuses), facts
