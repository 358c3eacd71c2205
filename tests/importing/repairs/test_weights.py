"""Weights find their layers by name, by order where names don't decide, and are refused where neither does."""

import h5py
import keras
import numpy as np
import pytest

from tfinv.importing.repairs import weights
from tfinv.importing.repairs.context import Context, Unrepairable

SHAPE = (2, 2, 3)


def model():
    layers = keras.layers
    stack = [layers.Dense(3, name="first"), layers.Dense(3, name="second")]
    return keras.Sequential([keras.Input(SHAPE), *stack, layers.Flatten(), layers.Dense(4, name="third")])


def fill(group, names, shapes=None, order=None):
    """Writes layers in an order, with weights that count from their place in `names`."""
    group.attrs["layer_names"] = [name.encode() for name in order or names]
    values = {}
    for i, name in enumerate(names):
        kernel, bias = (shapes or {}).get(name, ((12, 4), (4,)) if i == 2 else ((3, 3), (3,)))
        layer = group.create_group(name)
        layer.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
        values[name] = i + np.arange(np.prod(kernel)).reshape(kernel), np.full(bias, i)
        layer[f"{name}/kernel:0"], layer[f"{name}/bias:0"] = values[name]
    return values


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        yield file


def test_by_name_in_any_order(file):
    values = fill(file, ["first", "second", "third"], order=["third", "second", "first"])
    target = model()
    weights.load(target, file, Context.of(()))
    for name, (kernel, bias) in values.items():
        np.testing.assert_array_equal(target.get_layer(name).kernel, kernel)
        np.testing.assert_array_equal(target.get_layer(name).bias, bias)


def test_by_order_only_where_allowed_and_with_a_note(file):
    values = fill(file, ["a", "b", "c"])
    with pytest.raises(Unrepairable, match="a, b, c in the file alone, first, second, third in the model alone"):
        weights.load(model(), file, Context.of(()))
    target, context = model(), Context.of(())
    weights.load(target, file, context, by_order=True)
    np.testing.assert_array_equal(target.get_layer("second").kernel, values["b"][0])
    assert context.notes == ["weights in the order of the layers, whose names differ"]


def test_shapes_and_counts_are_checked(file, tmp_path):
    fill(file, ["first", "second", "third"], {"second": ((3, 4), (4,))})
    with pytest.raises(Unrepairable, match=r"shape \(3, 4\), where the layer takes \(3, 3\)"):
        weights.load(model(), file, Context.of(()))
    with h5py.File(tmp_path / "two.h5", "w") as short:
        fill(short, ["first", "second"])
        with pytest.raises(Unrepairable, match="none in the file alone, third in the model alone"):
            weights.load(model(), short, Context.of(()), by_order=True)
    with h5py.File(tmp_path / "half.h5", "w") as half:
        fill(half, ["first", "second", "third"])
        half["first"].attrs["weight_names"] = [b"first/kernel:0"]
        with pytest.raises(Unrepairable, match="1 weights of the layer first, which takes 2"):
            weights.load(model(), half, Context.of(()))


@pytest.mark.parametrize(
    ("names", "paths", "order"),
    [
        (["a/kernel:0", "a/bias:0"], ["m/a/kernel", "m/a/bias"], [0, 1]),
        (["a/bias:0", "a/kernel:0"], ["a/kernel", "a/bias"], [1, 0]),
        (["b/k:0", "a/k:0"], ["a/k", "b/k"], [1, 0]),
        (["x/a/k:0", "x/b/k:0"], ["x_b/k", "x_a/k"], [1, 0]),
        (["a_W", "a_b"], ["a/kernel", "a/bias"], [0, 1]),
        (["a/depthwise_kernel:0", "a/bias:0"], ["a/kernel", "a/bias"], [0, 1]),
        (["a_1/k:0", "b_1/k:0"], ["a/k", "b/k"], [0, 1]),
    ],
)
def test_the_order_of_names(names, paths, order):
    assert weights._by_name(names, paths) == order


def test_layers_of_one_shape_in_a_nested_model_don_t_change_places(file):
    """Keras would fill them in order, and see nothing wrong."""
    inner = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Dense(3, name="p"), keras.layers.Dense(3, name="q")], name="inner"
    )
    target = keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Flatten()])
    file.attrs["layer_names"] = [b"inner"]
    group = file.create_group("inner")
    names = ["q/kernel:0", "q/bias:0", "p/kernel:0", "p/bias:0"]
    group.attrs["weight_names"] = [name.encode() for name in names]
    for i, name in enumerate(names):
        group[name] = np.full((3, 3) if "kernel" in name else (3,), float(i))
    weights.load(target, file, Context.of(()))
    np.testing.assert_array_equal(inner.get_layer("p").kernel, np.full((3, 3), 2.0))
    np.testing.assert_array_equal(inner.get_layer("q").bias, np.full(3, 1.0))
