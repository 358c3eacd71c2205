"""Foolbox as a reference: on a trained model, at equal settings, the robust accuracy is no higher than with Foolbox."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import attacks, datasets, models
from tfinv.classifier import Classifier
from tfinv.training.fit import fit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports a name that SciPy has moved
    import foolbox

COUNT, BATCH, SEEDS = 400, 200, 2


@pytest.fixture(scope="module")
def victim():
    """A small net trained on 2,000 digits, and test images that it classifies correctly."""
    train, test = datasets.load("mnist5k", "train").take(2000), datasets.load("mnist5k", "test")
    keras.utils.set_random_seed(0)
    model = models.cnn(train.image_shape, 10, filters=(8, 16), units=32)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, train, epochs=6, batch_size=32)
    classifier = Classifier.from_keras(model)
    right = classifier.predict(test.images).argmax(1) == test.labels
    return model, classifier, test.images[right][:COUNT], test.labels[right][:COUNT]


def label_rate(classifier, images, labels):
    return np.mean(classifier.predict(images).argmax(1) == labels)


def foolbox_accuracy(attack, victim, eps, seed, count):
    model, classifier, x, y = victim
    x, y = x[:count], y[:count]
    tf.random.set_seed(seed)
    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
    batches = []
    for i in range(0, len(x), BATCH):
        inputs, labels = tf.constant(x[i : i + BATCH]), tf.constant(y[i : i + BATCH])
        criterion = foolbox.criteria.Misclassification(labels)
        batches.append(attack(wrapped, inputs, criterion, epsilons=eps)[1].numpy())
    images = np.concatenate(batches)
    # Its results may leave the bounds by rounding, so they are clipped; the accuracy is that which its users would measure.
    return label_rate(classifier, np.clip(images, 0, 1), y)


def accuracy(attack, victim, seed, count):
    _, classifier, x, y = victim
    return label_rate(
        classifier, attack(classifier, x[:count], y[:count], seed=seed, batch_size=BATCH).images, y[:count]
    )


SAME = {
    "fgsm": (lambda e: attacks.FGSM(eps=e, loss="cross_entropy"), foolbox.attacks.LinfFastGradientAttack, 0.07),
    "fgsm-l2": (
        lambda e: attacks.FGSM(eps=e, norm="l2", loss="cross_entropy"), foolbox.attacks.L2FastGradientAttack, 0.7
    ),
    "pgd": (
        lambda e: attacks.PGD(eps=e, steps=20, step_size=e / 8),
        lambda: foolbox.attacks.LinfPGD(rel_stepsize=1 / 8, steps=20),
        0.07,
    ),
    "pgd-l2": (
        lambda e: attacks.PGD(eps=e, norm="l2", steps=20, step_size=e / 8),
        lambda: foolbox.attacks.L2PGD(rel_stepsize=1 / 8, steps=20),
        0.7,
    ),
    "bim": (
        lambda e: attacks.BIM(eps=e, steps=10),
        lambda: foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=1 / 10, steps=10),
        0.07,
    ),
    "deepfool": (
        lambda e: attacks.attack("deepfool(norm=l2)", eps=e), lambda: foolbox.attacks.L2DeepFoolAttack(steps=50), 0.7
    ),
    "cw": (
        lambda e: attacks.attack("cw(binary_search_steps=4,steps=100)", eps=e),
        lambda: foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=4, steps=100, stepsize=0.01, initial_const=1.0),
        0.7,
    ),
    "fmn": (
        lambda e: attacks.attack("fmn(norm=linf)", eps=e), lambda: foolbox.attacks.LInfFMNAttack(steps=100), 0.07
    ),
}  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize("name", SAME)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_at_equal_settings_no_more_is_left_standing(name, victim):
    make, foolbox_attack, eps = SAME[name]
    # Attacks with random draws are averaged over seeds; attacks with many gradients per image get fewer images.
    seeds, count = (
        (range(SEEDS) if name.startswith("pgd") else range(1)),
        {"cw": 50, "fmn": 100, "deepfool": 100}.get(name, COUNT),
    )
    robust = np.mean([accuracy(make(eps), victim, seed, count) for seed in seeds])
    reference = np.mean([foolbox_accuracy(foolbox_attack(), victim, eps, seed, count) for seed in seeds])
    assert robust <= reference + 0.005, f"{name} at {eps}: {robust}, with Foolbox {reference}"
    assert robust < 1.0
