"""Whether declared bounds fit."""

import numpy as np
import tensorflow as tf

from keras_models import FACTS, SHAPE, linear
from tfinv.classifier import Classifier
from tfinv.probing import probe_bounds


def test_probe_bounds():
    """The model tells brightness apart, and expects 0..255."""
    levels = (np.arange(40) % 4 + 0.5) / 4
    images = np.tile(levels[:, None, None, None], (1, *SHAPE)).astype(np.float32)
    labels = np.arange(40) % 4

    def nearest(x):
        return -tf.abs(tf.reduce_mean(x, (1, 2, 3))[:, None] / 255 - tf.constant([[0.125, 0.375, 0.625, 0.875]]))

    wrong = Classifier.from_callable(nearest, **FACTS, outputs="logits")
    assert probe_bounds(wrong, images, labels) == (
        "Accuracy is 25.0% in the declared bounds (0, 1) but 100.0% in (0, 255): "
        "pass bounds=(0, 255) or --bounds=0,255."
    )
    right = Classifier.from_callable(nearest, **FACTS, bounds=(0, 255), outputs="logits")
    assert probe_bounds(right, images, labels) is None
    # In half of its range a model is not near chance, and wrong all the same.
    half = Classifier.from_callable(lambda x: nearest(255 * (0.5 + x / 2)), **FACTS, outputs="logits")
    assert "50.0% in the declared bounds (0, 1) but 100.0% in (-1, 1)" in probe_bounds(
        half, images[labels > 1], labels[labels > 1]
    )
    untrained = Classifier.from_callable(linear, **FACTS, outputs="logits")
    assert probe_bounds(untrained, images, np.random.default_rng(0).permutation(labels)) is None
