"""Files of Keras 2, by tf_keras."""

import json
import zipfile

import h5py
import numpy as np

from tests.importing.zoo.keras_files import PIXELS, REPAIRED, SHAPE, edit, images, save_old
from zoo import Built, Form

THROUGH = (
    "Through tf_keras (`pip install 'tfinv[keras2]'`), whose layer joins a Keras 3 model, with gradients and features."
)


def old():
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    return tf_keras


def written(model, path, x, change=None, scale=0.1):
    """Saves a model of tf_keras with random statistics, and its configuration changed; its own predictions are the truth."""
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            rng.uniform(0.5, 1.5, w.shape) if "var" in v.name else w + rng.normal(0, scale, w.shape)
            for v, w in pairs(model)
        ]
    )
    save_old(model, path)
    if change:
        edit(path, change)
    outputs = np.asarray(model(x, training=False)).astype(np.float64)
    probabilities = np.allclose(outputs.sum(axis=1), 1, atol=1e-5) and (outputs >= 0).all()
    return Built(path, x, np.log(outputs) if probabilities else outputs)


def pairs(model):
    return zip(model.weights, model.get_weights(), strict=True)


def classes(config, name):
    """All parts of a configuration of a class."""
    if isinstance(config, dict):
        if config.get("class_name") == name:
            yield config
        for item in config.values():
            yield from classes(item, name)
    elif isinstance(config, list):
        for item in config:
            yield from classes(item, name)


def sequential_h5(folder):
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            layers.Conv2D(6, 3, activation="relu", input_shape=SHAPE, kernel_initializer="he_normal"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )

    def to_2_2(config):
        inner = config["config"]
        inner["layers"] = inner["layers"][1:]  # Keras 2.2 wrote no input layer
        inner["layers"][0]["config"]["batch_input_shape"] = [None, *SHAPE]
        for layer in inner["layers"]:
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
        first = inner["layers"][0]["config"]
        first["kernel_initializer"]["config"]["dtype"] = "float32"

    return written(model, folder / "model.h5", images(), to_2_2)


def layer_list_h5(folder):
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            layers.Conv2D(6, 3, activation="relu", input_shape=SHAPE),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )

    def to_2_0(config):
        stack = config["config"]["layers"][1:]
        stack[0]["config"]["batch_input_shape"] = [None, *SHAPE]
        for layer in stack:
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
        config["config"] = stack

    return written(model, folder / "model.h5", images(), to_2_0)


def functional(k, augmented=False):
    layers = k.layers
    inputs = k.Input(SHAPE)
    x = inputs
    if augmented:
        x = k.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1)])(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="block1/conv")(x)
    x = layers.BatchNormalization(name="block1/bn")(x)
    y = layers.Conv2D(6, 3, padding="same")(layers.ReLU(6.0)(x))
    x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return k.Model(inputs, layers.Dense(4)(x))


def functional_keras(folder):
    return written(functional(old()), folder / "model.keras", images(high=255.0))


def augmented(folder):
    return written(functional(old(), augmented=True), folder / "model.h5", images(high=255.0))


def two_thirteen(folder):
    """As Keras 2.13: another folder of weights, whose numbers leave gaps."""
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            k.Input(SHAPE),
            layers.Conv2D(5, 3, padding="same", activation="relu"),
            layers.Conv2D(5, 3, padding="same", activation="relu"),
            layers.Conv2D(5, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    path = folder / "model.keras"
    built = written(model, path, images())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = folder / "w.h5"
    weights.write_bytes(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
        group = file["_layer_checkpoint_dependencies"]
        group.move("conv2d_2", "conv2d_4")
        group.move("conv2d_1", "conv2d_2")
    members["model.weights.h5"] = weights.read_bytes()
    weights.unlink()
    members["metadata.json"] = json.dumps({"keras_version": "2.13.1", "date_saved": "2023-08-01@10:00:00"}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return built


def teachable_machine(folder):
    k = old()
    layers = k.layers

    def block(x, stride, name):
        y = layers.ReLU(6.0)(
            layers.BatchNormalization()(layers.Conv2D(12, 1, use_bias=False, name=f"{name}_expand")(x))
        )
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(y)
        y = layers.Conv2D(8, 1, use_bias=False, name=f"{name}_project")(y)
        return layers.Add()([x, y]) if stride == 1 else y

    inputs = k.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(inputs))
    base = k.Model(inputs, block(block(x, 1, "a"), 2, "b"), name="model1")
    model = k.Sequential(
        [
            k.Sequential([base, layers.GlobalAveragePooling2D()]),
            k.Sequential(
                [
                    layers.Dense(10, activation="relu", input_shape=(8,)),
                    layers.Dense(3, activation="softmax", use_bias=False),
                ]
            ),
        ]
    )
    model.build((None, 16, 16, 3))

    def with_groups(config):
        for layer in classes(config, "DepthwiseConv2D"):
            layer["config"]["groups"] = 1

    return written(model, folder / "keras_model.h5", images((16, 16, 3)), with_groups, scale=0.4)


def arithmetic(folder):
    k = old()
    inputs = k.Input(SHAPE)
    x = inputs / 127.5 - 1.0
    x = k.layers.Conv2D(6, 3, padding="same")(x)
    y = k.layers.Conv2D(6, 3, padding="same")(k.activations.relu(x, max_value=6.0))
    x = x + y * 0.5
    import tensorflow as tf

    x = tf.concat([tf.reduce_mean(x, axis=[1, 2]), tf.reduce_max(x, axis=[1, 2])], axis=-1)
    outputs = tf.nn.softmax(k.layers.Dense(4)(x))
    return written(k.Model(inputs, outputs), folder / "model.h5", images(high=255.0))


def slices(folder):
    import tensorflow as tf

    k = old()
    inputs = k.Input(SHAPE)
    x = inputs[..., ::-1] - tf.constant([103.939, 116.779, 123.68])
    x = tf.cast(x, "float32") / 64.0
    x = tf.reshape(x[:, 1:-1, 1:7, :], (-1, 6, 18))
    x = k.layers.Dense(4)(k.layers.Flatten()(x))
    return written(k.Model(inputs, x), folder / "model.h5", images(high=255.0))


def activations(folder):
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            k.Input(SHAPE),
            layers.Conv2D(5, 3, activation="hard_sigmoid"),
            layers.LeakyReLU(alpha=0.2),
            layers.Conv2D(5, 3),
            layers.ThresholdedReLU(0.1),
            layers.SeparableConv2D(5, 3, activation="swish"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Conv2DTranspose(4, 3, strides=2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(4),
        ]
    )
    return written(model, folder / "model.h5", images())


def attention(folder):
    k = old()
    layers = k.layers
    inputs = k.Input(SHAPE)
    x = layers.Reshape((16, 6))(layers.Conv2D(6, 2, strides=2)(inputs))
    y = layers.LayerNormalization()(x)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.MultiHeadAttention(2, 3)(y, value=x, key=y)
    x = layers.Add()([x, y])
    outputs = layers.Dense(4)(layers.GlobalAveragePooling1D()(x))
    return written(k.Model(inputs, outputs), folder / "model.keras", images())


def recurrent(folder):
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            k.Input(SHAPE),
            layers.TimeDistributed(layers.Dense(5, activation="relu")),
            layers.Reshape((8, 40)),
            layers.Bidirectional(layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)),
            layers.GRU(4),
            layers.Dense(4),
        ]
    )
    return written(model, folder / "model.h5", images())


