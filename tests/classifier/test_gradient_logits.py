"""`gradient_logits`, for every kind of model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.importing import load_classifier

SHAPE = (6, 5, 2)
IMAGES = np.random.default_rng(1).uniform(size=(7, *SHAPE)).astype(np.float32)
L = keras.layers
ITSELF, FOLDED = "the model itself", "batch norm folded"


def sequential(*head, norm=True):
    keras.utils.set_random_seed(0)
    body = [L.Conv2D(4, 3, use_bias=False), *([L.BatchNormalization()] if norm else []), L.ReLU(), L.Flatten()]
    model = keras.Sequential([keras.Input(SHAPE), *body, *head])
    for weight in model.non_trainable_weights:
        weight.assign(np.linspace(0.5, 1.5, *weight.shape))
    return model


class Subclassed(keras.Model):
    def __init__(self, closed):
        super().__init__()
        self.body, self.closed = sequential(L.Dense(4)), closed

    def call(self, x, training=None):
        return self.body(tf.identity(x) if self.closed else x, training=training)


def subclassed(closed):
    model = Subclassed(closed)
    model(IMAGES)
    return model


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="softmax")])
    return sequential(L.Dense(4), inner)


class Overriding(keras.Sequential):
    """Its graph is not what it computes."""

    def call(self, x, training=None, mask=None):
        return 3.0 * super().call(x, training=training)


def overriding():
    return Overriding([keras.Input(SHAPE), *sequential(L.Dense(4)).layers])


MODELS = {
    "linear": (lambda: sequential(L.Dense(4)), FOLDED),
    "softmax activation": (lambda: sequential(L.Dense(4, activation="softmax")), FOLDED),
    "softmax layer": (lambda: sequential(L.Dense(4), L.Softmax()), FOLDED),
    "nested softmax": (nested, FOLDED),
    "relu at the end": (lambda: sequential(L.Dense(4), L.ReLU()), FOLDED),
    "subclassed": (lambda: subclassed(False), FOLDED),
    "closed": (lambda: subclassed(True), ITSELF),
    "overriding": (overriding, ITSELF),
    "without batch norm": (lambda: sequential(L.Dense(4), norm=False), ITSELF),
}


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_logits_are_the_logits(kind):
    make, source = MODELS[kind]
    classifier = Classifier.from_keras(make())
    assert (classifier.gradient_source, classifier.exact_gradients) == (ITSELF, True)
    np.testing.assert_array_equal(classifier.gradient_logits(IMAGES), classifier.logits(IMAGES))
    copy = classifier.accelerated()
    assert (copy.gradient_source, copy.exact_gradients) == (source, True)
    assert copy.gradient_logits(IMAGES).dtype == tf.float32
    np.testing.assert_allclose(copy.gradient_logits(IMAGES), classifier.logits(IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(copy.logits(IMAGES), classifier.logits(IMAGES))


def test_outputs_declared_to_be_logits_have_a_copy():
    for outputs in (L.Dense(4), L.Dense(4, activation="softmax")):
        copy = Classifier.from_keras(sequential(outputs), outputs="logits").accelerated()
        assert copy.gradient_source == FOLDED
        np.testing.assert_allclose(copy.gradient_logits(IMAGES), copy.logits(IMAGES), rtol=1e-4, atol=1e-5)


def test_all_else_is_the_same():
    classifier = Classifier.from_keras(sequential(L.Dense(4)))
    copy = classifier.accelerated(precision="bfloat16")
    assert copy is not classifier
    for name in ("bounds", "num_classes", "input_shape", "logits_source", "differentiable"):
        assert getattr(copy, name) == getattr(classifier, name)
    np.testing.assert_array_equal(copy.predict(IMAGES), classifier.predict(IMAGES))
    np.testing.assert_array_equal(copy.features(IMAGES), classifier.features(IMAGES))
    assert not copy.exact_gradients
    assert copy.gradient_source == "batch norm folded, bfloat16"
    again = copy.accelerated(fold_batch_norm=False)
    assert (again.gradient_source, again.exact_gradients) == (ITSELF, True)
    np.testing.assert_array_equal(again.gradient_logits(IMAGES), again.logits(IMAGES))


def test_repr_tells_of_a_copy():
    classifier = Classifier.from_keras(sequential(L.Dense(4)))
    assert "gradient_source" not in repr(classifier)
    assert repr(classifier.accelerated()).endswith(", gradient_source='batch norm folded')")


def test_functions_serve_themselves():
    weights = tf.constant(np.linspace(-1, 1, 240, dtype=np.float32).reshape(60, 4))

    def linear(x):
        return tf.reshape(x, (-1, 60)) @ weights

    facts = {"input_shape": SHAPE, "num_classes": 4, "outputs": "logits"}
    function = Classifier.from_callable(linear, **facts)
    black_box = Classifier.from_predict(lambda x: np.asarray(linear(x)), **facts)
    for classifier in (function, black_box):
        copy = classifier.accelerated(precision="bfloat16")
        assert (copy.gradient_source, copy.exact_gradients) == (ITSELF, True)
        np.testing.assert_array_equal(copy.gradient_logits(IMAGES), linear(IMAGES))


def test_files(tmp_path):
    model = sequential(L.Dense(4))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "saved", verbose=False)
    assert load_classifier(tmp_path / "model.keras").accelerated().gradient_source == FOLDED
    saved = load_classifier(tmp_path / "saved").accelerated(precision="bfloat16")
    assert saved.gradient_source == ITSELF
    np.testing.assert_allclose(saved.gradient_logits(IMAGES), model(IMAGES, training=False), rtol=1e-4, atol=1e-5)


def test_refuses_other_precisions():
    with pytest.raises(UserError, match=r"float32.*bfloat16.*'float16'"):
        Classifier.from_keras(sequential(L.Dense(4))).accelerated(precision="float16")
