"""Packing: a smaller file of the same model."""

import keras
import numpy as np
import pytest

from tfinv import models
from tfinv.errors import UserError
from tfinv.shipping.packing import pack, stored_type

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def save(model, path):
    model.save(path)
    return path


def test_pack_drops_the_optimizer_and_changes_nothing_else(tmp_path):
    keras.utils.set_random_seed(0)
    model = models.cnn((12, 12, 1), 3, filters=(8,), units=64)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.ones((4, 12, 12, 1)), np.zeros(4), verbose=0)
    path = save(model, tmp_path / "model.keras")
    assert pack(path, tmp_path / "packed.keras") == stored_type(tmp_path / "packed.keras") == "float32"
    assert (tmp_path / "packed.keras").stat().st_size < path.stat().st_size / 2.5
    packed = keras.models.load_model(tmp_path / "packed.keras", custom_objects={})
    for a, b in zip(packed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pack_halves_the_kernels_of_what_would_be_too_large(tmp_path):
    keras.utils.set_random_seed(0)
    model = models.convnet((28, 28, 1), 10)
    for layer in model.layers:
        if layer.weights:
            layer.bias.assign(keras.random.normal(layer.bias.shape))
    path = save(model, tmp_path / "model.keras")
    assert path.stat().st_size > 3_000_000
    assert pack(path, tmp_path / "packed.keras") == stored_type(tmp_path / "packed.keras") == "float16"
    assert (tmp_path / "packed.keras").stat().st_size <= 2_000_000
    packed = keras.models.load_model(tmp_path / "packed.keras", custom_objects={})
    assert {v.dtype for v in packed.weights} == {"float32"}
    for a, b in zip(packed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float16) if b.ndim > 1 else b)
    images = np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(packed(images), model(images), atol=0.01)
    # Packing what was packed changes nothing.
    pack(tmp_path / "packed.keras", tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    assert all(map(np.array_equal, again.get_weights(), packed.get_weights()))


def test_pack_refuses_what_float16_cannot_hold(tmp_path):
    large = save(models.mlp((28, 28, 1), 10, units=1500), tmp_path / "large.keras")
    with pytest.raises(UserError, match=r"at most 2,000,000 bytes in float16\. Received: 2,"):
        pack(large, tmp_path / "packed.keras")
    model = models.convnet((28, 28, 1), 10)
    model.layers[-1].kernel.assign(np.full((256, 10), 1e5))
    with pytest.raises(UserError, match=r"range of float16\. Received: 100000"):
        pack(save(model, tmp_path / "wild.keras"), tmp_path / "packed.keras")
    assert not (tmp_path / "packed.keras").exists()
