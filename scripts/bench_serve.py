"""Measure `cnnkit serve` under load: images per second, and how long the clients wait.

    python scripts/bench_serve.py runs/mobilenet photo.jpg --clients 16 --rounds 5

Each client sends one image, waits for its answer and sends it again. The servers run one after the
other in each round, so that what else the machine does hits all of them alike. `one at a time` is
the plain script `contestants/serve_plain.py`, which decodes and answers one image after the other.
The others are `cnnkit serve`: with one worker, which gives each image all cores; with a worker per
core that takes single images; and with the default, in which workers take batches.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import numpy as np

from cnnkit.runs import Run

PLAIN = "one at a time"
SERVERS = {
    PLAIN: [],
    "one at a time, all cores": ["--workers", "1", "--max-batch", "1"],
    "side by side, no batches": ["--max-batch", "1"],
    "batching": [],
}
CONTESTANT = Path(__file__).resolve().parent / "contestants" / "serve_plain.py"
WARM_SECONDS = 1.0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a finished run folder")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="what every client sends")
    parser.add_argument("--clients", type=int, default=16, help="by default 16")
    parser.add_argument("--rounds", type=int, default=5, help="by default 5")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each server in a round")
    arguments = parser.parse_args()
    image = arguments.image.read_bytes()
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in SERVERS}
    for _ in range(arguments.rounds):
        for name, options in SERVERS.items():
            with server(name, arguments.run, options) as port:
                times = asyncio.run(
                    load(port, image, arguments.clients, arguments.seconds + WARM_SECONDS)
                )
            rate = len(times) / arguments.seconds
            found[name].append((rate, *np.percentile(times, [50, 99])))
    print(table(found))


@contextmanager
def server(name: str, run: str, options: list[str]):
    """Run a server while the block runs, and give its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    if name == PLAIN:
        command = [str(CONTESTANT), str(Run(Path(run)).tflite), str(port)]
    else:
        command = ["-m", "cnnkit", "serve", "--model", f"model={run}", "--port", str(port)]
        command += [*options, "--json", "--max-queue", "256"]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_until_ready(port: int, process: subprocess.Popen) -> None:
    """Wait for an answer of /ready."""
    while process.poll() is None:
        try:
            urlopen(f"http://127.0.0.1:{port}/ready", timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("The server has ended: try `cnnkit serve` with the same model.")


async def load(port: int, image: bytes, clients: int, seconds: float) -> list[float]:
    """Return the seconds that each answer took, without those of the first second."""
    begin = time.perf_counter()
    request = (
        b"POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: image/jpeg\r\n"
        b"Content-Length: %d\r\n\r\n" % len(image)
    ) + image
    times: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (now := time.perf_counter()) < begin + seconds:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"An answer was {head.splitlines()[0].decode()}.")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(size)
            if now > begin + WARM_SECONDS:
                times.append(time.perf_counter() - now)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times


def table(found: dict[str, list[tuple[float, float, float]]]) -> str:
    """Return the medians over the rounds, and the ratio to one at a time round by round."""
    first = found[next(iter(found))]
    lines = [f"{'':26}{'images/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}   (lowest, highest)"]
    for name, rows in found.items():
        rate, p50, p99 = (median(column) for column in zip(*rows, strict=True))
        ratios = [own[0] / other[0] for own, other in zip(rows, first, strict=True)]
        lines.append(
            f"{name:26}{rate:10.0f}{1000 * p50:9.1f}{1000 * p99:9.1f}{median(ratios):8.2f}"
            f"   ({min(ratios):.2f}, {max(ratios):.2f})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
