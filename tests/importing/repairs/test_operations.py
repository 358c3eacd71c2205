"""TensorFlow's operations by the names that Keras 2 saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.importing.repairs import operations
from tfinv.importing.repairs.context import UnknownOperation


def test_every_name_of_the_table_is_a_function():
    for name in operations._NAMES.split():
        assert callable(operations.resolve(name)), name
    with pytest.raises(UnknownOperation, match=r"io\.read_file"):
        operations.resolve("io.read_file")


@pytest.mark.parametrize(
    "name", ["__operators__.getitem.x", "__operators__.__class__", "raw.ReadFile", "math", "", "nn.relu.__globals__"]
)
def test_no_other_name_is(name):
    with pytest.raises(UnknownOperation):
        operations.resolve(name)


@pytest.mark.parametrize(
    ("name", "positional", "keyword", "expected"),
    [
        ("__operators__.rsub", [{"tensor": 0}, 1.0], {}, lambda x: 1.0 - x),
        ("__operators__.rtruediv", [{"tensor": 0}], {"y": 2.0}, lambda x: 2.0 / x),
        ("math.multiply", [{"tensor": 0}], {"y": {"tensor": 1}}, lambda x: x * x),
        ("concat", [[{"tensor": 0}, {"tensor": 1}]], {"axis": -1}, lambda x: np.concatenate([x, x], -1)),
        ("reshape", [{"tensor": 0}, [-1, 6]], {}, lambda x: x.reshape(-1, 6)),
        ("cast", [{"tensor": 0}, "float64"], {}, lambda x: x.astype(np.float64)),
        (
            "__operators__.getitem",
            [{"tensor": 0}, ["...", {"start": None, "stop": None, "step": -1}]],
            {},
            lambda x: x[..., ::-1],
        ),
        (
            "__operators__.getitem",
            [{"tensor": 0}],
            {"slice_spec": [{"start": 0, "stop": 1, "step": None}, 1]},
            lambda x: x[0:1, 1],
        ),
        ("raw.RealDiv", [3.0, {"tensor": 0}], {}, lambda x: 3.0 / x),
    ],
)
def test_functions_of_tensors(name, positional, keyword, expected):
    x = np.random.default_rng(0).uniform(1, 2, (2, 3, 2)).astype(np.float32)
    layer = operations.TensorFlowOperation(name, positional, keyword)
    tensors = [tf.constant(x)] * 2 if "'tensor': 1" in str([positional, keyword]) else tf.constant(x)
    np.testing.assert_allclose(layer(tensors), expected(x), rtol=1e-6)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    np.testing.assert_allclose(copy(tensors), expected(x), rtol=1e-6)


def test_hard_sigmoid_is_that_of_keras_2():
    x = np.array([-3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0], np.float32)
    np.testing.assert_allclose(operations.hard_sigmoid(x), [0, 0, 0.3, 0.5, 0.7, 1, 1], atol=1e-7)
    assert np.abs(operations.hard_sigmoid(x) - keras.activations.hard_sigmoid(x)).max() > 0.03
