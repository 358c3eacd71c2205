"""The gradient-reversal layer and its schedule (Ganin and Lempitsky 2015, arXiv 1409.7495)."""

from typing import Any

import keras
import tensorflow as tf

from tfinv.errors import expected


@tf.custom_gradient
def reverse_gradient(x: tf.Tensor, scale: tf.Tensor) -> Any:
    """Returns x unchanged; its gradient is multiplied by -scale.

    Ganin and Lempitsky 2015, eqs. 14 and 15: R(x) = x, dR/dx = -scale I.

    Args:
      x: (batch, ...) of a floating type.
      scale: scalar, or (batch,): one factor per example, whatever the rank of x. It gets no gradient.

    Returns:
      x, unchanged.
    """

    scale = tf.cast(scale, tf.float32)

    def gradient(upstream):
        shape = tf.concat([tf.shape(scale), tf.ones([tf.rank(upstream) - tf.rank(scale)], tf.int32)], 0)
        factor = tf.reshape(scale, tf.where(tf.rank(scale) == 0, tf.ones_like(shape), shape))
        # In float32, then back: under mixed precision a small scale times a small gradient would underflow.
        return tf.cast(-factor * tf.cast(upstream, tf.float32), upstream.dtype), None

    return tf.identity(x), gradient


@keras.saving.register_keras_serializable(package="tfinv")
class DannRamp(keras.optimizers.schedules.LearningRateSchedule):
    """Ramp from 0 to `high` (Ganin and Lempitsky 2015, section 5.2.2): high * (2 / (1 + exp(-gamma p)) - 1).

    Args:
      steps: training steps until the progress p reaches 1; later it stays there.
      high: the limit of the ramp (at p = 1 and gamma = 10 it is 0.99991 of it).
      gamma: steepness.

    Raises:
      UserError: steps is below 1.
    """

    def __init__(self, steps: int, high: float = 1.0, gamma: float = 10.0):
        if steps < 1:
            raise expected("steps of at least 1", steps, "Change the argument `steps`.")
        self.steps, self.high, self.gamma = steps, high, gamma

    def __call__(self, step):
        """Returns the scale after `step` steps."""
        progress = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return self.high * (2.0 / (1.0 + tf.exp(-self.gamma * progress)) - 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"steps": self.steps, "high": self.high, "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="tfinv")
class GradientReversal(keras.layers.Layer):
    """Identity in the forward pass; multiplies the gradient by -scale in the backward pass.

    The scale is a non-trainable weight, so that a compiled `fit` sees it change.

    Args:
      scale: a number, or a `LearningRateSchedule` (such as `DannRamp`) of the number of calls with training=True.
        Negative values make the gradient a positive multiple: -1 is an ordinary connection.
    """

    def __init__(self, scale: float | keras.optimizers.schedules.LearningRateSchedule = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.schedule = scale if isinstance(scale, keras.optimizers.schedules.LearningRateSchedule) else None
        self._initial = 0.0 if self.schedule else float(scale)
        self.supports_masking = True
        self.autocast = False  # else half precision would round a scale that is passed to `call`
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(float(self.schedule(0)) if self.schedule else self._initial),
            trainable=False,
            autocast=False,
        )
        self.calls = self.add_weight(
            name="calls", shape=(), dtype="int64", initializer="zeros", trainable=False, autocast=False
        )

    def call(self, inputs, scale=None, training=None):
        """Applies the layer.

        Args:
          inputs: (batch, ...).
          scale: a tensor, () or (batch,), that replaces the layer's scale in this call; None for the layer's scale.
          training: True advances the schedule by one step.
        """
        if training and self.schedule is not None:
            self.scale.assign(tf.cast(self.schedule(self.calls.value), tf.float32))
            self.calls.assign_add(1)
        return reverse_gradient(inputs, tf.cast(self.scale.value if scale is None else scale, tf.float32))

    def compute_output_spec(self, inputs, scale=None, training=None):
        """Returns the input's shape and type."""
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        scale = keras.optimizers.schedules.serialize(self.schedule) if self.schedule is not None else self._initial
        return super().get_config() | {"scale": scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GradientReversal":
        """Rebuilds the layer, its schedule included."""
        config = dict(config)
        if isinstance(config["scale"], dict):
            config["scale"] = keras.saving.deserialize_keras_object(config["scale"])
        return cls(**config)
