"""Advice of refusals, followed to the letter: the model gets in. Longer code that errors hold is tested with its error."""

import keras
import numpy as np
import pytest
from keras import layers

from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (8, 6, 3)


def network(*last, shape=SHAPE, **options):
    return keras.Sequential([keras.Input(shape, **options), layers.Conv2D(4, 3), *last])


def pooled(*last, **options):
    return network(layers.GlobalAveragePooling2D(), *last, **options)


def with_sigmoid():
    return pooled(layers.Dense(1, activation="sigmoid"))


def flat(units):
    return keras.Sequential([keras.Input((units,)), layers.Dense(3)])


def called():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    model(np.zeros((1, *SHAPE), np.float32))
    return model


def averaged(code):
    return eval(code, {"keras": keras, "model": network(layers.Dense(3, activation="softmax"))})


# The refused model and arguments, the advice, and what it says.
CASES = {
    "threshold": (
        lambda: (pooled(layers.Dense(3)), {"threshold": 0.4}),
        "Leave out --threshold.",
        lambda _: (pooled(layers.Dense(3)), {}),
    ),
    "declared": (
        lambda: (with_sigmoid(), {"outputs": "logits"}),
        "Leave out outputs= or --outputs.",
        lambda _: (with_sigmoid(), {}),
    ),
    "constant": (
        lambda: (pooled(layers.Dense(1, activation="softmax")), {}),
        "Train it with a sigmoid, or with two units.",
        lambda _: (with_sigmoid(), {}),
    ),
    "map": (
        lambda: (network(layers.Dense(3, activation="softmax")), {}),
        "Average it: ",
        lambda code: (averaged(code), {}),
    ),
    "size": (
        lambda: (pooled(layers.Dense(3), shape=(None, None, 3)), {}),
        "Change image_size= or --image_size to the height and width of the images, as in ",
        lambda size: (pooled(layers.Dense(3), shape=(None, None, 3)), {"image_size": eval(size)}),
    ),
    "flat": (
        lambda: (flat(63), {}),
        "Change image_size= or --image_size to the height and width of the images",
        lambda _: (flat(63), {"image_size": (7, 9)}),
    ),
    "other size": (
        lambda: (pooled(layers.Dense(3)), {"image_size": (5, 5)}),
        "Leave out image_size= or --image_size, or change it to ",
        lambda size: (pooled(layers.Dense(3)), {"image_size": eval(size)}),
    ),
    "numbers": (
        lambda: (pooled(layers.Dense(3), dtype="bool"), {}),
        "Build it on numbers: ",
        lambda code: (
            keras.Sequential([eval(code, {"keras": keras}), *pooled(layers.Dense(3), dtype="bool").layers]),
            {},
        ),
    ),
    "video": (
        lambda: (keras.Sequential([keras.Input((2, 4, 6, 3)), layers.Flatten(), layers.Dense(3)]), {}),
        "Put a layer that takes images in front: keras.Sequential([keras.Input((height, width, channels)), ..., model]).",
        lambda _: (
            keras.Sequential(
                [
                    keras.Input(SHAPE),
                    layers.Reshape((2, 4, 6, 3)),
                    keras.Sequential([keras.Input((2, 4, 6, 3)), layers.Flatten(), layers.Dense(3)]),
                ]
            ),
            {},
        ),
    ),
    "grey": (
        lambda: (pooled(layers.Dense(3), shape=(8, 6, 1)), {"channels": "bgr"}),
        "Leave out --channels.",
        lambda _: (pooled(layers.Dense(3), shape=(8, 6, 1)), {}),
    ),
    "unbuilt": (
        lambda: (keras.Sequential([layers.Flatten(), layers.Dense(3)]), {}),
        "Call it on a batch of images first.",
        lambda _: (called(), {}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_advice_works(name):
    refused, advice, follow = CASES[name]
    model, arguments = refused()
    with pytest.raises(UserError) as error:
        Classifier.from_keras(model, **arguments)
    assert advice in error.value.hint
    rest = error.value.hint.partition(advice)[2].rstrip(".")
    model, arguments = follow(rest)
    assert Classifier.from_keras(model, **arguments).num_classes in (2, 3)
