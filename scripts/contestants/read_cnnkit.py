"""Measure how long cnnkit takes to read a folder, epoch by epoch.

The first epoch includes listing, hashing, decoding and packing; imports are not included.

    python scripts/contestants/read_cnnkit.py FOLDER IMAGE_SIZE EPOCHS
"""

import json
import sys
import time

from cnnkit.config import config_from_dict
from cnnkit.data.batches import training_batches
from cnnkit.data.dataset import load_dataset

folder, image_size, epochs = sys.argv[1:]
config = config_from_dict(
    {
        "data": {
            "source": folder,
            "image_size": int(image_size),
            "split": {"validation": 0, "test": 0},
        },
        "model": {"layers": ["flatten"]},
    }
)
begin = time.perf_counter()
dataset = load_dataset(config.data)
indices = dataset.select("train")
ends, numbers = [], []
for epoch in range(int(epochs)):
    batches = training_batches(dataset, indices, batch_size=32, seed=0, epoch=epoch)
    numbers.append(sum(int(images.shape[0]) for images, _ in batches))
    ends.append(time.perf_counter() - begin)
print(json.dumps({"epoch_ends": ends, "num_images": numbers}))
