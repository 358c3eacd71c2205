"""Half precision in training, float32 in what is left."""

import keras
import numpy as np

from tfinv import models
from tfinv.training.precision import as_float32, policy
from tfinv.training.rounding import round_confidences

IMAGES = np.random.default_rng(0).uniform(size=(4, 16, 16, 3)).astype(np.float32)


def network(name):
    keras.utils.set_random_seed(0)
    with policy(name):
        return models.build("resnet(depth=8,width=4)", (16, 16, 3), 3)


def test_the_copy_is_the_network_that_was_made_in_float32(tmp_path):
    mixed, plain = network("mixed_bfloat16"), network("float32")
    assert keras.config.dtype_policy().name == "float32"
    assert any(layer.compute_dtype == "bfloat16" for layer in mixed.layers)
    copy = as_float32(mixed)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    assert [w.name for w in copy.weights] == [w.name for w in plain.weights]
    np.testing.assert_array_equal(copy(IMAGES), plain(IMAGES))
    assert not np.array_equal(np.asarray(mixed(IMAGES), np.float32), copy(IMAGES))
    copy.save(tmp_path / "copy.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "copy.keras")(IMAGES), copy(IMAGES))


def test_operations_between_layers_are_copied_too():
    rounded, plain = (round_confidences(network(name), 1) for name in ("mixed_bfloat16", "float32"))
    np.testing.assert_array_equal(as_float32(rounded)(IMAGES), plain(IMAGES))
