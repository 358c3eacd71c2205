import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import resumable
from stripes import small_net, stripes
from tfinv import models
from tfinv.errors import UserError
from tfinv.training.destruction_training import EXPERIMENTS, DestructionTraining
from tfinv.training.fit import fit
from tfinv.training.images import ReconstructionImages
from tfinv.training.reversal_bounds import BOUNDS, error_levels


def make(experiment, data=None, **kwargs):
    data = data or stripes()
    training = DestructionTraining(small_net(data), experiment, data.images, data.labels, **kwargs)
    training.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return training


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_learns_and_shows_the_decoders_error(experiment):
    data = stripes()
    training = make(experiment, data, strength=1.0)
    logs = fit(training, data, epochs=8, batch_size=16)
    assert logs["accuracy"] > 0.9
    assert logs["reconstruction_loss"] > 0
    assert training.export_classifier() is training.classifier


@pytest.mark.parametrize(("experiment", "sign"), [("positive", 1.0), ("reversal", -0.7)])
def test_encoder_follows_the_scaled_gradient_and_the_decoder_the_real_one(experiment, sign):
    data = stripes(8)
    training = make(experiment, data, strength=0.7, weight=0.5, bound="none", decoder_steps=1)
    training.optimizer = keras.optimizers.SGD(1.0)
    training.decoder_optimizer = keras.optimizers.SGD(1.0)
    training.optimizer.build(training.classifier.trainable_variables)
    training.decoder_optimizer.build(training.decoder.trainable_variables)
    x, y = tf.constant(data.images), tf.constant(data.labels)
    kernel = training.encoder.trainable_variables[0]
    with tf.GradientTape(persistent=True) as tape:
        z = training.encoder(x, training=True)
        classification = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(y, training.head(z, training=True))
        )
        errors = training.relative_errors(training.decoder(z, training=True), x)
        reconstruction = 0.5 * tf.reduce_mean(errors)
    expected = kernel - tape.gradient(classification, kernel) - sign * tape.gradient(reconstruction, kernel)
    weight = training.decoder.trainable_variables[-1]
    expected_decoder = weight - tape.gradient(reconstruction, weight)
    training.train_step((x, y))
    np.testing.assert_allclose(kernel, expected, atol=1e-5)
    np.testing.assert_allclose(weight, expected_decoder, atol=1e-5)


@pytest.mark.parametrize("layer", ["stage2", models.ENCODING])
def test_the_encoder_may_end_elsewhere(layer):
    data = stripes()
    network = models.cnn(data.image_shape, data.num_classes, filters=(4, 4))
    training = DestructionTraining(network, "reversal", data.images, data.labels, layer=layer, bound="none")
    training.compile(keras.optimizers.SGD(1e-2))
    assert training.encoder.output is network.get_layer(layer).output
    training.train_step((tf.constant(data.images), tf.constant(data.labels)))
    assert training.reconstruct(data.images).shape == data.images.shape


def test_shuffled_gives_half_of_the_batch_another_image():
    training = make("shuffled")
    x = tf.reshape(tf.range(10.0), [10, 1, 1, 1])
    targets, is_self = training._targets(x)
    same = targets[:, 0, 0, 0].numpy() == np.arange(10)
    np.testing.assert_array_equal(same, is_self)
    assert is_self.numpy().sum() == 5
    # The others' targets are a permutation among themselves: no image is lost.
    assert sorted(targets[:, 0, 0, 0].numpy()) == list(range(10))


def test_shuffled_passes_the_gradient_of_its_own_image_and_reverses_that_of_another():
    data = stripes(8)
    training = make("shuffled", data, strength=3.0, bound="none")
    z = training.encoder(data.images)
    is_self = tf.constant([True, False] * 4)
    scales = training._scales(z, tf.constant(data.images), tf.constant(data.labels), is_self)
    np.testing.assert_allclose(scales, [-1.0, 3.0] * 4)


