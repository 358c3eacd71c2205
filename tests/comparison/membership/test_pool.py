"""Parts of a data set, and their places in a pool."""

import numpy as np
import pytest

from stripes import stripes
from tfinv.comparison.membership.pool import Part, first, load_parts, overlap, positions
from tfinv.errors import UserError

SPLITS = {"train": stripes(30), "test": stripes(12, seed=1)}


def load(split, limit):
    return SPLITS[split] if limit is None else SPLITS[split].take(limit)


def test_parts_are_read_and_written():
    texts = {"train": (0, None), "train[:5]": (0, 5), "train[5:]": (5, None), "train[5:9]": (5, 9)}
    for text, (start, stop) in texts.items():
        assert Part.parse(text, "--pool") == Part("train", start, stop)
    assert str(Part("train", 5, 9)) == "train[5:9]"
    assert Part.parse(str(Part("train", 5, 9)), "--pool") == Part("train", 5, 9)


@pytest.mark.parametrize("text", ["train[3]", "train[5:5]", "train[:0]", "train[9:5]", "train[-3:]", "", "a b"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(UserError, match=r"^Expected .* Change --members\.$"):
        Part.parse(text, "--members")


def test_parts_are_loaded_one_after_another():
    parts, data = load_parts(["test[2:5]", "train[28:]"], load, "--pool")
    assert parts == (Part("test", 2, 5), Part("train", 28, 30))
    expected = np.concatenate([SPLITS["test"].images[2:5], SPLITS["train"].images[28:]])
    np.testing.assert_array_equal(data.images, expected)
    np.testing.assert_array_equal(
        data.labels, np.concatenate([SPLITS["test"].labels[2:5], SPLITS["train"].labels[28:]])
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["test[:13]"], r"a part of the 12 images of test.*test\[0:13\]"),
        (["test[12:]"], r"a part of the 12 images of test.*test\[12:\]"),
        (["train[:9]", "train[8:]"], r"without common images.*train\[0:9\] and train\[8:30\]"),
    ],
)
def test_parts_that_are_not_there_or_overlap_are_refused(texts, message):
    with pytest.raises(UserError, match=message + r".*Change --pool\."):
        load_parts(texts, load, "--pool")


def test_places_are_those_of_the_same_images():
    pool = (Part("test", 2, 8), Part("train", 10, 20), Part("train", 0, 5))
    parts = (Part("train", 3, 5), Part("test", 4, 6), Part("train", 10, 11))
    assert positions(parts, pool, "--members").tolist() == [19, 20, 2, 3, 6]
    assert positions((Part("train", 0, 5),), (Part("train", 0, 2), Part("train", 2, 5)), "").tolist() == [*range(5)]
    with pytest.raises(UserError, match=r"images of test\[2:8\] and .*Received: train\[4:6\].*--members"):
        positions((Part("train", 4, 6),), pool, "--members")


def test_parts_with_common_images_and_those_of_the_first_images():
    assert overlap([Part("train", 0, 5), Part("test", 0, 5), Part("train", 5, 9)]) == ""
    assert overlap([Part("train", 0, 5), Part("train", 4, 9)]) == "train[0:5] and train[4:9]"
    assert first((Part("train", 3, 6), Part("test", 0, 4)), 5) == (Part("train", 3, 6), Part("test", 0, 2))
    assert first((Part("train", 3, 6), Part("test", 0, 4)), 2) == (Part("train", 3, 5),)
