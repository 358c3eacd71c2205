"""The copy for gradients gives the model's logits and gradients, in fewer operations, and leaves the model alone."""

import collections
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from batch_norm_models import BODIES, FOLDED, IMAGES, SHAPE, L, conv, functional, sequence, value_and_gradient
from tfinv.classifier import GRADIENTS, Classifier, graphs
from tfinv.classifier.acceleration import copy as acceleration
from tfinv.errors import UserError


def count_calls(monkeypatch):
    """Counts the calls of batch norm in Keras, and of its replacement."""
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


def state(model):
    """Everything in a model that a copy could change."""
    layers = list(model._flatten_layers())
    nodes = [(len(x._inbound_nodes), len(x._outbound_nodes)) for x in layers]
    return nodes, [w.numpy().tolist() for w in model.weights], [getattr(x, "activation", None) for x in layers]


@pytest.mark.parametrize("name", BODIES)
def test_folding_is_exact(name, monkeypatch):
    body, norms, scales = BODIES[name]
    model = functional(body)
    classifier = Classifier.from_keras(model)
    before, drawn = state(model), random.getstate()
    calls = count_calls(monkeypatch)
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
    sources = {name: classifier.with_gradients(name).gradient_source for name in GRADIENTS[1:]}
    assert sources == {"folded": FOLDED, "bfloat16": f"{FOLDED}, bfloat16"}
    with pytest.raises(UserError, match=r"Expected gradients among plain, folded, bfloat16\. Received: 'half'"):
        classifier.with_gradients("half")


def dtypes(fn):
    """The precisions of the convolutions and matrix products of a function."""
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
    calls = count_calls(monkeypatch)
    copy.gradient_logits(IMAGES)
    assert calls["call"] == 1


def test_a_copy_that_is_another_function_is_not_used():
    model = functional(BODIES["convolution"][0])
    graph = graphs.trace(model, SHAPE)

    def copy(logits, precision="float32"):
        return acceleration.copy_for_gradients((graph,), logits, IMAGES, precision=precision)

    scale = float(np.ptp(model(IMAGES)))
    assert copy(lambda x: model(x) + 5e-4 * scale).source == FOLDED
    assert copy(lambda x: model(x) + 2e-3 * scale) is None
    assert copy(lambda x: model(x)[:, :3]) is None
    # Half precision is given up for single precision, and folding in half precision if it fails in single.
    assert copy(lambda x: model(x) + 2e-3 * scale, "bfloat16").source == "bfloat16"
    assert copy(lambda x: model(x) + 0.2 * scale, "bfloat16") is None


def test_a_copy_without_gradient_is_not_used():
    for operation, used in ((keras.ops.tanh, True), (keras.ops.stop_gradient, False)):
        model = functional(sequence(conv(), L.BatchNormalization(), operation))
        copy = acceleration.copy_for_gradients((graphs.trace(model, SHAPE),), model, IMAGES)
        assert (copy is not None) == used
