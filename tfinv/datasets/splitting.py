"""Seeded, stratified splits for data sets without a split of their own."""

import numpy as np

from tfinv.errors import expected

TRAIN_FRACTION = 0.8


def split_indices(labels: np.ndarray, split: str, num_train: np.ndarray, seed: int) -> np.ndarray:
    """Returns the indices of a split, in shuffled order.

    All images are shuffled by `numpy.random.default_rng(seed)`; of each class the first `num_train` in that
    order are the training set, the others the test set. Each split is shuffled once more, so that its first
    images are from all classes alike.

    Args:
      labels: (n,) integers.
      split: "train", "test" or "all".
      num_train: (num_classes,) training images of each class.
      seed: a whole number from 0.

    Returns:
      Indices into `labels`. Those of "train" and "test" are disjoint, and together all.

    Raises:
      UserError: the seed is negative.
    """
    if seed < 0:
        raise expected("a seed from 0", seed, "Change --seed.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    if split == "all":
        return order
    shuffled = labels[order]
    in_train = np.zeros(len(labels), bool)
    for label, count in enumerate(num_train):
        in_train[np.flatnonzero(shuffled == label)[:count]] = True
    # without this, the test set would begin with the classes whose training images were complete first
    return rng.permutation(order[in_train if split == "train" else ~in_train])


def eighty_twenty(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the number of images that make up 80 % of each class, rounded.

    Of a class with two images or more, at least one is left for the test set.

    Args:
      labels: (n,) integers in 0..num_classes-1.
      num_classes: the number of classes.

    Returns:
      (num_classes,) integers.
    """
    counts = np.bincount(labels, minlength=num_classes)
    rounded = np.rint(TRAIN_FRACTION * counts).astype(np.int64)
    return np.where(counts > 1, np.clip(rounded, 1, counts - 1), counts)
