"""Outputs: choosing one of several, rows of scores, and activations that are cut off or left."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import CLASSES, IMAGES, SHAPE, assert_same_logits, dense, sequential
from tfinv.classifier import Classifier, heads
from tfinv.classifier.outputs import choose, named_outputs
from tfinv.errors import UserError


def two_outputs(structure):
    inputs = keras.Input(SHAPE)
    x = keras.layers.Flatten()(inputs)
    return keras.Model(
        inputs, structure(dense(name="kind", activation="softmax")(x), keras.layers.Dense(2, name="place")(x))
    )


LIST = two_outputs(lambda kind, place: [place, kind])
DICTIONARY = two_outputs(lambda kind, place: {"first": place, "second": kind})


class Several(keras.Model):
    """A model that is no graph, since TensorFlow refuses symbolic tensors."""

    def __init__(self):
        super().__init__()
        self.inner = LIST

    def call(self, x):
        place, kind = self.inner(tf.identity(x))
        return {"place": place, "kind": kind}


@pytest.mark.parametrize(
    ("model", "output"),
    [(LIST, "kind"), (LIST, 1), (LIST, "1"), (LIST, -1), (DICTIONARY, "second"), (DICTIONARY, 1)],
)
def test_an_output_is_chosen(model, output):
    classifier = Classifier.from_keras(model, output=output)
    assert classifier.num_classes == CLASSES
    assert classifier.logits_source == "softmax of the last layer cut off"
    assert classifier.notes[0].startswith("output ")
    assert_same_logits(classifier.predict(IMAGES), LIST(IMAGES)[1])


@pytest.mark.parametrize("model", [LIST, DICTIONARY])
def test_the_list_of_outputs_is_advice_that_works(model):
    with pytest.raises(UserError, match="one that classifies") as refused:
        Classifier.from_keras(model)
    with pytest.raises(UserError, match="Received: 'other'"):
        Classifier.from_keras(model, output="other")
    with pytest.raises(UserError, match="Received: 7"):
        Classifier.from_keras(model, output=7)
    names = str(refused.value).rpartition("one of ")[2].rstrip(".").split(", ")
    assert [Classifier.from_keras(model, output=name).num_classes for name in names] == [2, CLASSES]


def test_outputs_of_a_model_that_is_no_graph():
    model = Several()
    model(IMAGES)
    with pytest.raises(UserError, match=r"place of shape \(4, 2\)|kind of shape"):
        Classifier.from_keras(model)
    classifier = Classifier.from_keras(model, output="kind")
    assert_same_logits(classifier.predict(IMAGES), LIST(IMAGES)[1])


def test_outputs_of_functions():
    def function(x):
        place, kind = LIST(x)
        return {"place": place, "deep": [kind]}

    head = heads.from_function(function, IMAGES[:4], None, output="deep.0")
    assert head.notes[0] == "output deep.0 of deep.0, place"
    assert head.num_classes == CLASSES
    with pytest.raises(UserError, match="--output=NAME"):
        heads.from_function(function, IMAGES[:4], None)


def test_names_and_places():
    assert list(named_outputs([1, 2], ["b", "a"])) == ["b", "a"]
    assert list(named_outputs([1, 2], ["a", "a"])) == ["0", "1"]  # one layer that is called twice
    assert list(named_outputs((1, {"x": 2}))) == ["0", "1.x"]
    outputs = {"1": np.zeros((2, 3)), "0": np.zeros((2, 4))}
    assert choose(outputs, "0") == "0"  # a name comes before a place
    assert choose(outputs, -1) == "0"


@pytest.mark.parametrize("shape", [(1, 1, CLASSES), (CLASSES, 1), (1, CLASSES), (CLASSES, 1, 1)])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
def test_axes_of_size_1(shape, activation):
    plain = Classifier.from_keras(sequential(dense(activation=activation)))
    classifier = Classifier.from_keras(sequential(dense(activation=activation), keras.layers.Reshape(shape)))
    assert classifier.logits_source == plain.logits_source
    assert classifier.notes[0] == f"output of shape {(None, *shape)} read as rows of scores, without axes of size 1"
    np.testing.assert_allclose(classifier.predict(IMAGES), plain.predict(IMAGES), rtol=1e-5)
    np.testing.assert_allclose(classifier.features(IMAGES), plain.features(IMAGES), rtol=1e-5)


def test_a_softmax_over_another_axis_is_left():
    layers = [keras.layers.Reshape((2, 2)), keras.layers.Softmax(), keras.layers.Flatten()]
    classifier = Classifier.from_keras(sequential(dense(), *layers))
    assert classifier.logits_source.startswith("outputs taken for logits")
    assert "between 0 and 1" in classifier.notes[0]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_one_activation_a_class(activation):
    model = sequential(dense(activation=activation))
    classifier = Classifier.from_keras(model)
    assert classifier.logits_source == f"{activation} of the last layer cut off"
    assert classifier.notes == (f"one {activation} a class: the largest decides",)
    outputs = model.predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(classifier.predict(IMAGES).argmax(1), outputs.argmax(1))
    raw = Classifier.from_keras(model, outputs="logits")
    np.testing.assert_allclose(raw.predict(IMAGES), outputs, rtol=1e-5)


def test_independent_probabilities_of_a_function():
    model = sequential(dense(activation="sigmoid"))
    head = heads.from_function(model, IMAGES[:4], "probabilities")
    p = model.predict(IMAGES, verbose=0).astype(np.float64)
    np.testing.assert_allclose(head.logits(IMAGES), np.log(p) - np.log1p(-p), rtol=1e-3, atol=1e-3)
    assert heads.saturated(head.source, np.float32([[20.0, 0.0], [1.0, -1.0]])).tolist() == [True, False]


def test_log_softmax():
    model = sequential(dense(activation="log_softmax"))
    classifier = Classifier.from_keras(model)
    assert classifier.logits_source == "log-softmax, whose outputs are logits"
    np.testing.assert_allclose(classifier.predict(IMAGES), model.predict(IMAGES, verbose=0), rtol=1e-5)


def test_many_class_names_are_not_all_shown():
    names = [f"class {i}" for i in range(12)]
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(12)])
    classifier = Classifier.from_keras(model, class_names=names)
    assert classifier.class_names == tuple(names)
    assert "'class 9', '...')" in repr(classifier)
    assert "class 10" not in repr(classifier)


def test_class_names():
    names = ["ant", "bee", "cat", "dog"]
    assert Classifier.from_keras(LIST, output=1, class_names=names).class_names == tuple(names)
    with pytest.raises(UserError, match=r"Expected 4 class names, one a class. Received: 3: ant, bee, cat"):
        Classifier.from_keras(LIST, output=1, class_names=names[:3])
    with pytest.raises(UserError, match="Received: ant more than once"):
        Classifier.from_keras(LIST, output=1, class_names=["ant", "ant", "cat", "dog"])


@pytest.mark.parametrize("keepdims", [False, True])
def test_the_number_of_a_class_is_no_score_and_the_advice_works(keepdims):
    inputs = keras.Input((4, 4, 1))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.ops.argmax(scores, axis=-1, keepdims=keepdims))
    with pytest.raises(
        UserError, match=r"number of a class. End the model before its argmax: keras.Model.model.inputs, scores"
    ):
        Classifier.from_keras(model)
    assert Classifier.from_keras(keras.Model(model.inputs, scores)).num_classes == 3
    with pytest.raises(UserError, match="number of a class"):
        Classifier.from_callable(model, input_shape=(4, 4, 1), num_classes=3, outputs="logits")
