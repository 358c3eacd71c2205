"""Files of Keras 3, and of a later one."""

import zipfile

import keras
import numpy as np

from tests.importing.zoo.keras_files import PIXELS, REPAIRED, SHAPE, edit, images, save_old
from zoo import Built, Form


def new():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def truth(model):
    return images(), np.asarray(model(images(), training=False))


def unzipped(folder):
    model = new()
    model.save(folder / "model.keras")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        archive.extractall(folder / "model")
    return Built(folder / "model", *truth(model))


def sharded(folder):
    model = new()
    model.save_weights(folder / "model.weights.json", max_shard_size=5e-6)
    (folder / "config.json").write_text(model.to_json())
    return Built(folder, *truth(model))


def weights_and_json(folder):
    model = new()
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    return Built(folder / "model.weights.h5", *truth(model))


def operations_h5(folder):
    """Keras itself does not read the operations between layers in its own .h5 files."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(6, 3, padding="same")(inputs / 255.0)
    x = x + 0.5 * layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(4)(keras.ops.mean(x, axis=(1, 2))))
    save_old(model, folder / "model.h5")
    x = images(high=255.0)
    return Built(folder / "model.h5", x, np.asarray(model(x, training=False)))


def later(folder):
    """A file of a later Keras, with arguments that this one does not know and that are unset."""
    model = new()
    model.save(folder / "model.keras")

    def change(config):
        for layer in config["config"]["layers"]:
            layer["config"]["a_later_argument"] = None

    edit(folder / "model.keras", change)
    return Built(folder / "model.keras", *truth(model))


def suffix(folder):
    model = new()
    model.save(folder / "model.keras")
    (folder / "model.keras").rename(folder / "model.zip")
    return Built(folder / "model.zip", *truth(model))


class Doubled(keras.layers.Layer):
    """A layer of a user's own."""

    def call(self, x):
        return x * 2


def own_layer(folder):
    model = keras.Sequential([keras.Input(SHAPE), Doubled(), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.save(folder / "model.keras")
    return Built(folder / "model.keras", *truth(model))


FORMS = [
    Form("Keras files", "an unzipped .keras folder", "Loaded as it is.", unzipped),
    Form(
        "Keras files", "weights in several files (model.weights.json) beside config.json", "Loaded together.", sharded
    ),
    Form(
        "Keras files",
        "Keras 3 .weights.h5 beside model.to_json()",
        "Both are read, and must fit one to one.",
        weights_and_json,
    ),
    Form("Keras files", "Keras 3 .h5 with operations between layers", REPAIRED, operations_h5, **PIXELS),
    Form("Keras files", "a .keras of a later Keras", "Arguments that are unset are left out.", later),
    Form("Keras files", "a .keras file of another suffix", "The content counts.", suffix),
    Form(
        "Keras files",
        "a layer of your own",
        "Pass the module that defines it; its code runs.",
        own_layer,
        arguments={"custom_objects": {"Doubled": Doubled}},
        flags="--custom_objects=package.module",
    ),
]
