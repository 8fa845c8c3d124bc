"""Check a folder of images and print the seconds that it takes.

    python scripts/contestants/check.py FOLDER cnnkit|loop

`cnnkit` is `cnnkit data check` without its report. `loop` is what a short script would do to find
broken images and copies: read, hash and decode one image after another, and take the perceptual
hash of the whole and of the middle, as they are and mirrored. It compares no hashes.
"""

import hashlib
import io
import json
import sys
import time
from pathlib import Path

folder, kind = sys.argv[1:]


def check_in_a_loop(files):
    """Return the facts of each image."""
    import imagehash
    from PIL import Image, ImageOps

    facts = []
    for file in files:
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((64, 64))
        variants = (image, image.crop((3, 3, 61, 61)))
        variants += tuple(ImageOps.mirror(variant) for variant in variants)
        facts.append((digest, [imagehash.phash(variant) for variant in variants]))
    return facts


begin = time.perf_counter()
if kind == "cnnkit":
    from cnnkit.config.data_section import DataConfig
    from cnnkit.data.check import check_data

    check_data(DataConfig(source=folder, image_size=(32, 32)))
else:
    check_in_a_loop(sorted(path for path in Path(folder).rglob("*") if path.is_file()))
print(json.dumps({"seconds": time.perf_counter() - begin}))
