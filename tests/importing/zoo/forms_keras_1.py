"""Files of versions that install no more, by hand with a forward pass in NumPy: Keras 1, Theano's, TensorFlow 2.1."""

import json

import h5py
import numpy as np

from tests.importing.zoo.keras_files import PIXELS, REPAIRED, SHAPE, images
from zoo import Built, Form


def convolution(x, kernel, bias):
    """A valid cross-correlation: x (n, h, w, c), kernel (rows, columns, c, k)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijck->nhwk", windows, kernel) + bias


def relu(x):
    return np.maximum(x, 0)


def pool(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def hdf5(path, config, weights, **attributes):
    """Writes a file of Keras 1 or 2: weights are lists of (name, array) by layer."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        for name, value in attributes.items():
            file.attrs[name] = value.encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([label.encode() for label, _ in arrays], dtype="S40")
            for label, value in arrays:
                layer[label] = value.astype(np.float32)
    return path


def arrays():
    rng = np.random.default_rng(5)
    return (
        rng.normal(0, 0.4, (3, 3, 3, 6)),
        rng.normal(0, 0.4, 6),
        rng.normal(0, 0.4, (54, 4)),
        rng.normal(0, 0.4, 4),
    )


def forward(x, kernel, bias, matrix, offset):
    """Convolution, ReLU, maximum of 2 x 2, flattened with the channels last, dense."""
    x = pool(relu(convolution(x.astype(np.float64), kernel, bias)))
    return x.reshape(len(x), -1) @ matrix + offset


def keras_1_config(ordering, shape):
    def layer(class_name, **config):
        return {"class_name": class_name, "config": config}

    dense = {"W_regularizer": None, "b_regularizer": None, "activity_regularizer": None, "W_constraint": None}
    stack = [
        layer(
            "Convolution2D",
            name="convolution2d_1",
            batch_input_shape=[None, *shape],
            input_dtype="float32",
            nb_filter=6,
            nb_row=3,
            nb_col=3,
            init="glorot_uniform",
            activation="linear",
            border_mode="valid",
            subsample=[1, 1],
            dim_ordering=ordering,
            bias=True,
            trainable=True,
            b_constraint=None,
            **dense,
        ),
        layer("Activation", name="activation_1", activation="relu", trainable=True),
        layer(
            "MaxPooling2D",
            name="maxpooling2d_1",
            pool_size=[2, 2],
            strides=[2, 2],
            border_mode="valid",
            dim_ordering=ordering,
            trainable=True,
        ),
        layer("Dropout", name="dropout_1", p=0.25, trainable=True),
        layer("Flatten", name="flatten_1", trainable=True),
        layer(
            "Dense",
            name="dense_1",
            output_dim=4,
            input_dim=None,
            init="glorot_uniform",
            activation="softmax",
            bias=True,
            b_constraint=None,
            trainable=True,
            **dense,
        ),
    ]
    return {"class_name": "Sequential", "config": stack}


def keras_1(folder):
    kernel, bias, matrix, offset = arrays()
    weights = {
        "convolution2d_1": [("convolution2d_1_W", kernel), ("convolution2d_1_b", bias)],
        "activation_1": [],
        "maxpooling2d_1": [],
        "dropout_1": [],
        "flatten_1": [],
        "dense_1": [("dense_1_W", matrix), ("dense_1_b", offset)],
    }
    path = hdf5(folder / "model.h5", keras_1_config("tf", SHAPE), weights, keras_version="1.2.2")
    return Built(path, images(), forward(images(), kernel, bias, matrix, offset))


def keras_1_theano(folder):
    """Channels first, and kernels that Theano mirrors."""
    kernel, bias, matrix, offset = arrays()
    stored = kernel[::-1, ::-1].transpose(3, 2, 0, 1)
    # Rows of the matrix in the order of (channels, h, w).
    rows = matrix.reshape(3, 3, 6, 4).transpose(2, 0, 1, 3).reshape(54, 4)
    weights = {
        "convolution2d_1": [("convolution2d_1_W", stored), ("convolution2d_1_b", bias)],
        "dense_1": [("dense_1_W", rows), ("dense_1_b", offset)],
    }
    config = keras_1_config("th", (3, 8, 8))
    path = hdf5(folder / "model.h5", config, weights, keras_version="1.1.0", backend="theano")
    return Built(path, images(), forward(images(), kernel, bias, matrix, offset))


