import keras
import numpy as np

from tfinv.attacks import FGSM
from tfinv.classifier import Classifier
from tfinv.experiments.artefact import GreyLevelFGSM


def linear():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    return Classifier.from_keras(model)


def test_the_artefact_is_the_same_for_every_eps_below_one_grey_level_and_hardly_moves():
    classifier = linear()
    grey = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 1))
    images = (grey / 255.0).astype(np.float32)
    labels = classifier.predict(images).argmax(1)
    adversarial = [GreyLevelFGSM(eps=e)(classifier, images, labels).images for e in (0.05, 0.1, 0.25)]
    np.testing.assert_array_equal(adversarial[0], adversarial[1])
    np.testing.assert_array_equal(adversarial[0], adversarial[2])
    levels = np.round((adversarial[0] - images) * 255)
    # The cast drops the fraction: what should rise stays, what should fall loses a whole level.
    assert set(np.unique(levels)) == {-1.0, 0.0}
    sign = np.sign(FGSM(eps=0.05)(classifier, images, labels).images - images)
    inside = (grey > 0) & (grey < 255)
    np.testing.assert_array_equal(levels[inside] == -1, sign[inside] < 0)
