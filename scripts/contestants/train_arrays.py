"""Train on arrays of images, by hand, and print seconds, images/s and accuracy.

    python scripts/contestants/train_arrays.py ARRAYS.npz tutorial EPOCHS
    python scripts/contestants/train_arrays.py ARRAYS.npz keras|torch STEPS

`tutorial` is the network of the TensorFlow tutorial with a bare `fit`. `keras` and `torch` take
steps of the network of configs/cifar10_fast.yaml, with plain SGD and without augmentation; torch
keeps its tensors in channels_last. Neither counts its first steps, in which graphs are built.
"""

import json
import os
import sys
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
file, kind, number = sys.argv[1:]
arrays = np.load(file)
images, labels = arrays["train_images"], arrays["train_labels"]
BATCH, UNTIMED_STEPS = 256, 20
FIRST, WIDTHS = 16, (32, 64, 128)  # filters of the first convolution and of the three stages


def tutorial():
    """Train the tutorial's network for some epochs."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    begin = time.perf_counter()
    model.fit(images / np.float32(255), labels, epochs=int(number), verbose=0)
    seconds = time.perf_counter() - begin
    held_out = arrays["test_images"] / np.float32(255)
    accuracy = model.evaluate(held_out, arrays["test_labels"], verbose=0, return_dict=True)
    return {
        "accuracy": accuracy["accuracy"],
        "seconds": seconds,
        "images_per_second": int(number) * len(images) / seconds,
        "parameters": model.count_params(),
    }


def keras_steps():
    """Take steps with `fit`."""
    import keras
    from keras import layers

    def norm(tensor):
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(tensor))

    def conv(filters, tensor, **arguments):
        return layers.Conv2D(filters, 3, padding="same", use_bias=False, **arguments)(tensor)

    image = keras.Input((32, 32, 3), dtype="uint8")
    tensor = layers.Rescaling(1 / 255)(image)
    tensor = norm(layers.Conv2D(FIRST, 2, use_bias=False)(tensor))
    for filters in WIDTHS:
        tensor = norm(layers.MaxPooling2D()(conv(filters, tensor)))
        tensor = norm(conv(filters, tensor))
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(tensor)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(*batch_of(UNTIMED_STEPS), batch_size=BATCH, verbose=0)
    begin = time.perf_counter()
    model.fit(*batch_of(int(number)), batch_size=BATCH, verbose=0)
    return speed(begin, model.count_params())


def torch_steps():
    """Take steps in a plain loop."""
    import torch
    from torch import nn

    def conv(inputs, filters):
        return nn.Conv2d(inputs, filters, 3, padding=1, bias=False)

    def norm(filters):
        return [nn.BatchNorm2d(filters, momentum=0.1), nn.ReLU()]

    parts, inputs = [nn.Conv2d(3, FIRST, 2, bias=False), *norm(FIRST)], FIRST
    for filters in WIDTHS:
        parts += [conv(inputs, filters), nn.MaxPool2d(2), *norm(filters)]
        parts += [conv(filters, filters), *norm(filters)]
        inputs = filters
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
    loss = nn.CrossEntropyLoss()

    def take(steps):
        pixels, targets = batch_of(steps)
        for start in range(0, len(pixels), BATCH):
            batch = torch.from_numpy(pixels[start : start + BATCH]).permute(0, 3, 1, 2)
            batch = batch.float().div_(255).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            wanted = torch.from_numpy(targets[start : start + BATCH]).long()
            loss(model(batch), wanted).backward()
            optimizer.step()

    take(UNTIMED_STEPS)
    begin = time.perf_counter()
    take(int(number))
    # As Keras counts them: batch normalisation has two averages per channel.
    statistics = sum(2 * m.num_features for m in model if isinstance(m, nn.BatchNorm2d))
    return speed(begin, sum(p.numel() for p in model.parameters()) + statistics)


def batch_of(steps):
    """Return images and labels of some steps, from the beginning of the training images."""
    rows = np.arange(steps * BATCH) % len(images)
    return images[rows], labels[rows]


def speed(begin, parameters):
    """Return what is printed, for steps that began at a time."""
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "images_per_second": int(number) * BATCH / seconds,
        "parameters": parameters,
    }


functions = {"tutorial": tutorial, "keras": keras_steps, "torch": torch_steps}
print(json.dumps(functions[kind]()))
