"""Clones of the network under audit: how long they are trained, and what they say."""

import keras
import numpy as np
import pytest

import tiny_audit
from tfinv.auditing.questions import clones


@pytest.mark.parametrize(("accuracy", "is_fit"), [(0.79, False), (0.8, True), (0.9, True)])
def test_a_training_ends_once_the_images_are_fit(accuracy, is_fit):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.stop_training = False
    callback = clones.StopWhenFit(0.8)
    callback.set_model(model)
    callback.on_epoch_end(0, {"accuracy": accuracy})
    assert model.stop_training == is_fit


def test_a_clone_is_trained_and_queried():
    network, half = tiny_audit.network(), tiny_audit.digits("train").take(64)
    logits = clones.train(network, half, tiny_audit.digits("test"), clones.Recipe(epochs=3, batch_size=16), 0, 1.0)
    assert logits.shape == (tiny_audit.TEST, 1, 10)
    assert np.mean(logits[:, 0].argmax(1) == tiny_audit.digits("test").labels) > 0.1
