"""Properties of all recipes of robust training: statistics of the network, default step sizes, and robustness."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stripes import stripes
from tfinv import attacks, datasets, models
from tfinv.classifier import Classifier
from tfinv.training.base import Plan
from tfinv.training.defences import defence
from tfinv.training.fit import fit

DATA = stripes(16)
BATCH = tf.constant(DATA.images), tf.constant(DATA.labels)
MOMENTUM = 0.8


def normalising_net():
    """Batch normalisation of the pixels: its averages are those of the images it has seen."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(DATA.image_shape),
            keras.layers.BatchNormalization(momentum=MOMENTUM),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="relu", name="encoding"),
            keras.layers.Dense(2),
        ]
    )


def averages(images, previous=(0.0, 1.0)):
    """What one more pass makes of the moving mean and variance."""
    mean, variance = previous
    return (
        MOMENTUM * mean + (1 - MOMENTUM) * np.mean(images),
        MOMENTUM * variance + (1 - MOMENTUM) * np.var(images),
    )


def training_of(spec):
    model = defence(spec).training(Plan(normalising_net(), DATA, 1, 16))
    # What is called outside the optimizer's updates shall see the same weights.
    model.compile(keras.optimizers.SGD(0.0))
    layer = model.classifier.layers[0]
    return model, lambda: (layer.moving_mean.numpy()[0], layer.moving_variance.numpy()[0])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["adversarial", "fast", "nfgsm", "trades", "mart"])
def test_what_seeks_a_perturbation_leaves_the_statistics_alone(name, norm):
    model, statistics = training_of(f"{name}(eps=.2,norm={norm})")
    inputs = model.prepare(*BATCH)
    assert statistics() == (0.0, 1.0)
    # One pass each over the images of the objective, in their order, and no other.
    expected = (0.0, 1.0)
    for images in inputs:
        expected = averages(images.numpy(), expected)
    model.train_step(BATCH)
    np.testing.assert_allclose(statistics(), expected, rtol=1e-4)


def test_free_sees_its_images_once_a_replay():
    model, statistics = training_of("free(eps=0,replays=3)")
    model.train_step(BATCH)
    expected = (0.0, 1.0)
    for _ in range(3):
        expected = averages(DATA.images, expected)
    np.testing.assert_allclose(statistics(), expected, rtol=1e-4)


def test_combined_sees_the_clean_images_once_more():
    model, statistics = training_of("fast(eps=.2)+positive")
    (perturbed,) = model.inner.prepare(*BATCH)
    model.train_step(BATCH)
    np.testing.assert_allclose(statistics(), averages(perturbed.numpy(), averages(DATA.images)), rtol=1e-4)


@pytest.mark.parametrize(
    ("spec", "step_length"),
    [
        ("adversarial(eps=.2)", 0.05),
        ("trades(eps=.2)", 0.05),
        ("mart(eps=.2)", 0.05),
        ("fast(eps=.2)", 0.25),
        ("nfgsm(eps=.2)", 0.2),
        ("free(eps=.2)", 0.2),
        ("fast(eps=.2,step_size=.3)", 0.3),
    ],
)
def test_a_step_is_the_sources_share_of_eps(spec, step_length):
    assert defence(spec).step_length == pytest.approx(step_length)


@pytest.mark.parametrize("name", ["adversarial", "fast", "nfgsm", "free", "trades", "mart"])
def test_eps_is_the_fields_in_each_norm(name):
    assert defence(name).radius == pytest.approx(8 / 255)
    assert defence(f"{name}(norm=l2)").radius == pytest.approx(128 / 255)
    assert defence(f"{name}(eps=.1,norm=l2)").radius == 0.1
    assert (
        defence(f"{name}(eps=128/255,norm=l2)") == defence(f"{name}(norm=l2)") != defence(f"{name}(eps=8/255,norm=l2)")
    )
    model, _ = training_of(f"{name}(norm=l2)")
    moved = next(x for x in model.prepare(*BATCH) if np.ptp(x - BATCH[0]) > 0)
    lengths = np.linalg.norm((moved - BATCH[0]).numpy().reshape(len(moved), -1), axis=1)
    # More than eight 255ths even where a pixel's bounds cut it.
    assert lengths.max() > 4 * 8 / 255


@pytest.mark.proof
def test_a_robust_recipe_withstands_what_fools_a_natural_network():
    train = datasets.load("mnist5k", "train").take(2000)
    test = datasets.load("mnist5k", "test").take(200)
    accuracies = {}
    for spec in ("none", "fast(eps=.15,ramp=.5)"):
        keras.utils.set_random_seed(0)
        network = models.cnn(train.image_shape, 10, filters=(16, 32), units=32)
        model = defence(spec).training(Plan(network, train, 4, 50))
        model.compile(keras.optimizers.Adam(2e-3))
        fit(model, train, epochs=4, batch_size=50)
        classifier = Classifier.from_keras(model.export_classifier())
        clean = np.mean(classifier.predict(test.images).argmax(1) == test.labels)
        result = attacks.PGD(eps=0.1, steps=20)(classifier, test.images, test.labels)
        accuracies[spec] = clean, 1 - np.mean(result.success)
    (natural, natural_under_attack), (robust, robust_under_attack) = accuracies.values()
    assert min(natural, robust) > 0.85
    assert robust_under_attack > natural_under_attack + 0.3
