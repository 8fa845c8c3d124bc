"""Print how fast the parts of a bulk prediction are alone, each on all cores.

    python scripts/contestants/predict_pieces.py RUN FOLDER decode|infer|both

`decode` only reads images, `infer` only answers images that are decoded already, and `both` does
one after the other, with nothing else: no order, no files, no rows.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cnnkit.data.pixels import read_pixels
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import Ignored
from cnnkit.runtimes import load_predictor

run, folder, piece = sys.argv[1:]
predictor = load_predictor(run, Path()).for_threads()
settings = predictor.info.pixels
paths = image_files(folder, Ignored())
decoded = [read_pixels(path, settings)[None] for path in paths[:64]]
cores = os.cpu_count() or 1
pieces = {
    "decode": lambda index: read_pixels(paths[index], settings),
    "infer": lambda index: predictor.answers(decoded[index % len(decoded)]),
    "both": lambda index: predictor.answers(read_pixels(paths[index], settings)[None]),
}


def work(first):
    """Do the piece for every image of one core."""
    for index in range(first, len(paths), cores):
        pieces[piece](index)


with ThreadPoolExecutor(cores) as pool:
    list(pool.map(pieces[piece], range(cores)))  # the models are loaded
    begin, processor = time.perf_counter(), time.process_time()
    list(pool.map(work, range(cores)))
    print(
        json.dumps(
            {
                "images": len(paths),
                "seconds": time.perf_counter() - begin,
                "processor_seconds": time.process_time() - processor,
            }
        )
    )
