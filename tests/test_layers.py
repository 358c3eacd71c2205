"""The gradient of the reversal layer, exactly: R(x) = x and dR/dx = -scale."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.errors import UserError
from tfinv.layers import DannRamp, GradientReversal, reverse_gradient


@pytest.fixture(autouse=True)
def float32_after():
    yield
    keras.mixed_precision.set_global_policy("float32")


def gradient_through(fn, x, upstream):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = fn(x)
    return y, tape.gradient(y, x, output_gradients=tf.constant(upstream, y.dtype))


@pytest.mark.parametrize("scale", [0.0, 1.0, -1.0, 2.5])
@pytest.mark.parametrize("jit", [None, False, True])
def test_a_number(scale, jit):
    layer = GradientReversal(scale)
    fn = layer if jit is None else tf.function(layer, jit_compile=jit)
    x, upstream = np.float32([[1, -2], [3, 4]]), np.float32([[1, 10], [100, 1000]])
    y, gradient = gradient_through(fn, x, upstream)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(gradient, -scale * upstream)


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("jit", [None, False, True])
def test_one_scale_an_example(rank, jit):
    shape = (3, 2, 3, 2)[:rank]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    upstream = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    scales = np.float32([2, 0, -1])
    layer = GradientReversal(7.0)

    def call(x):
        return layer(x, scale=tf.constant(scales))

    y, gradient = gradient_through(call if jit is None else tf.function(call, jit_compile=jit), x, upstream)
    np.testing.assert_array_equal(y, x)
    for i, scale in enumerate(scales):
        np.testing.assert_array_equal(gradient[i], -scale * upstream[i])


def test_a_batch_as_long_as_the_next_axis_is_still_one_scale_an_example():
    _, gradient = gradient_through(
        lambda x: reverse_gradient(x, tf.constant([1.0, 2.0])), np.ones((2, 2), np.float32), np.ones((2, 2))
    )
    np.testing.assert_array_equal(gradient, [[-1, -1], [-2, -2]])


def test_a_scale_gets_no_gradient():
    scale = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = reverse_gradient(tf.ones([2, 2]), scale)
    assert tape.gradient(y, scale) is None


def test_unknown_sizes():
    fn = tf.function(GradientReversal(2.0), input_signature=[tf.TensorSpec((None, None), tf.float32)])
    _, gradient = gradient_through(fn, np.ones((2, 3), np.float32), np.ones((2, 3)))
    np.testing.assert_array_equal(gradient, -2 * np.ones((2, 3)))


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("source", ["layer", "argument", "per example"])
def test_half_precision_applies_the_scale_in_float32(half, source):
    # As float16 the scale would be 0, and as bfloat16 of eight bits it would be another number.
    small = 1.2345e-8
    layer = GradientReversal(small if source == "layer" else 1.0, dtype=f"mixed_{half}")
    scales = {"layer": None, "argument": tf.constant(small), "per example": tf.constant([small, 3 * small])}
    big = np.float32([[30000], [20000]])
    x = tf.cast(np.ones((2, 1)), half)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, scale=scales[source])
    assert y.dtype == half
    gradient = tape.gradient(y, x, output_gradients=tf.cast(big, half))
    assert gradient.dtype == half
    exact = -small * tf.cast(tf.cast(big, half), tf.float32) * ([[1], [3]] if source == "per example" else 1.0)
    np.testing.assert_array_equal(tf.cast(gradient, tf.float32), tf.cast(tf.cast(exact, half), tf.float32))
    assert (tf.cast(gradient, tf.float32).numpy() < 0).all()


def test_symbolic_output_has_the_shape_and_type_of_the_call():
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        inputs = keras.Input((4,))
        model = keras.Model(inputs, GradientReversal()(keras.layers.Dense(3)(inputs)))
        assert model.output.shape == (None, 3)
        assert model(np.ones((2, 4), np.float32)).dtype == model.output.dtype


def test_dann_ramp():
    ramp = DannRamp(steps=100, high=3.0)
    for step, p in [(0, 0.0), (10, 0.1), (50, 0.5), (100, 1.0), (1000, 1.0)]:
        assert float(ramp(step)) == pytest.approx(3 * (2 / (1 + math.exp(-10 * p)) - 1), abs=1e-6)
    assert float(DannRamp(4, gamma=0.0)(3)) == 0.0
    assert DannRamp.from_config(ramp.get_config()).get_config() == {"steps": 100, "high": 3.0, "gamma": 10.0}
    with pytest.raises(UserError, match="`steps`"):
        DannRamp(0)


def reversing_model(scale):
    inputs = keras.Input((1,))
    x = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="encoder")(inputs)
    x = GradientReversal(scale, name="reversal")(x)
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="decoder")(x)
    return keras.Model(inputs, outputs)


def test_sign_in_a_net_worked_out_by_hand():
    """u = w2 R(w1 x), L = (u - t)^2, w1 = w2 = 1, x = 2, t = 5: dL/du = -6, so dL/dw2 = -12 and dL/dw1 = -s * -12."""
    model = reversing_model(3.0)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(np.float32([[2]]), np.float32([[5]]), verbose=0)
    # The decoder descends: 1 + .12. The encoder climbs, three times as far: 1 - .36.
    assert model.get_layer("decoder").kernel.numpy().item() == pytest.approx(1.12, rel=1e-6)
    assert model.get_layer("encoder").kernel.numpy().item() == pytest.approx(0.64, rel=1e-6)


class Scales(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.get_layer("reversal").scale.numpy()))


def test_the_ramp_moves_in_a_compiled_fit():
    ramp = DannRamp(4, high=2.0)
    model = reversing_model(ramp)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    scales = Scales()
    x, y = np.ones((6, 1), np.float32), np.ones((6, 1), np.float32)
    model.fit(x, y, batch_size=1, epochs=1, verbose=0, callbacks=[scales])
    np.testing.assert_allclose(scales.seen, [float(ramp(step)) for step in range(6)], rtol=1e-6)
    # Inference and evaluation leave it where it is.
    model.predict(x, verbose=0)
    model.evaluate(x, y, verbose=0)
    assert int(model.get_layer("reversal").calls.numpy()) == 6


def test_the_gradient_uses_the_scale_of_the_step():
    ramp = DannRamp(4)
    model = reversing_model(ramp)
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=False)
    x, t = np.float32([[2]]), np.float32([[5]])
    w1 = w2 = 1.0
    for step in range(3):
        common = 2 * (w1 * w2 * 2 - 5) * 2
        w1, w2 = w1 + 0.01 * float(ramp(step)) * common * w2, w2 - 0.01 * common * w1
        model.fit(x, t, verbose=0)
        assert model.get_layer("encoder").kernel.numpy().item() == pytest.approx(w1, rel=1e-5)
        assert model.get_layer("decoder").kernel.numpy().item() == pytest.approx(w2, rel=1e-5)


@pytest.mark.parametrize("scale", [2.5, DannRamp(10, high=4.0)])
def test_save_and_load_keep_configuration_and_state(tmp_path, scale):
    model = reversing_model(scale)
    for _ in range(3):
        model(np.ones((1, 1), np.float32), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    old, new = model.get_layer("reversal"), loaded.get_layer("reversal")
    assert new.get_config() == old.get_config()
    assert new.scale.numpy() == old.scale.numpy()
    if isinstance(scale, DannRamp):
        assert int(new.calls.numpy()) == 3
        loaded(np.ones((1, 1), np.float32), training=True)
        assert float(new.scale.numpy()) == pytest.approx(float(scale(3)), rel=1e-6)
    else:
        assert float(new.scale.numpy()) == 2.5


def test_a_mask_passes():
    inputs = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(4, 2, mask_zero=True)(inputs)
    assert keras.Model(inputs, GradientReversal()(x)).layers[-1].supports_masking
