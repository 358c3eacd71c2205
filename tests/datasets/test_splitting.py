import numpy as np
import pytest

from tfinv.datasets.splitting import eighty_twenty, split_indices
from tfinv.errors import UserError

LABELS = np.repeat([0, 1, 2], [10, 5, 1])


def test_eighty_twenty_leaves_a_test_image_where_it_can():
    np.testing.assert_array_equal(eighty_twenty(np.repeat(range(5), [10, 5, 2, 1, 100]), 6), [8, 4, 1, 1, 80, 0])


def test_splits_are_disjoint_stratified_and_together_all():
    count = eighty_twenty(LABELS, 3)
    train, test = (split_indices(LABELS, split, count, 0) for split in ("train", "test"))
    np.testing.assert_array_equal(np.bincount(LABELS[train], minlength=3), [8, 4, 1])
    np.testing.assert_array_equal(np.bincount(LABELS[test], minlength=3), [2, 1, 0])
    assert sorted([*train, *test]) == list(range(16))
    assert sorted(split_indices(LABELS, "all", count, 0)) == list(range(16))


def test_the_seed_decides():
    count = eighty_twenty(LABELS, 3)
    first = split_indices(LABELS, "train", count, 0)
    np.testing.assert_array_equal(first, split_indices(LABELS, "train", count, 0))
    assert list(first) != list(split_indices(LABELS, "train", count, 1))


def test_the_first_images_are_of_mixed_classes():
    labels = np.repeat(range(10), 100)
    for split in ("train", "test", "all"):
        order = split_indices(labels, split, np.full(10, 80), 0)
        for part in (order[:30], order[-30:]):
            assert len(set(labels[part])) > 7


def test_refuses_a_negative_seed():
    with pytest.raises(UserError, match="--seed"):
        split_indices(LABELS, "train", np.ones(3), -1)
