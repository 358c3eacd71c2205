"""Augmentation: each image another window of its frame, exactly."""

import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv.training.augmentation import crop, crop_flip
from tfinv.training.base import ClassifierTraining

IMAGES = np.random.default_rng(0).uniform(0.1, 1, (400, 8, 8, 1)).astype(np.float32)


def framed(padding):
    return np.pad(IMAGES, [(0, 0), (padding, padding), (padding, padding), (0, 0)])


def offsets(found, frames):
    """Where each image was cut out, (n, 2), and nothing but that."""
    places = []
    for one, frame in zip(found, frames, strict=True):
        room = range(len(frame) - 7)
        windows = [(i, j) for i in room for j in room if np.array_equal(frame[i : i + 8, j : j + 8], one)]
        assert len(windows) == 1
        places += windows
    return np.array(places)


def test_each_image_has_an_offset_of_its_own():
    found = offsets(crop(tf.constant(IMAGES), tf.constant([1, 2])).numpy(), framed(4))
    assert found.min() == 0
    assert found.max() == 8
    # 400 draws from nine values: each comes between 20 and 75 times but once in a million.
    for axis in range(2):
        assert all(20 < count < 75 for count in np.bincount(found[:, axis], minlength=9))
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.2


def test_the_padding_is_how_far_an_image_moves():
    found = offsets(crop(tf.constant(IMAGES), tf.constant([1, 2]), padding=1).numpy(), framed(1))
    assert set(map(tuple, found)) == {(i, j) for i in range(3) for j in range(3)}


def test_every_other_image_is_mirrored():
    seed = tf.constant([1, 2])
    found = crop_flip(tf.constant(IMAGES), seed).numpy()
    plain = crop(tf.constant(IMAGES), tf.random.split(seed, 2)[0]).numpy()
    mirrored = (found != plain).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[mirrored], plain[mirrored][:, :, ::-1])
    assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize("function", [crop, crop_flip])
def test_the_seed_decides(function):
    one, same, other = (function(tf.constant(IMAGES), tf.constant([0, s])).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_a_step_learns_from_the_augmented_images_of_its_own_draw():
    data = stripes(16)

    class Seen(ClassifierTraining):
        """Keeps what it learns from."""

        def prepare(self, images, labels):
            self.seen = images.numpy()
            return (images,)

    training = Seen(small_net(data), seed=3)
    training.augmentation = crop
    training.compile()
    steps = []
    for _ in range(2):
        expected = crop(tf.constant(data.images), training.draw(7)).numpy()
        training.train_step((tf.constant(data.images), tf.constant(data.labels)))
        np.testing.assert_array_equal(training.seen, expected)
        steps.append(expected)
    assert not np.array_equal(*steps)
