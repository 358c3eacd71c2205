"""The L-inf PGD of tfinv behind the peers' signature, plain and accelerated, and the bare gradient of the same model."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks.settings import Run, Settings
from tfinv import Classifier
from tfinv.attacks import APGD, APGDT, PGD, worst_case

PLAIN, FOLDED, BFLOAT16 = "tfinv", "tfinv, folded", "tfinv, folded, bfloat16"
FEWER_RESTARTS = {restarts: f"{BFLOAT16}, restarts: {restarts}" for restarts in (1, 2)}
APGD_TARGETS = f"{BFLOAT16}, APGD and three targets"
RAW_GRADIENT = "raw gradient"


def pgd(classifier: Classifier) -> Run:
    """Sets up PGD on a classifier, plain or accelerated, with the defaults of tfinv."""

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        attack = PGD(eps=settings.eps, steps=settings.steps, step_size=settings.step_size, restarts=settings.restarts)
        result = attack(classifier, images, labels, seed=seed, batch_size=settings.batch_size)
        return result.images, int(result.gradient_calls.sum())

    return run


TFINV: dict[str, Callable[[keras.Model], Run]] = {
    PLAIN: lambda model: pgd(Classifier.from_keras(model)),
    FOLDED: lambda model: pgd(Classifier.from_keras(model).accelerated()),
    BFLOAT16: lambda model: pgd(Classifier.from_keras(model).accelerated(precision="bfloat16")),
}


def fewer_restarts(model: keras.Model, restarts: int) -> Run:
    """Sets up accelerated PGD with fewer restarts than the peers: its loss may need no more for the same accuracy."""
    run = TFINV[BFLOAT16](model)
    return lambda images, labels, settings, seed: run(
        images, labels, dataclasses.replace(settings, restarts=restarts), seed
    )


def apgd_targets(model: keras.Model) -> Run:
    """Sets up other attacks in place of restarts: APGD with the steps of one, and half as many at each of three likely classes."""
    classifier = Classifier.from_keras(model).accelerated(precision="bfloat16")

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        first = APGD(eps=settings.eps, steps=settings.steps)
        attack = worst_case([first, APGDT(eps=settings.eps, steps=max(1, settings.steps // 2), n_targets=3)])
        result = attack(classifier, images, labels, seed=seed, batch_size=settings.batch_size)
        return result.images, int(result.gradient_calls.sum())

    return run


def raw_gradient(model: keras.Model) -> Run:
    """Sets up the bare gradient of the cross-entropy by the images, compiled, called as often as by PGD, without an attack."""

    @tf.function
    def gradient(x, y):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=False)))
        return tape.gradient(loss, x)

    def run(images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int) -> tuple[np.ndarray, int]:
        for start in range(0, len(images), settings.batch_size):
            batch = slice(start, start + settings.batch_size)
            x, y = tf.constant(images[batch]), tf.constant(labels[batch])
            for _ in range(settings.steps * settings.restarts):
                last = gradient(x, y)
            last.numpy()
        return images, len(images) * settings.steps * settings.restarts

    return run
