"""Measure when each epoch of a training by hand-written Keras code ends.

The network, the augmentation and the settings are those of configs/dogs_vs_cats.yaml. The input
pipeline is that of the Keras guides: `image_dataset_from_directory`, `map`, `prefetch`, and `cache`
if requested. The times do not include importing TensorFlow; no weights are saved.

    python scripts/contestants/train_keras.py FOLDER EPOCHS [cache] [augmentation] [deterministic]
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from keras import layers

folder, epochs, *options = sys.argv[1:]
keras.utils.set_random_seed(0)
if "deterministic" in options:
    tf.config.experimental.enable_op_determinism()

begin = time.perf_counter()
training, validation = keras.utils.image_dataset_from_directory(
    folder, label_mode="binary", batch_size=32, image_size=(150, 150), seed=0,
    validation_split=0.2, subset="both", verbose=False,
)  # fmt: skip
num_images = len(training.file_paths)
if "cache" in options:
    training, validation = training.cache(), validation.cache()
if "augmentation" in options:
    augment = keras.Sequential(
        [layers.RandomFlip("horizontal"), layers.RandomRotation(0.05), layers.RandomZoom(0.1)]
    )
    training = training.map(
        lambda images, labels: (augment(images, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
training = training.prefetch(tf.data.AUTOTUNE)
validation = validation.prefetch(tf.data.AUTOTUNE)

model = keras.Sequential(
    [
        keras.Input((150, 150, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(128, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(128, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(512, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    keras.optimizers.Adam(0.0005),
    loss="binary_crossentropy",
    metrics=["accuracy"],
    jit_compile=False,
)
epoch_ends: list[float] = []
model.fit(
    training,
    validation_data=validation,
    epochs=int(epochs),
    verbose=0,
    callbacks=[
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: epoch_ends.append(time.perf_counter() - begin)
        )
    ],
)
facts = {
    "epoch_ends": epoch_ends, "num_images": num_images, "parameters": model.count_params(),
}  # fmt: skip
print(json.dumps(facts))
