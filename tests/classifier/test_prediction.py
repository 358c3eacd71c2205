"""Validation of images and labels, prediction in batches, and conversion of units."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_models import FACTS, IMAGES, LABELS, SHAPE, linear
from tfinv.classifier import Classifier
from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import UserError

CLASSIFIER = Classifier.from_callable(linear, **FACTS, outputs="logits")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES * np.float32(np.nan), "finite pixels. Received: NaN or infinity in 11 images, first in image 0"),
        (np.where(IMAGES > 0.5, np.inf, IMAGES), "finite"),
        (IMAGES * 255, r"within the bounds \[0, 1\].*--bounds"),
        (IMAGES - 0.5, "within the bounds"),
        (IMAGES[0], "Add a batch axis"),
        (IMAGES[..., 0], r"shape \(11, 6, 6\)"),
        (np.moveaxis(IMAGES, -1, 1), "np.moveaxis"),
        (IMAGES[:0], "at least one image"),
        (IMAGES > 0.5, "real number type. Received: bool"),
        (IMAGES.astype(str), "real number type"),
        (IMAGES.astype(complex), "real number type"),
        ([[1], [1, 2]], "an array of images"),
        (None, "real number type. Received: object"),
    ],
)
def test_refused_images(images, message):
    with pytest.raises(UserError, match=message):
        CLASSIFIER.predict(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, "labels from 0 to 3. Received: labels from 1 to 4"),
        (LABELS - 1, "labels from -1 to 2"),
        (LABELS.astype(float), "integer labels"),
        (LABELS[:5], "5 labels for 11 images"),
        (np.eye(4)[LABELS], "argmax"),
        (np.zeros((11, 2, 2), int), "shape"),
    ],
)
def test_refused_labels(labels, message):
    with pytest.raises(UserError, match=message):
        CLASSIFIER.validate(IMAGES, labels)


def test_accepted_inputs():
    images, labels = CLASSIFIER.validate(tf.constant(IMAGES, tf.bfloat16), LABELS[:, None].astype(np.uint8))
    assert (images.dtype, labels.dtype, labels.shape) == (np.float32, np.int64, (11,))
    assert CLASSIFIER.validate(np.ones((1, *SHAPE), np.uint8))[1] is None
    predicted = CLASSIFIER.predict(IMAGES).argmax(-1)
    assert CLASSIFIER.accuracy(IMAGES, predicted, batch_size=3) == 1.0
    assert CLASSIFIER.accuracy(IMAGES, (predicted + (np.arange(11) < 1)) % 4) == pytest.approx(10 / 11)
    with pytest.raises(UserError, match="positive batch size"):
        CLASSIFIER.predict(IMAGES, 0)


def test_run_in_batches_pads_to_one_shape():
    shapes = []

    def fn(x):
        shapes.append(tuple(x.shape))
        return x

    np.testing.assert_array_equal(run_in_batches(fn, IMAGES, 4), IMAGES)
    assert shapes == [(4, *SHAPE)] * 3


@pytest.mark.parametrize("bounds", [(0, 255), (-1, 1), (-2.117904, 2.64), (0.1, 0.7)])
def test_units(bounds):
    classifier = Classifier.from_callable(linear, **FACTS, bounds=bounds, outputs="logits")
    scaled = classifier.from_unit(np.concatenate([IMAGES, np.zeros_like(IMAGES), np.ones_like(IMAGES)]))
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (np.float32(bounds[0]), np.float32(bounds[1]))
    np.testing.assert_allclose(classifier.to_unit(scaled)[:11], IMAGES, atol=1e-6)
    classifier.validate(scaled)


@pytest.mark.proof
def test_many_classifiers_are_no_retracing():
    """TensorFlow warns at most twice per process, so this runs in a subprocess; warnings about the user's functions remain."""
    program = """
import numpy as np, tensorflow as tf
from tfinv.classifier import Classifier
for _ in range(12):
    classifier = Classifier.from_callable(lambda x: x[:, 0, 0], num_classes=3, input_shape=(1, 1, 3), outputs="logits")
    classifier.predict(np.zeros((2, 1, 1, 3), np.float32))
function = tf.function(lambda x: x)
for n in range(12):
    function(n)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert "Predictor.logits" not in done.stderr
    assert "retracing" in done.stderr
