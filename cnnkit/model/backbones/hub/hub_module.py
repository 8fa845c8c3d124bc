"""A Keras 3 layer that runs, trains and saves a SavedModel."""

from __future__ import annotations

from typing import Any

from cnnkit.backend import keras, tf
from cnnkit.errors import UsageError
from cnnkit.model.backbones.hub.endpoint import endpoint_of
from cnnkit.model.backbones.hub.packed_module import load_module, unpacked_module


@keras.saving.register_keras_serializable("cnnkit")
class HubModule(keras.layers.Layer):
    """A SavedModel as one layer, with its variables as Keras weights.

    The layer's config contains the module, so that a `.keras` file needs no other file. While the
    layer learns, the variables learn that the module itself marks as trainable.

    The module runs in training mode only if three things hold: the layer is trainable, it is called
    for training, and its attribute `batch_norm` is "training". Calling the layer with
    `training=False` is not enough: Keras records that in a functional model, but `fit`
    overrides it.

    Args:
        packed: the text from `pack_module`.
        sha256: of that text.
        feature_shape: shape of the features of one image; None if the module states it itself.
        signature: the signature to use instead of `__call__`.
        module: the loaded module with its weights; None to load it, without weights, from the text.
        trainable: whether the layer learns.
        batch_norm: `inference`, so that batch normalisation keeps its averages, or `training`.
        **arguments: of `keras.layers.Layer`.

    Raises:
        UsageError: the text is damaged or not trusted, or a signature should learn.
    """

    def __init__(
        self,
        packed: str,
        sha256: str,
        *,
        feature_shape: tuple[int, ...] | None = None,
        signature: str | None = None,
        module: Any = None,
        trainable: bool = False,
        batch_norm: str = "inference",
        **arguments: Any,
    ) -> None:
        # A SavedModel was traced for its own types, so mixed precision must not change the input.
        super().__init__(autocast=False, **arguments)
        self.supports_jit = False  # XLA cannot compile every operation that a module may have
        self.batch_norm = batch_norm
        if module is None:  # Keras loads a file: it fills in the weights afterwards
            with unpacked_module(packed, sha256) as folder:
                module = load_module(folder, "the module inside the model")
        self._packed, self._sha256, self._signature = packed, sha256, signature
        self._feature_shape = feature_shape and tuple(feature_shape)
        endpoint = endpoint_of(module, signature)
        self._module = _Untracked(module, endpoint)
        # Learning rates are found by the path of a variable, which begins with this name.
        with keras.name_scope(self.name):
            self._module_variables = [
                keras.Variable(
                    variable,
                    shape=variable.shape,
                    dtype=variable.dtype.name,
                    trainable=learns,
                    name=variable.name.split(":")[0].replace("/", "_"),
                )
                for variable, learns in zip(endpoint.variables, endpoint.trainable, strict=True)
            ]
        if trainable:
            self.check_can_train()
        # Last, because the setter passes the value on to the variables.
        self.trainable = trainable

    @property
    def endpoint(self) -> Any:
        """The function of the module that the layer calls."""
        return self._module.endpoint

    @property
    def module(self) -> Any:
        """The loaded SavedModel; the layer's functions only work while it exists."""
        return self._module.loaded

    @property
    def trainable(self) -> bool:
        """Whether the layer learns."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value:
            self.check_can_train()
        keras.layers.Layer.trainable.fset(self, value)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the features of images, whose size and values must be those of the module."""
        endpoint = self.endpoint
        # All three, see the docstring of the class.
        learns = self.trainable and bool(training) and self.batch_norm == "training"
        features = endpoint.run(tf.cast(images, endpoint.image.dtype), learns)
        if self._feature_shape is not None:
            features = tf.ensure_shape(features, (None, *self._feature_shape))
        if self.trainable:
            for loss in endpoint.losses:
                self.add_loss(loss())
        return features

    def check_can_train(self) -> None:
        """Refuse to learn if the module has only a function for inference.

        Raises:
            UsageError: the module has no other function.
        """
        if not self.endpoint.can_train:
            raise UsageError(
                "model.backbone.hub: this module cannot learn, because only its signature "
                f"{self.endpoint.name} can be used, which is a function for inference. Train the "
                "head alone (train: head), or use a TF2 module with a __call__."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor; `packed` is the module itself."""
        return {
            **super().get_config(),
            "packed": self._packed,
            "sha256": self._sha256,
            "feature_shape": self._feature_shape,
            "signature": self._signature,
            "batch_norm": self.batch_norm,
        }


class _Untracked:
    """Hide the module from Keras and TensorFlow, which would take its variables for weights."""

    def __init__(self, loaded: Any, endpoint: Any) -> None:
        self.loaded, self.endpoint = loaded, endpoint
