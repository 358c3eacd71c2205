"""Budget of an audit that ends in seconds, and a subject for it: a small network on 8 x 8 digits."""

import functools

import keras
import numpy as np

from tfinv import datasets
from tfinv.auditing.budget import AttackBudget, Budget, InversionBudget
from tfinv.evaluation.robustness.checks import Effort

SIZE = 8
TRAIN, TEST = 300, 60

TINY = Budget(
    "quick",
    images=40,
    probed=40,
    corrupted=5,
    attacks=AttackBudget(
        images=12,
        curve=("noise", "fgsm", "pgd(steps=4)"),
        strongest=("apgdt(steps=3,n_targets=2)",),
        minimal="fmn(steps=10)",
        scores_strongest=("square(queries=20)",),
        labels_minimal="hopskipjump(norm=linf,queries=120)",
        effort=Effort(images=8, steps=4, queries=10, draws=5),
    ),
    inversion=InversionBudget(
        methods=("gradient(steps=5)",),
        scores_methods=("network(steps=5)",),
        labels_methods=(),
        classes=3,
        samples=2,
        evaluators=("mlp(units=8)", "softmax"),
        images=60,
        epochs=2,
    ),
    members=30,
    shadows=0,
    shadow_epochs=2,
)


@functools.cache
def digits(split):
    count = {"train": TRAIN, "test": TEST}[split]
    return datasets.load("mnist5k", split, image_size=(SIZE, SIZE)).take(count)


@functools.cache
def network():
    """Returns a network trained on the training digits, from images in [0, 1] to logits."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((SIZE, SIZE, 1)), keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(digits("train").images, digits("train").labels, epochs=6, batch_size=32, verbose=0)
    return model


def save(folder):
    """Writes the network and its digits, as model.keras and digits.npz."""
    network().save(folder / "model.keras")
    train, test = digits("train"), digits("test")
    pixels = {f"x_{data.split}": data.pixels for data in (train, test)}
    np.savez(folder / "digits.npz", **pixels, y_train=train.labels, y_test=test.labels)
