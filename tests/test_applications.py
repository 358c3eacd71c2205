"""Models of keras.applications through the import: logits, gradients and features are found, whatever they do with the pixels."""

import keras
import numpy as np
import pytest

from keras_models import CUT, LAYER, assert_same_logits
from tfinv.importing import load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SHAPE = (32, 32, 3)
# Which range of pixels each takes: the last three rescale images themselves.
MODELS = {
    "MobileNetV2": ((-1, 1), CUT, 1280),
    "EfficientNetB0": ((0, 255), CUT, 1280),
    "ConvNeXtTiny": ((0, 255), CUT, 768),
    "MobileNetV3Small": ((0, 255), LAYER, 1024),
}


@pytest.mark.parametrize("name", MODELS)
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
