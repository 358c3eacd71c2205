"""Keras models with batch norm in every place, for the tests of `tfinv.classifier.acceleration`."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (8, 6, 3)
IMAGES = np.random.default_rng(1).uniform(size=(5, *SHAPE)).astype(np.float32)
L = keras.layers
FOLDED, REARRANGED = "batch norm folded", "one-channel convolution rearranged"


@keras.saving.register_keras_serializable("tests")
class Double(L.Layer):
    """A custom layer, which requires inputs in its own precision."""

    def call(self, x, training=True):
        assert x.dtype == self.compute_dtype
        return x * (100.0 if training else 2.0)


def conv(filters=4, **options):
    return L.Conv2D(filters, 3, **options)


def head(x):
    return L.Dense(4, name="logits")(L.Flatten()(x))


def functional(body, shape=SHAPE):
    """A model of what `body` makes of the images, with weights and statistics unlike the initial ones."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    return trained(keras.Model(inputs, head(body(inputs))))


def trained(model):
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(draw.uniform(0.5, 2, weight.shape))
        elif weight.path.endswith(("beta", "bias", "moving_mean")):
            weight.assign(draw.normal(size=weight.shape))
    return model


def sequence(*layers):
    def body(x):
        for layer in layers:
            x = layer(x)
        return x

    return body


def shared_convolution(x):
    """One convolution with two batch norms, and once with none: each call is another copy, or none."""
    layer = conv(3, padding="same")
    a = L.BatchNormalization()(layer(x))
    b = L.BatchNormalization()(layer(a))
    return L.Concatenate()([a, b, layer(b)])


def used_twice(x):
    """The convolution's output goes elsewhere too, so that its weights must stay."""
    y = conv(3, padding="same")(x)
    return L.Add()([L.BatchNormalization()(y), y, y])


def nested_twice(x):
    inner = keras.Sequential([keras.Input(SHAPE), conv(3, padding="same"), L.BatchNormalization(), L.ReLU()])
    return inner(inner(x)) + x


def two_outputs(x):
    a, b = keras.ops.split(conv(4)(x), 2, axis=-1)
    return L.BatchNormalization()(a) * b


def stochastic(x):
    """Calls whose training mode is fixed in the graph, which `training=False` overrides."""
    x = L.Dropout(0.5)(conv()(x), training=True)
    return L.BatchNormalization()(L.GaussianNoise(1.0)(x, training=True), training=True)


# The body, and the numbers of batch norms left after folding: as Keras layers, and as scale and shift.
BODIES = {
    "convolution": (sequence(conv(), L.BatchNormalization(), L.ReLU()), 0, 0),
    "no bias, groups, strides": (sequence(conv(6, groups=3, use_bias=False, strides=2), L.BatchNormalization()), 0, 0),
    "depthwise": (sequence(L.DepthwiseConv2D(3, depth_multiplier=2), L.BatchNormalization()), 0, 0),
    "depthwise without bias": (sequence(L.DepthwiseConv2D(3, use_bias=False), L.BatchNormalization()), 0, 0),
    "separable": (sequence(L.SeparableConv2D(5, 3), L.BatchNormalization()), 0, 0),
    "dense": (sequence(L.Flatten(), L.Dense(7), L.BatchNormalization(), L.ReLU()), 0, 0),
    "dense on maps": (sequence(L.Dense(7, use_bias=False), L.BatchNormalization()), 0, 0),
    "no scale": (sequence(conv(), L.BatchNormalization(scale=False)), 0, 0),
    "no center": (sequence(conv(), L.BatchNormalization(center=False)), 0, 0),
    "through dropout": (sequence(conv(), L.Dropout(0.5), L.Activation("linear"), L.BatchNormalization()), 0, 0),
    "stochastic calls": (stochastic, 0, 0),
    "after relu": (sequence(conv(activation="relu"), L.BatchNormalization()), 0, 1),
    "first of all": (sequence(L.BatchNormalization(), conv()), 0, 1),
    "two in a row": (sequence(conv(), L.BatchNormalization(), L.BatchNormalization()), 0, 1),
    "of vectors": (sequence(L.Flatten(), L.Dense(7, activation="tanh"), L.BatchNormalization()), 0, 1),
    "used twice": (used_twice, 0, 1),
    "shared convolution": (shared_convolution, 0, 0),
    "other axis": (sequence(conv(), L.BatchNormalization(axis=1)), 1, 0),
    "custom layer": (sequence(conv(), L.BatchNormalization(), Double(), conv(), Double()), 0, 0),
    "nested, twice": (nested_twice, 0, 0),
    "two outputs": (two_outputs, 0, 1),
    "rescaling": (sequence(L.Rescaling(2.0, -1.0), conv(), L.BatchNormalization()), 0, 0),
    "constrained": (
        sequence(conv(kernel_constraint="unit_norm", kernel_regularizer="l2"), L.BatchNormalization()),
        0,
        0,
    ),
    "own activation": (sequence(conv(activation=lambda x: x * x), L.BatchNormalization()), 0, 1),
}


def value_and_gradient(fn, images=IMAGES):
    x = tf.constant(images)

    @tf.function
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = fn(x)
            total = tf.reduce_sum(logits * tf.range(4.0))
        return logits, tape.gradient(total, x)

    return [part.numpy() for part in both(x)]
