"""The copy for gradients gives the model's logits and gradients, in fewer operations, and leaves the model alone."""

import collections
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import acceleration, graphs
from tfinv.classifier import GRADIENTS, Classifier
from tfinv.errors import UserError

SHAPE = (8, 6, 3)
IMAGES = np.random.default_rng(1).uniform(size=(5, *SHAPE)).astype(np.float32)
L = keras.layers
FOLDED, REARRANGED = "batch norm folded", "one-channel convolution rearranged"


@keras.saving.register_keras_serializable("tests")
class Double(L.Layer):
    """A layer of a stranger, which insists on its own precision."""

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
    """Calls whose mode is written into the graph, which `training=False` overrules."""
    x = L.Dropout(0.5)(conv()(x), training=True)
    return L.BatchNormalization()(L.GaussianNoise(1.0)(x, training=True), training=True)


# What the body is, how many batch norms are left after folding: of Keras, and as scale and shift.
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


def counted(monkeypatch):
    """How often each operation of interest runs in TensorFlow or in Keras."""
    calls = collections.Counter()

    def count(owner, name):
        old = getattr(owner, name)

        def new(*args, **kwargs):
            calls[name] += 1
            return old(*args, **kwargs)

        monkeypatch.setattr(owner, name, new)

    count(L.BatchNormalization, "call")
    count(acceleration.fast_ops, "scale_and_shift")
    return calls


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


def state(model):
    """All of a model that a copy could disturb."""
    layers = list(model._flatten_layers())
    nodes = [(len(x._inbound_nodes), len(x._outbound_nodes)) for x in layers]
    return nodes, [w.numpy().tolist() for w in model.weights], [getattr(x, "activation", None) for x in layers]


