"""The check that an attacker's images do not come from the training set, which an attack on privacy may not use."""

import hashlib
from collections.abc import Mapping

import numpy as np

from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check

_BLOCK = 4096


def image_hashes(images: np.ndarray) -> list[bytes]:
    """Hashes each image's pixels, at 8 bits, and its shape.

    Thanks to the rounding, an image that was stored, or moved to other bounds and back, has the same hash.

    Args:
      images: (n, H, W, C) in [0, 1].
    """
    levels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    shape = str(levels.shape[1:]).encode()
    return [hashlib.blake2b(shape + image.tobytes(), digest_size=16).digest() for image in levels]


def are_copies(candidates: Dataset, training: Dataset) -> np.ndarray:
    """Returns (n,) bool: whether each of the n candidates is a training image."""
    training_hashes = set(_dataset_hashes(training))
    return np.array([h in training_hashes for h in _dataset_hashes(candidates)], bool)


def without_copies(candidates: Dataset, training: Dataset) -> Dataset:
    """Leaves out images that are training images too.

    Args:
      candidates: images for an attacker.
      training: the victim's training set.

    Returns:
      The others; if all are training images, all of them, so that `no_training_data_used` fails.
    """
    others = ~are_copies(candidates, training)
    return candidates.subset(others) if others.any() else candidates


def no_training_data_used(images: Mapping[str, np.ndarray | None], training: Dataset) -> Check:
    """Checks that no image of the attacker is a training image, the mean of all of them, or the mean of a class of them.

    Args:
      images: the attacker's, by a name for the evidence: auxiliary images, starts, the average image; (n, H, W, C) in [0, 1], or
        None. Images of one grey value are passed over, since they belong to no data set.
      training: the victim's training set.
    """
    advice = (
        "The attacker was given what it is supposed to find, so its reconstructions prove no leak. Give it held-out images, or "
        "other people's, and starts that do not come from the training set."
    )
    candidates = {k: np.asarray(v, np.float32) for k, v in images.items() if v is not None and len(v)}
    candidates = {k: v[np.ptp(v.reshape(len(v), -1), axis=1) > 0] for k, v in candidates.items()}
    candidates = {k: v for k, v in candidates.items() if len(v)}
    if not candidates:
        return Check("no-training-data-used", None, "the attacker was given no images", advice)
    training_hashes = set(_dataset_hashes(training))
    mean_hashes = set(image_hashes(_means(training))) - training_hashes
    evidence, passed = [], True
    for name, array in candidates.items():
        hashes = image_hashes(array)
        copies, averages = sum(h in training_hashes for h in hashes), sum(h in mean_hashes for h in hashes)
        passed &= copies + averages == 0
        suffix = f" and {averages:,} that are means of training images" if averages else ""
        evidence.append(f"{name}: {copies:,} of {len(array):,} are training images{suffix}")
    return Check(
        "no-training-data-used",
        passed,
        f"{'; '.join(evidence)} (compared with {len(training):,} at 8 bits)",
        advice,
    )


def _dataset_hashes(data: Dataset) -> list[bytes]:
    """`image_hashes` of all images of a data set, in order."""
    blocks = (data.images_at(slice(start, start + _BLOCK)) for start in range(0, len(data), _BLOCK))
    return [h for block in blocks for h in image_hashes(block)]


def _means(training):
    """(1 + classes, H, W, C) the mean of all training images, and of each class's."""
    totals = np.zeros((training.num_classes, *training.image_shape))
    for start in range(0, len(training), _BLOCK):
        block = slice(start, start + _BLOCK)
        np.add.at(totals, training.labels[block], training.images_at(block))
    counts = np.bincount(training.labels, minlength=training.num_classes)
    present = counts > 0
    classes = totals[present] / counts[present, None, None, None]
    return np.concatenate([totals.sum(0, keepdims=True) / len(training), classes]).astype(np.float32)
