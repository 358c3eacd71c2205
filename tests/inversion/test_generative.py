"""GMI, PLG and MIFace behind a denoising autoencoder: their networks, how often these are trained, and that they find the class."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import datasets, models
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import GMI, PLG, Knowledge, MIFaceDAE, auxiliary, denoising, invert, vae, views
from tfinv.inversion.generative import negative_log_density
from tfinv.inversion.processing import denoise

SHAPE = (6, 5, 1)
TINY = {"latent": 3, "width": 2, "updates": 5}


def noise(n=12, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(size=(n, *shape)).astype(np.float32)


def linear(classes=3, seed=2):
    matrix = np.random.default_rng(seed).normal(size=(30, classes)).astype(np.float32)
    return Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, 30]) @ matrix, input_shape=SHAPE, num_classes=classes, outputs="logits"
    )


@pytest.fixture
def trainings(monkeypatch):
    """Counts the trainings, starting with an empty cache."""
    monkeypatch.setattr(auxiliary, "_CACHE", type(auxiliary._CACHE)())
    calls, fit = [], auxiliary.fit
    monkeypatch.setattr(auxiliary, "fit", lambda *a, **k: (calls.append(1), fit(*a, **k)))
    return calls


def test_divergence_is_that_of_two_normal_distributions():
    mean, log_variance = (
        tf.constant([[0.0, 0.0], [1.0, -2.0]]),
        tf.constant([[0.0, 0.0], [np.log(4.0), 0.0]], tf.float32),
    )
    # KL(N(m, s^2) || N(0, 1)) = -log s + (s^2 + m^2) / 2 - 1/2.
    np.testing.assert_allclose(vae.divergence(mean, log_variance), [0, -np.log(2) + 2.5 - 0.5 + 2], atol=1e-6)


def test_reconstruction_is_the_cross_entropy_of_pixels():
    images = tf.reshape(tf.constant([[1.0, 0.0], [0.5, 0.25]]), [2, 1, 2, 1])
    logits = tf.reshape(tf.math.log([[3.0, 1 / 3], [1.0, 3.0]]), [2, 1, 2, 1])  # probabilities .75 .25; .5 .75
    cross_entropy = [-2 * np.log(0.75), np.log(2) - 0.25 * np.log(0.75) - 0.75 * np.log(0.25)]
    np.testing.assert_allclose(vae.reconstruction(images, logits), cross_entropy, rtol=1e-6)


def test_negative_log_density():
    z = np.float32([[0, 0], [3, 4]])
    exact = [np.sum(0.5 * np.log(2 * np.pi) + row**2 / 2) for row in z]
    np.testing.assert_allclose(negative_log_density(tf.constant(z)), np.array(exact) - exact[0], rtol=1e-6)


def test_training_lowers_the_negative_elbo_and_the_seed_fixes_it(trainings):
    images = np.repeat(noise(2).round(), 10, axis=0)

    def bound(updates):
        network = vae.train_vae(images, settings=vae.Settings(latent=2, width=4, updates=updates))
        return vae.negative_elbo(network, tf.constant(images), tf.zeros([20, 0]), tf.constant([0, 0])).numpy().mean()

    assert bound(1500) < 0.5 * bound(1)
    first = vae.train_vae(images, settings=vae.Settings(latent=2, width=4, updates=20))
    auxiliary._CACHE.clear()
    again = vae.train_vae(images, settings=vae.Settings(latent=2, width=4, updates=20))
    assert again is not first
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_decodes_into_unit_images_and_knows_its_classes():
    network = vae.train_vae(noise(), np.array([0, 2] * 6), 4, vae.Settings(**TINY))
    z = tf.constant(np.random.default_rng(1).normal(size=(4, 3)) * 50, tf.float32)
    images = network.decode(z, tf.range(4)).numpy()
    assert images.shape == (4, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(network.code(tf.range(4)), np.diag([1, 0, 1, 0]))
    same = tf.ones([4, 3])
    np.testing.assert_array_equal(network.decode(same, tf.range(4))[1], network.decode(same, tf.range(4))[3])
    assert not np.allclose(network.decode(same, tf.range(4))[0], network.decode(same, tf.range(4))[2])


@pytest.mark.proof
@pytest.mark.parametrize("method", [GMI(steps=2, **TINY), MIFaceDAE(steps=2, latent=3, units=4, updates=5)])
def test_one_training_serves_all_victims_and_files_all_runs(trainings, method, tmp_path):
    knowledge = Knowledge(noise(), np.arange(12) % 3)
    first = invert(linear(), [0, 1], method, knowledge=knowledge)
    again = invert(linear(), [0, 1], method, knowledge=Knowledge(noise(), np.arange(12) % 3))
    np.testing.assert_array_equal(first.images, again.images)
    invert(linear(seed=3), [2], method, knowledge=knowledge, seed=5)
    assert len(trainings) == 1
    invert(linear(), [0], method, knowledge=Knowledge(noise(seed=1), np.arange(12) % 3))
    assert len(trainings) == 2
    with_folder = type(method)(**{f: getattr(method, f) for f in ("steps", "latent", "updates")}, folder=str(tmp_path))
    before = invert(linear(), [0], with_folder, knowledge=knowledge)
    count = len(trainings)
    auxiliary._CACHE.clear()
    after = invert(linear(), [0], with_folder, knowledge=knowledge)
    np.testing.assert_allclose(after.images, before.images, atol=1e-6)
    assert len(trainings) == count
    (file,) = tmp_path.glob("*.npz")
    np.savez(file, np.zeros(3))
    auxiliary._CACHE.clear()
    with pytest.raises(UserError, match=r"the weights of this network.*Delete it"):
        invert(linear(), [0], with_folder, knowledge=knowledge)


def test_pseudo_labels_are_the_victims(trainings, monkeypatch):
    training_labels, train = [], vae.train_vae

    def record(images, labels, *arguments):
        training_labels.append(labels)
        return train(images, labels, *arguments)

    monkeypatch.setattr(vae, "train_vae", record)
    victim, knowledge = linear(), Knowledge(noise(), source="images")
    plg = PLG(steps=1, crop=0.8, **TINY)
    result = invert(victim, [1], plg, knowledge=knowledge)
    np.testing.assert_array_equal(training_labels[0], victim.predict(noise()).argmax(1))
    assert result.knowledge == "white box; 12 images"
    labelled = Knowledge(noise(), np.full(12, 2), source="images")
    assert invert(victim, [1], plg, knowledge=labelled).knowledge == "white box; 12 images with labels"
    np.testing.assert_array_equal(training_labels[1], 2)
    invert(victim, [1], GMI(steps=1, **TINY), knowledge=knowledge)
    assert training_labels[2] is None


def test_cost_and_bound():
    gmi = GMI(**TINY)
    logits, labels = tf.zeros([2, 4]), tf.constant([1, 2])
    z = tf.constant([[1.0, -1.0, 0.0], [2.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        gmi.cost(logits, labels, tf.zeros([2, *SHAPE]), z), 100 * np.log(4) + np.array([1, 2]), rtol=1e-6
    )
    np.testing.assert_array_equal(gmi.constrain(z, z, tf.constant(1))[1], [1, 0, 0])
    np.testing.assert_array_equal(PLG(**TINY).constrain(z, z, tf.constant(1)), z)


def test_crop():
    ramp = tf.reshape(tf.range(5.0), [1, 1, 5, 1]) * tf.ones([3, 7, 1, 1])
    np.testing.assert_allclose(views.crop(ramp, 1.0, tf.constant([1, 2])), ramp, atol=1e-6)
    crops = np.stack([views.crop(ramp, 0.5, tf.constant([1, i])).numpy() for i in range(50)])
    np.testing.assert_allclose(crops[:, 0], crops[:, 2])
    width = crops[:, 0, 0, -1, 0] - crops[:, 0, 0, 0, 0]
    assert (width >= 2 - 1e-5).all()
    assert (width <= 4 + 1e-5).all()
    assert np.ptp(width) > 1
    assert crops.min() >= 0
    assert crops.max() <= 4


def test_corrupt_keeps_the_mean():
    images = denoising.corrupt(tf.ones([50, 8, 8, 2]), 0.3, tf.constant([1, 2])).numpy()
    np.testing.assert_allclose(np.unique(images), [0, 1 / 0.7], rtol=1e-6)
    np.testing.assert_array_equal(images[..., 0], images[..., 1])
    assert images.mean() == pytest.approx(1, abs=0.05)


def test_process_dae_decodes_processes_and_encodes():
    method = MIFaceDAE(latent=3, units=4, updates=5, process="denoise", process_every=2)
    autoencoder = denoising.train_denoiser(noise(), denoising.Settings(latent=3, units=4, updates=5))
    codes = tf.constant(np.random.default_rng(0).uniform(size=(2, 3)), tf.float32)
    method = auxiliary.with_networks(method, _network=autoencoder)
    processed = autoencoder.encode(denoise(autoencoder.decode(codes)))
    np.testing.assert_allclose(method.constrain(codes, codes, tf.constant(2)), processed, atol=1e-6)
    np.testing.assert_array_equal(method.constrain(codes, codes, tf.constant(3)), codes)


@pytest.mark.parametrize(
    ("cls", "argument", "value"),
    [(GMI, "latent", 0), (GMI, "condition", "guess"), (GMI, "prior", -1), (PLG, "crop", 0), (PLG, "crop", 1.5)]
    + [(MIFaceDAE, "corruption", 1.0), (MIFaceDAE, "units", 0), (GMI, "updates", 0)],
)
def test_bad_arguments_are_named(cls, argument, value):
    with pytest.raises(UserError, match=rf"Expected .*{argument}"):
        cls(**{argument: value})


@functools.cache
def digits():
    """A small trained net and images that it was not trained on."""
    data = datasets.load("mnist5k", "train")
    order = np.random.default_rng(0).permutation(len(data))
    keras.utils.set_random_seed(0)
    model = models.mlp((28, 28, 1), 10, 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(data.images[order[:2000]], data.labels[order[:2000]], epochs=6, verbose=0)
    return Classifier.from_keras(model), data.images[order[2000:3000]], data.labels[order[2000:3000]]


@pytest.mark.proof
@pytest.mark.parametrize(
    "method",
    [
        GMI(steps=100, latent=8, width=8, updates=800),
        PLG(steps=100, latent=8, width=8, updates=800),
        MIFaceDAE(steps=300, latent=50, units=128, updates=1500, start="noise", process="identity", rate=5.0),
    ],
)
def test_raises_the_victims_confidence(method):
    victim, images, _ = digits()
    result = invert(victim, range(10), method, knowledge=Knowledge(images, source="held-out images of mnist"))
    before = np.exp(-_loss(victim, result.starts, result.labels))
    assert result.confidence.mean() > 0.6
    assert result.confidence.mean() > before.mean() + 0.2
    assert result.knowledge == "white box; 1,000 held-out images of mnist"


def _loss(victim, images, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, victim.predict(images)).numpy()
