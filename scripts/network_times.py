"""Write `cnnkit/network_times.json`: how long each pretrained network takes for an image.

Each network is built with random weights, which take as long as trained ones, converted to LiteRT,
and timed on one core at its usual size, without its classifier. The time is that of the processor
(the fastest of at least 5 calls), so other programs disturb it little. A network that was measured
on the same processor is not measured again, so a script that was stopped goes on; `--again`
measures all. The file is written after each network. Networks are named in `NAME...`, by default
all, the small ones first.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cnnkit.backbone_networks import NETWORKS
from cnnkit.doctor.machine import machine_facts
from cnnkit.litert import load_interpreter

OUTPUT = Path(__file__).resolve().parent.parent / "cnnkit" / "network_times.json"
SECONDS, LEAST = 1.0, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--again", action="store_true", help="also measure what is known")
    options = parser.parse_args()
    names = options.names or sorted(NETWORKS, key=lambda name: NETWORKS[name].parameters)
    found = known_times()
    for name in names:
        if name in found and not options.again:
            continue
        found[name] = milliseconds(name)
        print(f"{name}: {found[name]:.1f} ms", file=sys.stderr)
        write(found)


def processor() -> str:
    return dict(machine_facts())["processor"]


def known_times() -> dict[str, float]:
    """Return what was measured on this processor."""
    if not OUTPUT.exists():
        return {}
    facts = json.loads(OUTPUT.read_text(encoding="utf-8"))
    return facts["milliseconds"] if facts["processor"] == processor() else {}


def write(found: dict[str, float]) -> None:
    facts = {
        "processor": processor(),
        "how": "LiteRT, float32, one core, usual size, without the classifier",
        "milliseconds": {name: found[name] for name in NETWORKS if name in found},
    }
    OUTPUT.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def milliseconds(name: str) -> float:
    """Return the processor time of an image, with three significant digits."""
    from cnnkit.backend import keras
    from cnnkit.data.pixels import PixelSettings
    from cnnkit.export.tflite_file import write_tflite
    from cnnkit.model.backbones.named_networks import named_backbone
    from cnnkit.model.model_info import ModelInfo

    size = (NETWORKS[name].default_size,) * 2
    model = named_backbone(name, size, 3, weights=None, arguments={})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        write_tflite(model, ModelInfo(("a", "b"), PixelSettings(size), "softmax"), path)
        interpreter = load_interpreter(path, 1)
    keras.backend.clear_session()
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < LEAST or time.perf_counter() < end:
        begin = time.process_time()
        interpreter.invoke()
        times.append(1000 * (time.process_time() - begin))
    return float(f"{min(times):.3g}")


if __name__ == "__main__":
    main()