@pytest.mark.parametrize("name", BODIES)
def test_folding_is_exact(name, monkeypatch):
    body, norms, scales = BODIES[name]
    model = functional(body)
    classifier = Classifier.from_keras(model)
    before, drawn = state(model), random.getstate()
    calls = counted(monkeypatch)
    copy = classifier.accelerated()
    assert calls["scale_and_shift"] == scales
    assert (copy.gradient_source, copy.exact_gradients) == ("the model itself" if norms else FOLDED, True)
    assert state(model) == before
    assert random.getstate() == drawn
    logits, gradient = value_and_gradient(classifier.logits)
    calls.clear()
    copied, copied_gradient = value_and_gradient(copy.gradient_logits)
    assert calls["call"] == norms
    assert copied_gradient.dtype == np.float32
    np.testing.assert_allclose(copied, logits, atol=1e-5 * np.ptp(logits))
    np.testing.assert_allclose(copied_gradient, gradient, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("name", BODIES)
def test_half_precision_is_near(name):
    classifier = Classifier.from_keras(functional(BODIES[name][0]))
    copy = classifier.accelerated(precision="bfloat16")
    assert copy.gradient_source == ("bfloat16" if BODIES[name][1] else f"{FOLDED}, bfloat16")
    assert not copy.exact_gradients
    (logits, gradient), (copied, copied_gradient) = map(value_and_gradient, (classifier.logits, copy.gradient_logits))
    assert (copied.dtype, copied_gradient.dtype) == (np.float32, np.float32)
    assert 0 < np.abs(copied - logits).max() < 0.05 * np.ptp(logits)
    cosine = np.sum(gradient * copied_gradient) / np.linalg.norm(gradient) / np.linalg.norm(copied_gradient)
    assert cosine > 0.99


def test_gradients_by_name_are_those_of_a_copy():
    classifier = Classifier.from_keras(functional(sequence(conv(), L.BatchNormalization(), L.Flatten(), L.Dense(5))))
    assert classifier.with_gradients("plain") is classifier
    found = {how: classifier.with_gradients(how).gradient_source for how in GRADIENTS[1:]}
    assert found == {"folded": FOLDED, "bfloat16": f"{FOLDED}, bfloat16"}
    with pytest.raises(UserError, match=r"Expected gradients among plain, folded, bfloat16\. Received: 'half'"):
        classifier.with_gradients("half")


def dtypes(fn):
    """The precisions in which the convolutions and matrix products of a function run."""
    graph = tf.function(fn).get_concrete_function(tf.TensorSpec((None, *SHAPE))).graph
    kinds = ("Conv2D", "MatMul")
    return [(op.type, op.outputs[0].dtype.name) for op in graph.get_operations() if op.type in kinds]


def test_both_ends_stay_in_single_precision_and_weights_between_are_stored_in_half():
    classifier = Classifier.from_keras(functional(sequence(conv(), L.BatchNormalization(), L.Flatten(), L.Dense(5))))
    copy = classifier.accelerated(precision="bfloat16")
    assert dtypes(copy.gradient_logits) == [("Conv2D", "float32"), ("MatMul", "bfloat16"), ("MatMul", "float32")]
    assert {dtype for _, dtype in dtypes(copy.logits)} == {"float32"}
    graph = tf.function(copy.gradient_logits).get_concrete_function(tf.TensorSpec((None, *SHAPE))).graph
    assert sorted(v.dtype.name for v in graph.variables) == ["bfloat16"] * 2 + ["float32"] * 4


def test_preprocessing_stays_in_single_precision():
    """A difference that half precision cannot hold: 200 and 200.4 are the same bfloat16."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), L.Rescaling(1.0, -200.0), conv(), L.Flatten(), L.Dense(4)]
    copy = Classifier.from_keras(keras.Sequential(layers), bounds=(200, 200.4)).accelerated(precision="bfloat16")
    logits, copied = copy.logits(200 + IMAGES * 0.4), copy.gradient_logits(200 + IMAGES * 0.4)
    np.testing.assert_allclose(copied, logits, atol=0.02 * np.ptp(logits))


def test_weights_are_those_of_the_call():
    model = functional(BODIES["convolution"][0])
    copies = [Classifier.from_keras(model).accelerated(precision=p) for p in ("float32", "bfloat16")]
    before = [copy.gradient_logits(IMAGES).numpy() for copy in copies]
    for weight in model.weights:
        weight.assign(weight * 3 + 1)
    for copy, old in zip(copies, before, strict=True):
        np.testing.assert_array_equal(copy.gradient_logits(IMAGES), old)
        assert np.abs(copy.logits(IMAGES) - old).max() > 1


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [(3, 3), (1, 4), (2, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_one_channel_convolution(padding, size, bias):
    layer = L.Conv2D(12, size, padding=padding, use_bias=bias, activation="tanh")
    classifier = Classifier.from_keras(functional(layer, (8, 6, 1)))
    copy = classifier.accelerated()
    assert copy.gradient_source == REARRANGED
    images = IMAGES[..., :1]
    pairs = zip(*(value_and_gradient(fn, images) for fn in (classifier.logits, copy.gradient_logits)), strict=True)
    for exact, copied in pairs:
        np.testing.assert_allclose(copied, exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize(
    "options", [{"strides": 2}, {"dilation_rate": 2}, {"filters": 8}], ids=["strides", "dilation", "few filters"]
)
def test_other_one_channel_convolutions_stay(options):
    layer = L.Conv2D(**{"filters": 12, "kernel_size": 3} | options)
    copy = Classifier.from_keras(functional(layer, (8, 6, 1))).accelerated()
    assert copy.gradient_source == "the model itself"


def test_second_derivatives_pass_through_the_rewritten_layers():
    body = sequence(L.Conv2D(12, 3, activation="tanh"), L.BatchNormalization(), L.Activation("tanh"))
    classifier = Classifier.from_keras(functional(body, (8, 6, 1)))
    copy = classifier.accelerated()
    assert copy.gradient_source == f"{FOLDED}, {REARRANGED}"
    x = tf.constant(IMAGES[..., :1])

    def second(fn):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(fn(x)[:, 0])
            slope = tf.reduce_sum(inner.gradient(total, x) ** 2)
        return outer.gradient(slope, x).numpy()

    expected = second(classifier.logits)
    np.testing.assert_allclose(second(copy.gradient_logits), expected, atol=1e-4 * np.abs(expected).max())


def with_policy(policy, make):
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_original_in_half_precision(precision):
    model = with_policy("mixed_bfloat16", lambda: functional(BODIES["convolution"][0]))
    copy = Classifier.from_keras(model).accelerated(precision=precision)
    assert copy.gradient_source == (FOLDED if precision == "float32" else f"{FOLDED}, bfloat16")
    assert not copy.exact_gradients  # not bit for bit the logits, which are as coarse
    logits = copy.logits(IMAGES)
    np.testing.assert_allclose(copy.gradient_logits(IMAGES), logits, atol=0.05 * np.ptp(logits))


def test_batch_norm_may_be_kept(monkeypatch):
    classifier = Classifier.from_keras(functional(BODIES["convolution"][0]))
    assert classifier.accelerated(fold_batch_norm=False).gradient_source == "the model itself"
    copy = classifier.accelerated(fold_batch_norm=False, precision="bfloat16")
    assert copy.gradient_source == "bfloat16"
    calls = counted(monkeypatch)
    copy.gradient_logits(IMAGES)
    assert calls["call"] == 1


def test_a_copy_that_is_another_function_is_not_used():
    model = functional(BODIES["convolution"][0])
    graph = graphs.trace(model, SHAPE)

    def copy(logits, precision="float32"):
        return acceleration.copy_for_gradients((graph,), logits, IMAGES, precision=precision)

    spread = float(np.ptp(model(IMAGES)))
    assert copy(lambda x: model(x) + 5e-4 * spread).source == FOLDED
    assert copy(lambda x: model(x) + 2e-3 * spread) is None
    assert copy(lambda x: model(x)[:, :3]) is None
    # Half precision is given up for single precision, and folding in half precision if it fails in single.
    assert copy(lambda x: model(x) + 2e-3 * spread, "bfloat16").source == "bfloat16"
    assert copy(lambda x: model(x) + 0.2 * spread, "bfloat16") is None


def test_a_copy_without_gradient_is_not_used():
    for operation, used in ((keras.ops.tanh, True), (keras.ops.stop_gradient, False)):
        model = functional(sequence(conv(), L.BatchNormalization(), operation))
        copy = acceleration.copy_for_gradients((graphs.trace(model, SHAPE),), model, IMAGES)
        assert (copy is not None) == used