def shared(folder):
    k = old()
    layers = k.layers
    inner_input = k.Input((6, 6, 5))
    inner = k.Model(inner_input, layers.Conv2D(5, 3, padding="same", activation="relu", name="twice")(inner_input))
    head = k.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(4)])
    inputs = k.Input(SHAPE)
    x = layers.Conv2D(5, 3)(inputs)
    x = layers.Concatenate()([inner(inner(x)), x])
    return written(k.Model(inputs, head(x)), folder / "model.h5", images())


def locally_connected(folder):
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            k.Input(SHAPE),
            layers.Conv2D(4, 3, activation="relu"),
            layers.LocallyConnected2D(3, 3),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    return written(model, folder / "model.h5", images())


def locally_connected_functional(folder):
    k = old()
    layers = k.layers
    inputs = k.Input(SHAPE)
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    y = layers.LocallyConnected2D(4, 1)(x)
    x = layers.Flatten()(layers.Add()([x, layers.LocallyConnected2D(4, 1, activation="relu")(y)]))
    return written(k.Model(inputs, layers.Dense(4)(x)), folder / "model.keras", images())


def architecture_beside(folder):
    """Weights and to_json() in two files; layers were numbered anew in between."""
    k = old()
    layers = k.layers
    model = k.Sequential(
        [
            k.Input(SHAPE),
            layers.Conv2D(5, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    x = images()
    model.save_weights(folder / "fer.h5")
    text = model.to_json().replace('"conv2d"', '"conv2d_7"').replace('"dense"', '"dense_3"')
    (folder / "fer.json").write_text(text)
    return Built(folder / "fer.h5", x, np.log(model.predict(x, verbose=0)))


def of_keras_2(name, does, build, **options):
    return Form("Keras files", name, does, build, needs=("tf_keras",), **options)


FORMS = [
    of_keras_2("Keras 2.2 .h5, a Sequential without an input layer", REPAIRED, sequential_h5, command=True),
    of_keras_2("Keras 2.0 .h5, a Sequential that is a list", REPAIRED, layer_list_h5),
    of_keras_2("Keras 2.15 .keras", REPAIRED, functional_keras, **PIXELS),
    of_keras_2("Keras 2.13 .keras", "Its weights are found by the order within each class, and counted.", two_thirteen),
    of_keras_2(
        "Keras 2 .h5 with random augmentation", "Augmentation is off when the model predicts.", augmented, **PIXELS
    ),
    of_keras_2("Teachable Machine's keras_model.h5", REPAIRED, teachable_machine),
    of_keras_2(
        "Keras 2 .h5 with arithmetic between layers", "TensorFlow's operations come from a table.", arithmetic, **PIXELS
    ),
    of_keras_2(
        "Keras 2 .h5 with slices, casts and reshapes", "TensorFlow's operations come from a table.", slices, **PIXELS
    ),
    of_keras_2(
        "Keras 2 .h5 with hard_sigmoid and other activations", "hard_sigmoid is Keras 2's, not Keras 3's.", activations
    ),
    of_keras_2("Keras 2 .keras with attention", REPAIRED, attention),
    of_keras_2("Keras 2 .h5 with recurrent layers", REPAIRED, recurrent),
    of_keras_2("Keras 2 .h5 with shared and nested models", REPAIRED, shared),
    of_keras_2("Keras 2 .h5 with LocallyConnected2D", THROUGH, locally_connected),
    of_keras_2("Keras 2 .keras with LocallyConnected2D", THROUGH, locally_connected_functional),
    of_keras_2(
        "Keras 2 weights .h5 beside model.to_json()", "Both are read, and must fit one to one.", architecture_beside
    ),
]