def test_pressure_fades_where_the_decoder_knows_no_more_than_the_mean():
    errors, levels = tf.constant([0.0, 0.4, 0.8, 1.0, 2.0]), tf.constant(0.8)
    np.testing.assert_allclose(BOUNDS["none"](errors, levels), [1, 1, 1, 1, 1])
    np.testing.assert_allclose(BOUNDS["mean"](errors, levels), [1, 0.6, 0.2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(BOUNDS["class_mean"](errors, levels), [1, 0.5, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(BOUNDS["normalised"](errors, levels)[:4:3], [2, 0.5])


def test_error_levels_are_those_of_the_mean_images():
    images = np.zeros((4, 1, 1, 1), np.float32)
    images[:, 0, 0, 0] = [0.0, 0.2, 0.8, 1.0]
    total, levels = error_levels(images, np.array([0, 0, 1, 1]))
    assert total == pytest.approx(np.var([0.0, 0.2, 0.8, 1.0]))
    np.testing.assert_allclose(levels, np.array([0.01, 0.01]) / total, rtol=1e-5)


def test_reversal_keeps_the_decoder_from_learning_what_positive_lets_it():
    data = stripes(256)
    errors = {}
    for experiment in ("positive", "reversal"):
        training = make(experiment, data)
        fit(training, data, epochs=10, batch_size=32)
        errors[experiment] = float(np.mean(training.relative_errors(training.reconstruct(data.images), data.images)))
    assert errors["reversal"] > errors["positive"]


@pytest.mark.parametrize(
    ("experiment", "kwargs", "message"),
    [("reversed", {}, "an experiment among"), ("reversal", {"bound": "hope"}, "Change --bound")],
)
def test_wrong_arguments_are_named(experiment, kwargs, message):
    with pytest.raises(UserError, match=message):
        make(experiment, **kwargs)


def test_an_encoder_without_weights_cannot_be_defended():
    data = stripes()
    with pytest.raises(UserError, match="encoder with weights"):
        DestructionTraining(models.softmax(data.image_shape, 2), "reversal", data.images, data.labels)


def test_reconstructions_are_seen_in_tensorboard(tmp_path):
    data = stripes()
    callback = ReconstructionImages(data.images[:3], tmp_path)
    fit(make("positive", data), data, epochs=2, batch_size=32, callbacks=[callback])
    (events,) = (tmp_path / "reconstructions").glob("events*")
    summaries = [v for e in tf.compat.v1.train.summary_iterator(str(events)) for v in e.summary.value]
    assert len(summaries) == 2
    picture = tf.io.decode_png(summaries[-1].tensor.string_val[2])
    assert picture.shape == (16, 24, 1)


def test_a_loss_that_is_not_finite_is_an_error_and_nothing_to_go_on_from(tmp_path):
    data = stripes()
    training = make("positive", data, weight=float("nan"))
    with pytest.raises(UserError, match="finite"):
        fit(training, data, epochs=2, batch_size=16, workdir=tmp_path)
    assert not (tmp_path / "backup").exists()


class KilledAtItsEnd(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        raise KeyboardInterrupt


def test_killed_before_it_could_say_so_it_does_not_go_on_from_what_is_not_finite(tmp_path):
    data, options = stripes(), {"epochs": 2, "batch_size": 16, "workdir": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        fit(make("positive", data, weight=float("nan")), data, callbacks=[KilledAtItsEnd()], **options)
    with pytest.raises(UserError, match="finite"):
        fit(make("positive", data, weight=float("nan")), data, **options)


@pytest.mark.parametrize("name", ["latest.weights.h5", "training_metadata.json"])
def test_a_damaged_backup_is_named(name, tmp_path):
    data, options = stripes(), {"batch_size": 16, "workdir": tmp_path}
    fit(make("positive", data), data, epochs=1, **options)
    (backup,) = (tmp_path / "backup").iterdir()
    (backup / name).write_bytes(b"garbage")
    with pytest.raises(UserError, match=rf"Expected a whole backup of a training. Received: .*{backup.name} .*Remove"):
        fit(make("positive", data), data, epochs=2, **options)


@pytest.mark.proof
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    whole = resumable.train(tmp_path / "whole")
    killed = subprocess.run([sys.executable, resumable.__file__, tmp_path / "killed"], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    # What a kill in the middle of a backup leaves.
    (tmp_path / "killed" / "backup" / "partial").mkdir()
    (tmp_path / "killed" / "backup" / "partial" / "latest.weights.h5").write_bytes(b"half")
    epochs = []
    seen = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    resumed = resumable.train(tmp_path / "killed", seen)
    assert epochs == [2, 3]
    np.testing.assert_array_equal(whole, resumed)


def test_killed_after_its_end_before_its_model_is_saved_it_has_nothing_to_do_again(tmp_path):
    data = stripes()
    whole, again = make("positive", data), make("positive", data)
    options = {"epochs": 2, "batch_size": 32, "workdir": tmp_path}
    assert "loss" in fit(whole, data, **options)
    assert fit(again, data, **options) == {}
    for weights, expected in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)