def keras_2_config(pooled, activation="softmax"):
    """The functional model of Keras 2.0, with another layer between convolution and pooling."""

    def layer(class_name, inbound, **config):
        nodes = [[[name, 0, 0, {}] for name in inbound]] if inbound else []
        return {"class_name": class_name, "name": config["name"], "config": config, "inbound_nodes": nodes}

    scaling = {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
    }
    common = {"trainable": True, "use_bias": True, "kernel_initializer": scaling, "kernel_regularizer": None}
    layers = [
        layer("InputLayer", [], name="input_1", batch_input_shape=[None, *SHAPE], dtype="float32", sparse=False),
        layer(
            "Conv2D",
            ["input_1"],
            name="conv2d_1",
            filters=6,
            kernel_size=[3, 3],
            strides=[1, 1],
            padding="valid",
            data_format="channels_last",
            dilation_rate=[1, 1],
            activation="relu",
            **common,
        ),
        layer(
            "MaxPooling2D",
            [pooled],
            name="pool",
            pool_size=[2, 2],
            strides=[2, 2],
            padding="valid",
            data_format="channels_last",
        ),
        layer("Flatten", ["pool"], name="flatten_1", trainable=True),
        layer("Dense", ["flatten_1"], name="dense_1", units=4, activation=activation, **common),
    ]
    inner = {
        "name": "model_1",
        "layers": layers,
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["dense_1", 0, 0]],
    }
    return {"class_name": "Model", "config": inner}


def named(kernel, bias, matrix, offset):
    return {
        "dense_1": [("dense_1/kernel:0", matrix), ("dense_1/bias:0", offset)],
        "conv2d_1": [("conv2d_1/kernel:0", kernel), ("conv2d_1/bias:0", bias)],
    }


def theano(folder):
    """Keras 2.0 on Theano, whose kernels are mirrored; the layers are not in order."""
    kernel, bias, matrix, offset = arrays()
    weights = named(kernel[::-1, ::-1], bias, matrix, offset)
    path = hdf5(folder / "model.h5", keras_2_config("conv2d_1"), weights, keras_version="2.0.5", backend="theano")
    return Built(path, images(), forward(images(), kernel, bias, matrix, offset))


def op_layer(folder):
    """TensorFlow 2.1 kept an operation between layers as its definition."""
    kernel, bias, matrix, offset = arrays()
    config = keras_2_config("conv2d_1")
    definition = {
        "name": "truediv",
        "op": "RealDiv",
        "input": ["input_1", "truediv/y"],
        "attr": {"T": {"type": "DT_FLOAT"}},
    }
    layers = config["config"]["layers"]
    layers.insert(
        1,
        {
            "class_name": "TensorFlowOpLayer",
            "name": "tf_op_layer_truediv",
            "config": {
                "name": "tf_op_layer_truediv",
                "trainable": True,
                "dtype": "float32",
                "node_def": definition,
                "constants": {"1": 255.0},
            },
            "inbound_nodes": [[["input_1", 0, 0, {}]]],
        },
    )
    layers[2]["inbound_nodes"] = [[["tf_op_layer_truediv", 0, 0, {}]]]
    path = hdf5(
        folder / "model.h5", config, named(kernel, bias, matrix, offset), keras_version="2.2.4-tf", backend="tensorflow"
    )
    x = images(high=255.0)
    return Built(path, x, forward(x / 255, kernel, bias, matrix, offset))


FORMS = [
    Form("Keras files", "Keras 1 .h5", REPAIRED, keras_1),
    Form("Keras files", "Keras 1 .h5 of Theano, channels first", "Its kernels are turned.", keras_1_theano),
    Form("Keras files", "Keras 2 .h5 of Theano", "Its kernels are turned.", theano),
    Form("Keras files", "TensorFlow 2.1 .h5 with an operation's definition", REPAIRED, op_layer, **PIXELS),
]
