"""Importing models of keras.applications: logits, gradients and features are found, whatever their preprocessing."""

import keras
import numpy as np
import pytest

from keras_models import CUT, LAYER, assert_same_logits
from tfinv.importing import load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SHAPE = (32, 32, 3)
# Range of the input pixels (some models rescale images themselves), source of the logits, and channels of the last map.
MODELS = {
    "MobileNetV2": ((-1, 1), CUT, 1280),
    "EfficientNetB0": ((0, 255), CUT, 1280),
    "ConvNeXtTiny": ((0, 255), CUT, 768),
    "MobileNetV3Small": ((0, 255), LAYER, 1024),
    "DenseNet121": ((0, 1), CUT, 1024),
    "VGG16": ((0, 255), CUT, 512),
}


# These take a quarter of a minute each.
LARGE = ("ConvNeXtTiny", "DenseNet121", "EfficientNetB0")
PROOF = [pytest.param(name, marks=pytest.mark.proof) for name in LARGE]


@pytest.mark.parametrize("name", [*(name for name in MODELS if name not in LARGE), *PROOF])
def test_is_a_classifier(name, tmp_path):
    bounds, source, channels = MODELS[name]
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=SHAPE, classes=10)
    model.save(tmp_path / "model.keras")
    classifier = load_classifier(tmp_path / "model.keras", bounds)
    images = np.random.default_rng(0).uniform(*bounds, size=(2, *SHAPE)).astype(np.float32)
    assert (classifier.num_classes, classifier.logits_source) == (10, source)
    assert classifier.differentiable
    assert_same_logits(classifier.predict(images), model(images, training=False))
    features = np.asarray(classifier.features(images))
    assert features.shape == (2, channels)
    assert np.ptp(features) > 0


def test_behind_its_own_preprocessing_it_takes_images_from_0_to_1(tmp_path):
    """The wrapper of docs/start-here.md: standardised channels in BGR, which are no range of pixels, and a model in a model."""
    keras.utils.set_random_seed(0)
    model = keras.applications.VGG16(weights=None, input_shape=SHAPE, classes=10)
    inputs = keras.Input(SHAPE)
    whole = keras.Model(inputs, model(keras.applications.vgg16.preprocess_input(255.0 * inputs)))
    whole.save(tmp_path / "model.keras")
    classifier = load_classifier(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(size=(2, *SHAPE)).astype(np.float32)
    assert classifier.logits_source.startswith(CUT)
    seen = images[..., ::-1] * 255 - np.float32([103.939, 116.779, 123.68])
    assert_same_logits(classifier.predict(images), model(seen, training=False))
    assert np.asarray(classifier.features(images)).shape == (2, 512)
