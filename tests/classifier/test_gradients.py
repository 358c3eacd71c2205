"""Gradients are those of the input alone: none of filters is computed, by any attack, inversion or check."""

import ast
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from attack_contract import SETTINGS as ATTACKS
from executed import executed_operations, filter_gradients
from tfinv.attacks import ATTACKS as ATTACK_CLASSES
from tfinv.classifier import Classifier
from tfinv.classifier.gradients import input_gradient, input_gradients
from tfinv.evaluation.robustness.gradient_check import gradient_matches_differences
from tfinv.importing import load_classifier
from tfinv.inversion import METHODS, Knowledge, auxiliary, invert

SHAPE, CLASSES = (8, 8, 3), 4
IMAGES = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype(np.float32)
LABELS = np.arange(6) % CLASSES
ROOT = pathlib.Path(__file__).parents[2]
# Places that train networks, whose weights need gradients.
TRAINING = ("tfinv/training/", "tfinv/inversion/auxiliary.py")
COMBINATIONS = {"autoattack", "worst_case"}  # of others
FEW = {"cw": {"steps": 2, "binary_search_steps": 2}, "ead": {"steps": 2, "binary_search_steps": 2}}
INVERSIONS = {
    "gradient": {"steps": 2, "total_variation": 0.1},
    "miface": {"steps": 2},
    "projected": {"steps": 2, "eps": 1.0},
    "gmi": {"steps": 2, "updates": 1, "latent": 4, "width": 4},
    "plg": {"steps": 2, "updates": 1, "latent": 4, "width": 4, "crop": 1.0},
    "miface_dae": {"steps": 2, "updates": 1, "latent": 4, "units": 8, "process": "identity"},
    "multiscale": {"steps": 2, "octaves": 2},
    "laplacian": {"steps": 2},
    "deepinversion": {"steps": 2, "batch_norm": 0.5},
}


def network():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(6, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


@pytest.fixture(scope="module", autouse=True)
def unoptimised():
    """Without the optimiser of graphs, which would remove what leads to no result: it may give up, as it does for float8."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    path = tmp_path_factory.mktemp("export")
    model = network()
    model.export(path, verbose=False)
    plain = Classifier.from_keras(model)
    return {"plain": plain, "copy": plain.accelerated(), "saved": load_classifier(path)}


def test_a_gradient_of_filters_would_be_seen():
    model = network()

    @tf.function
    def filters(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(x, training=False))
        return tape.gradient(total, model.trainable_variables)

    with executed_operations() as operations:
        filters(tf.constant(IMAGES))
    assert len(filter_gradients(operations)) >= 2


@pytest.mark.parametrize("kind", ["plain", "copy", "saved"])
def test_none_for_any_kind_of_model(kind, classifiers):
    traced = []

    def logits(x):
        traced.append(tf.compat.v1.get_default_graph())
        return classifiers[kind].gradient_logits(x)

    with executed_operations() as operations:
        _, gradient = input_gradient(logits, tf.constant(IMAGES))
        classifiers[kind]._has_gradient()
    assert filter_gradients(operation.type for operation in traced[0].get_operations()) == []
    assert np.any(gradient)
    assert any("BackpropInput" in operation for operation in operations)
    assert filter_gradients(operations) == []


def test_none_in_loading_and_acceleration():
    with executed_operations() as operations:
        assert Classifier.from_keras(network()).accelerated().gradient_source == "batch norm folded"
    assert any("BackpropInput" in operation for operation in operations)
    assert filter_gradients(operations) == []


def test_none_in_any_attack():
    """One classifier for all, since a step that was compiled before is not counted again."""
    classifier = Classifier.from_keras(network())
    names = {name for name, attack in ATTACK_CLASSES.items() if attack.NEEDS == "gradients"} - COMBINATIONS
    with executed_operations() as operations:
        for name in sorted(names):
            budget = {} if ATTACK_CLASSES[name].MINIMAL else {"eps": 0.1}
            ATTACK_CLASSES[name](**budget | ATTACKS[name] | FEW.get(name, {}))(classifier, IMAGES, LABELS)
    assert operations["_MklNativeConv2DBackpropInput"] + operations["Conv2DBackpropInput"] > len(names) / 3
    assert filter_gradients(operations) == []


def test_none_in_any_inversion(monkeypatch):
    monkeypatch.setattr(auxiliary, "fit", lambda *args, **kwargs: None)  # it trains an attacker's networks
    data, classifier = Knowledge(IMAGES, LABELS, source="images"), Classifier.from_keras(network())
    with executed_operations() as operations:
        for name, settings in INVERSIONS.items():
            invert(classifier, [0, 1], METHODS[name](**settings), knowledge=data)
    assert operations["_MklNativeConv2DBackpropInput"] + operations["Conv2DBackpropInput"] > len(INVERSIONS) / 2
    assert filter_gradients(operations) == []


def test_all_inversions_that_follow_a_gradient_are_tried():
    assert set(INVERSIONS) == {name for name, method in METHODS.items() if method.ACCESS == "gradients"}


def test_none_in_the_check(classifiers):
    with executed_operations() as operations:
        gradient_matches_differences(classifiers["plain"], IMAGES, LABELS)
    assert any("BackpropInput" in operation for operation in operations)
    assert filter_gradients(operations) == []


def test_no_tape_elsewhere():
    files = sorted([*(ROOT / "tfinv").rglob("*.py"), *(ROOT / "tfinv_cli").rglob("*.py")])
    users = {
        str(path.relative_to(ROOT))
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if getattr(node, "attr", getattr(node, "id", None)) in ("GradientTape", "gradients", "ForwardAccumulator")
        and isinstance(getattr(node, "value", None), ast.Name)
        and node.value.id in ("tf", "tensorflow")
    }
    outside = {name for name in users if not name.startswith(TRAINING)}
    assert outside == {"tfinv/classifier/gradients.py"}


def test_values_and_gradients():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    outputs, gradient = input_gradient(lambda x: (x**2, tf.reduce_sum(x)), x)
    np.testing.assert_array_equal(outputs[0], [[1, 4], [9, 16]])
    assert float(outputs[1]) == 10
    np.testing.assert_array_equal(gradient, [[2, 4], [6, 8]])
    _, gradients = input_gradients(lambda x: ([x[:, 0] ** 2, 3 * x[:, 1]],), x)
    np.testing.assert_array_equal(gradients[0], [[2, 0], [6, 0]])
    np.testing.assert_array_equal(gradients[1], [[0, 3], [0, 3]])
    assert input_gradient(tf.round, x)[1] is None or not np.any(input_gradient(tf.round, x)[1])
    assert input_gradient(lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32), x)[1] is None


def test_within_a_compiled_function_it_is_part_of_it():
    traces = []

    @tf.function
    def step(x):
        def square(x):
            traces.append(x)
            return x**2

        return input_gradient(square, x)[1]

    for value in (1.0, 5.0):
        np.testing.assert_array_equal(step(tf.constant([value])), [2 * value])
    assert len(traces) == 1
