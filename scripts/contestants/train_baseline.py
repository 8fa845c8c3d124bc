"""Train a plain Keras network on a folder of train, validation and test, and print its accuracies.

It is the script that one would write first: `image_dataset_from_directory`, three convolutions with
pooling, dropout, one dense layer, and Adam. The weights of the last epoch are used. Small images
need `same` padding, because three `valid` convolutions with pooling leave nothing of 8 x 8 pixels.

    python scripts/contestants/train_baseline.py FOLDER HEIGHT WIDTH rgb|grayscale SEED EPOCHS
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras import layers

folder, height, width, color_mode, seed, epochs = sys.argv[1:]
image_size = (int(height), int(width))
keras.utils.set_random_seed(int(seed))

training, validation, test = (
    keras.utils.image_dataset_from_directory(
        f"{folder}/{split}", label_mode="int", batch_size=32, image_size=image_size,
        color_mode=color_mode, shuffle=split == "train", seed=int(seed), follow_links=True,
        verbose=False,
    )
    for split in ("train", "validation", "test")
)  # fmt: skip
padding = "same" if min(image_size) < 24 else "valid"
model = keras.Sequential(
    [
        keras.Input((*image_size, 1 if color_mode == "grayscale" else 3)),
        layers.Rescaling(1 / 255),
        layers.RandomRotation(0.05),
        layers.RandomZoom(0.1),
        layers.Conv2D(32, 3, padding=padding, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding=padding, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(128, 3, padding=padding, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(128, activation="relu"),
        layers.Dense(len(training.class_names), activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(
    training.cache().prefetch(2), validation_data=validation.cache(), epochs=int(epochs), verbose=0
)
metrics = {
    name: {"accuracy": model.evaluate(images, verbose=0, return_dict=True)["accuracy"]}
    for name, images in (("validation", validation), ("test", test))
}
print(json.dumps({"metrics": metrics, "parameters": model.count_params()}))
