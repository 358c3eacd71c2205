import numpy as np
import pytest
import tensorflow as tf

from tfinv.datasets import Dataset
from tfinv.errors import UserError

PIXELS = np.arange(10 * 2 * 3, dtype=np.uint8).reshape(10, 2, 3, 1)
LABELS = np.arange(10) % 2


def make(pixels=PIXELS, labels=LABELS, names=("a", "b")):
    return Dataset("toy", "train", pixels, labels, names)


def test_images_are_the_pixels_in_zero_to_one():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = make(every, np.zeros(1, int)).images
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images.ravel() * 255, np.arange(256))
    assert images.min() == 0
    assert images.max() == 1


def test_float_images_stay_as_they_are():
    images = np.linspace(0, 1, 60, dtype=np.float32).reshape(10, 2, 3, 1)
    np.testing.assert_array_equal(make(images).images, images)


def test_properties():
    dataset = make()
    assert (len(dataset), dataset.num_classes, dataset.image_shape) == (10, 2, (2, 3, 1))
    assert dataset.labels.dtype == np.int64


def test_is_read_only_but_leaves_the_callers_arrays_alone():
    pixels = PIXELS.copy()
    dataset = make(pixels)
    with pytest.raises(ValueError, match="read-only"):
        dataset.pixels[0] = 1
    pixels[0] = 1


def test_take_and_subset():
    dataset = make()
    np.testing.assert_array_equal(dataset.take(3).pixels, PIXELS[:3])
    assert len(dataset.take(99)) == 10
    np.testing.assert_array_equal(dataset.subset([7, 1, 1]).pixels, PIXELS[[7, 1, 1]])
    np.testing.assert_array_equal(dataset.subset(LABELS == 1).labels, np.ones(5))


@pytest.mark.parametrize("indices", [[], [10], [-1], [0.5], [[1]]])
def test_subset_refuses(indices):
    with pytest.raises(UserError, match="Expected"):
        make().subset(indices)


def test_take_refuses_nothing():
    with pytest.raises(UserError, match="at least 1"):
        make().take(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": PIXELS.astype(np.float32)}, r"in \[0, 1\].*Received: values in \[0, 59\].*Divide by 255"),
        ({"pixels": np.full((10, 2, 3, 1), np.nan, np.float32)}, "60 NaN"),
        ({"pixels": np.full((10, 2, 3, 1), np.inf, np.float32)}, r"in \[0, 1\]"),
        ({"pixels": PIXELS.astype(np.int64)}, "uint8 or float32. Received: int64"),
        ({"pixels": PIXELS[..., 0]}, r"channels.*\(10, 2, 3\)"),
        ({"pixels": PIXELS.reshape(10, 1, 3, 2)}, "Put the channels last"),
        ({"pixels": PIXELS[:0], "labels": LABELS[:0]}, "at least one image"),
        ({"labels": LABELS[:9]}, "10 images of toy. Received: 9"),
        ({"labels": LABELS + 1}, r"0..1. Received: labels in 1..2"),
        ({"labels": LABELS - 1}, r"Received: labels in -1..0"),
        ({"labels": LABELS * 0.5}, "whole numbers"),
        ({"labels": np.eye(2)[LABELS].astype(int)}, "not one-hot"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(UserError, match=message):
        make(**change)


def batches(dataset, *args, **kwargs):
    return [(x.numpy(), y.numpy()) for x, y in dataset.as_tf(*args, **kwargs)]


def test_as_tf_gives_the_images_in_order():
    dataset = make()
    data = dataset.as_tf(4)
    assert data.element_spec == (
        tf.TensorSpec((None, 2, 3, 1), tf.float32),
        tf.TensorSpec((None,), tf.int64),
    )
    x, y = zip(*batches(dataset, 4), strict=True)
    assert [len(labels) for labels in y] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(x), dataset.images)
    np.testing.assert_array_equal(np.concatenate(y), dataset.labels)


def test_as_tf_drops_the_remainder():
    assert [len(y) for _, y in batches(make(), 4, drop_remainder=True)] == [4, 4]
    with pytest.raises(UserError, match="Received: 11"):
        make().as_tf(11, drop_remainder=True)


def order(data, steps=None):
    data = data if steps is None else data.take(steps)
    return [round(float(x) * 255) // 6 for batch, _ in data for x in batch[:, 0, 0, 0]]


def test_as_tf_shuffles_by_seed_and_epoch_alone():
    first = order(make().as_tf(3, shuffle=True, seed=1))
    assert sorted(first) == list(range(10)) != first
    tf.random.set_seed(5)
    assert order(make().as_tf(4, shuffle=True, seed=1)) == first
    assert order(make().as_tf(3, shuffle=True, seed=2)) != first
    assert order(make().as_tf(3, shuffle=True, seed=1, epoch=1)) != first


def test_as_tf_reads_the_epoch_when_a_pass_begins():
    epoch = tf.Variable(0, dtype=tf.int64)
    data = make().as_tf(5, shuffle=True, seed=1, epoch=epoch)
    first = order(data)
    epoch.assign(1)
    assert order(data) == order(make().as_tf(5, shuffle=True, seed=1, epoch=1)) != first
    assert data.cardinality() == 2


def test_as_tf_keeps_images_and_labels_together():
    dataset = make()
    for x, y in batches(dataset, 3, shuffle=True):
        for image, label in zip(x, y, strict=True):
            assert round(image[0, 0, 0] * 255) // 6 % 2 == label


def test_as_tf_refuses_an_empty_batch():
    with pytest.raises(UserError, match="batch_size"):
        make().as_tf(0)
