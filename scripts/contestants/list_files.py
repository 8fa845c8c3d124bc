"""Measure how many seconds it takes to list a folder of class folders.

    python scripts/contestants/list_files.py FOLDER cnnkit|keras|read

`cnnkit` lists, hashes and splits, each timed; `keras` is what `image_dataset_from_directory` does
before its first image; `read` only reads every file once, in threads.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
folder, kind = sys.argv[1:]
seconds: dict[str, float] = {}


def timed(name, function, *arguments):
    """Call a function and record its seconds."""
    begin = time.perf_counter()
    result = function(*arguments)
    seconds[name] = time.perf_counter() - begin
    return result


if kind == "cnnkit":
    from cnnkit.config import config_from_dict
    from cnnkit.data.file_contents import hash_files
    from cnnkit.data.sources.listing import find_images
    from cnnkit.data.split.assignment import assign_splits

    section = {"source": folder, "image_size": 32}
    data = config_from_dict({"data": section, "model": {"layers": ["flatten"]}}).data
    source = timed("index", find_images, data)
    hashes, _ = timed("hash", hash_files, [record.file for record in source.records])
    timed("split", assign_splits, source.records, hashes, data.split)
elif kind == "keras":
    import keras

    timed("list", lambda: keras.utils.image_dataset_from_directory(folder, verbose=False))
else:
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    files = [Path(entry.path) for part in os.scandir(folder) for entry in os.scandir(part.path)]

    def read_all():
        """Read every file."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(map(len, pool.map(Path.read_bytes, files, chunksize=64)))

    timed("read", read_all)
print(json.dumps(seconds))
