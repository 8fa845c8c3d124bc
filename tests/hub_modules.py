"""Small modules of TF Hub, models on top of them, and what changes in a training."""

from __future__ import annotations

import numpy as np

from cnnkit.backend import keras, tf

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), dtype=np.uint8)
LABELS = np.arange(8) % 3


class SmallModule(tf.Module):
    """A convolution, batch normalisation and a mean, with the interface of TF Hub.

    It has four variables: the kernel and the offset learn, the two averages do not.
    """

    def __init__(self, *, uint8=False):
        super().__init__()
        draw = np.random.default_rng(1).normal(size=(3, 3, 3, 5)).astype(np.float32)
        self.kernel = tf.Variable(draw, name="conv/kernel")
        self.offset = tf.Variable(tf.fill([5], 0.5), name="norm/offset")
        self.mean = tf.Variable(tf.fill([5], 0.1), trainable=False, name="norm/mean")
        self.variance = tf.Variable(tf.fill([5], 2.0), trainable=False, name="norm/variance")
        self.regularization_losses = [self.loss]
        self.spec = tf.TensorSpec((None, 12, 12, 3), tf.uint8 if uint8 else tf.float32, "inputs")

    @tf.function(input_signature=[])
    def loss(self):
        return 0.01 * tf.reduce_sum(self.kernel**2)

    def features(self, inputs, training):
        maps = tf.nn.conv2d(tf.cast(inputs, tf.float32), self.kernel, 1, "VALID")
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(maps, [0, 1, 2])
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            self.variance.assign(0.9 * self.variance + 0.1 * variance)
        maps = (maps - mean) / tf.sqrt(variance + 1e-3) + self.offset
        return tf.reduce_mean(tf.nn.relu(maps), [1, 2])


class TrainableModule(SmallModule):
    @tf.function
    def __call__(self, inputs, training=False):
        return self.features(inputs, training)


class ModuleWithoutTraining(SmallModule):
    @tf.function
    def __call__(self, inputs):
        return self.features(inputs, False)


class MapsModule(SmallModule):
    """Its features are maps (10, 10, 5)."""

    @tf.function
    def __call__(self, inputs):
        return tf.nn.relu(tf.nn.conv2d(inputs, self.kernel, 1, "VALID"))


def save_module(module, folder):
    """Trace and save a module, and return its folder."""
    if isinstance(module, TrainableModule):
        for training in (False, True):
            module.__call__.get_concrete_function(module.spec, training=training)
    elif isinstance(module, ModuleWithoutTraining | MapsModule):
        module.__call__.get_concrete_function(module.spec)
    signature = getattr(module, "serve", None)
    signatures = signature and {"serving_default": signature.get_concrete_function(module.spec)}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def classifier_on(backbone):
    """Return a whole model, like those of `build_model`."""
    keras.utils.set_random_seed(0)
    image = keras.Input(backbone.input_shape[1:], dtype="uint8")
    output = keras.layers.Dense(3, activation="softmax")(backbone(image, training=False))
    return keras.Model(image, output)


def fit_model(model, images=IMAGES, labels=LABELS, epochs=2):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    return model.fit(images, labels, epochs=epochs, batch_size=4, verbose=0).history["loss"]


def hub_weights(backbone):
    layer = backbone.get_layer("hub_module")
    names = [variable.name for variable in layer.weights]
    return dict(zip(names, (variable.numpy().copy() for variable in layer.weights), strict=True))


def changed_weights(before, backbone):
    after = hub_weights(backbone)
    return {name for name, value in before.items() if not np.array_equal(value, after[name])}


def answers_of(model, images=IMAGES):
    return np.asarray(model(images, training=False))
