"""Small Keras models of every kind, with the expected source of their logits, for the tests of `Classifier`."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (6, 6, 2)
CLASSES = 4
IMAGES = np.random.default_rng(1).uniform(size=(11, *SHAPE)).astype(np.float32)
LABELS = np.arange(11) % CLASSES
FACTS = {"input_shape": SHAPE, "num_classes": CLASSES}


def dense(**options):
    return keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.RandomNormal(stddev=2, seed=3), **options)


def body():
    return [
        keras.layers.Conv2D(3, 3, activation="relu", name="first"),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(5, 3, name="last"),
        keras.layers.ReLU(name="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.GlobalAveragePooling2D(name="pool"),
    ]


def sequential(*head):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(SHAPE), *body(), *head])


def residual(*head):
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(5, 3, name="main1", padding="same")(x)
    x = keras.layers.Conv2D(5, 3, name="main2", padding="same")(x)
    x = keras.layers.Add()([x, keras.layers.Conv2D(5, 1, name="shortcut")(inputs)])
    x = keras.layers.Flatten()(x)
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x)


def nested():
    """The head is a nested model, which is called twice."""
    head = keras.Sequential([keras.Input((5,)), dense(), keras.layers.Softmax()])
    head(keras.Input((5,)))
    return sequential(head)


class Subclassed(keras.Model):
    def __init__(self, activation, closed=False):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.parts = [*body(), dense(activation=activation)]
        self.closed = closed

    def call(self, x, training=None):
        if self.closed:  # TensorFlow refuses symbolic tensors, so the graph cannot be traced
            x = tf.identity(x)
        for layer in self.parts:
            x = layer(x, training=training) if "training" in layer._call_signature.parameters else layer(x)
        return x


def subclassed(activation=None, closed=False):
    model = Subclassed(activation, closed)
    model(IMAGES)
    return model


def half():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return sequential(dense(), keras.layers.Activation("softmax", dtype="float32"))
    finally:
        keras.config.set_dtype_policy("float32")


CUT = "softmax of the last layer cut off"
LAYER = "softmax layer cut off"
LOG = "log of the probabilities: gradients vanish where they saturate"
TAKEN = "outputs taken for logits, since their rows do not sum to one"
KINDS = {
    "linear": (lambda: sequential(dense()), "linear head"),
    "softmax activation": (lambda: sequential(dense(activation="softmax")), CUT),
    "softmax layer": (lambda: sequential(dense(), keras.layers.Softmax()), LAYER),
    "activation layer": (lambda: sequential(dense(), keras.layers.Activation("softmax")), LAYER),
    "softmax, then float32": (
        lambda: sequential(dense(activation="softmax"), keras.layers.Activation("linear", dtype="float32")),
        CUT,
    ),
    "functional": (lambda: residual(dense(activation="softmax")), CUT),
    "softmax operation": (lambda: residual(dense(), keras.ops.softmax), LAYER),
    "nested": (nested, "softmax layer cut off (in a nested model)"),
    "subclassed, linear": (subclassed, "linear head"),
    "subclassed, softmax": (lambda: subclassed("softmax"), CUT),
    "closed, linear": (lambda: subclassed(None, True), TAKEN),
    "closed, softmax": (lambda: subclassed("softmax", True), LOG),
    "mixed_bfloat16": (half, LAYER),
}


def assert_same_logits(logits, outputs, atol=2e-5):
    """Logits are equal up to a constant per row; `outputs` are logits or probabilities."""
    outputs = np.asarray(outputs, np.float64)
    true = np.log(outputs) if np.allclose(outputs.sum(-1), 1, atol=1e-4) else outputs
    difference = logits - true
    np.testing.assert_allclose(difference - difference.mean(-1, keepdims=True), 0, atol=atol)


def linear(x):
    return tf.reshape(x, (-1, 72)) @ tf.constant(np.linspace(-1, 1, 288, dtype=np.float32).reshape(72, 4))
