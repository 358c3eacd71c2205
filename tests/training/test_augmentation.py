"""Augmentation: each image another window of its frame, exactly."""

import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv.training.augmentation import crop, crop_flip
from tfinv.training.base import ClassifierTraining

IMAGES = np.random.default_rng(0).uniform(0.1, 1, (400, 8, 8, 1)).astype(np.float32)


def pad(padding):
    return np.pad(IMAGES, [(0, 0), (padding, padding), (padding, padding), (0, 0)])


def offsets(crops, frames):
    """Where each image was cut out, (n, 2), and nothing but that."""
    positions = []
    for image, frame in zip(crops, frames, strict=True):
        starts = range(len(frame) - 7)
        windows = [(i, j) for i in starts for j in starts if np.array_equal(frame[i : i + 8, j : j + 8], image)]
        assert len(windows) == 1
        positions += windows
    return np.array(positions)


def test_each_image_has_an_offset_of_its_own():
    positions = offsets(crop(tf.constant(IMAGES), tf.constant([1, 2])).numpy(), pad(4))
    assert positions.min() == 0
    assert positions.max() == 8
    # 400 draws from nine values: each comes between 20 and 75 times but once in a million.
    for axis in range(2):
        assert all(20 < count < 75 for count in np.bincount(positions[:, axis], minlength=9))
    assert abs(np.corrcoef(positions.T)[0, 1]) < 0.2


def test_the_padding_is_how_far_an_image_moves():
    positions = offsets(crop(tf.constant(IMAGES), tf.constant([1, 2]), padding=1).numpy(), pad(1))
    assert set(map(tuple, positions)) == {(i, j) for i in range(3) for j in range(3)}


def test_every_other_image_is_mirrored():
    seed = tf.constant([1, 2])
    augmented = crop_flip(tf.constant(IMAGES), seed).numpy()
    cropped = crop(tf.constant(IMAGES), tf.random.split(seed, 2)[0]).numpy()
    mirrored = (augmented != cropped).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(augmented[mirrored], cropped[mirrored][:, :, ::-1])
    assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize("function", [crop, crop_flip])
def test_the_seed_decides(function):
    first, repeated, other = (function(tf.constant(IMAGES), tf.constant([0, s])).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(first, repeated)
    assert (first != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_a_step_learns_from_the_augmented_images_of_its_own_draw():
    data = stripes(16)

    class RecordingTraining(ClassifierTraining):
        """Records the images of its last step."""

        def prepare(self, images, labels):
            self.recorded = images.numpy()
            return (images,)

    training = RecordingTraining(small_net(data), seed=3)
    training.augmentation = crop
    training.compile()
    batches = []
    for _ in range(2):
        expected = crop(tf.constant(data.images), training.step_seed(7)).numpy()
        training.train_step((tf.constant(data.images), tf.constant(data.labels)))
        np.testing.assert_array_equal(training.recorded, expected)
        batches.append(expected)
    assert not np.array_equal(*batches)
