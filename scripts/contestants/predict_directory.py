"""Predict a folder with Keras alone, and print how long it took, without imports and loading.

python scripts/contestants/predict_directory.py MODEL.keras FOLDER HEIGHT WIDTH
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

model_path, folder, height, width = sys.argv[1:]
model = tf.keras.models.load_model(model_path)
images = tf.keras.utils.image_dataset_from_directory(
    folder,
    labels=None,
    image_size=(int(height), int(width)),
    batch_size=32,
    shuffle=False,
    verbose=False,
).prefetch(tf.data.AUTOTUNE)
# The model takes whole numbers, as image_dataset_from_directory has read them from the file.
images = images.map(lambda batch: tf.cast(tf.round(batch), tf.uint8))
model.predict(images.take(1), verbose=0)
begin, processor = time.perf_counter(), time.process_time()
found = model.predict(images, verbose=0)
seconds, processor_seconds = time.perf_counter() - begin, time.process_time() - processor
print(
    json.dumps({"images": len(found), "seconds": seconds, "processor_seconds": processor_seconds})
)
