"""Whether what an attacker was given comes from the training set, which an attack on privacy may not touch."""

import hashlib
from collections.abc import Mapping

import numpy as np

from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check

_BLOCK = 4096


def image_hashes(images: np.ndarray) -> list[bytes]:
    """A hash of each image's pixels, at 8 bits, and its shape.

    Rounding to 8 bits makes an image equal to itself after it was stored, and moved to other bounds and back.

    Args:
      images: (n, H, W, C) in [0, 1].
    """
    levels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    shape = str(levels.shape[1:]).encode()
    return [hashlib.blake2b(shape + image.tobytes(), digest_size=16).digest() for image in levels]


def are_copies(given: Dataset, training: Dataset) -> np.ndarray:
    """(n,) which of the n given images are training images."""
    known = set(_hashes_of(training))
    return np.array([h in known for h in _hashes_of(given)], bool)


def without_copies(given: Dataset, training: Dataset) -> Dataset:
    """Those of the images that are no training images too; all of them if none is, for then `no_training_data_used` must say so.

    Args:
      given: what an attacker is to be given.
      training: the victim's training set.
    """
    kept = ~are_copies(given, training)
    return given.subset(kept) if kept.any() else given


def no_training_data_used(given: Mapping[str, np.ndarray | None], training: Dataset) -> Check:
    """Nothing that the attacker was given may be a training image, the mean of all of them, or the mean of a class of them.

    Args:
      given: what the attacker was given, by a name for the evidence: auxiliary images, starts, the average image; (n, H, W, C) in
        [0, 1], or None. Images of one grey value are passed over, since they are nobody's.
      training: the victim's training set.
    """
    advice = (
        "The attacker was given what it is supposed to find, so its reconstructions prove no leak. Give it held-out images, or "
        "other people's, and starts that do not come from the training set."
    )
    offered = {k: np.asarray(v, np.float32) for k, v in given.items() if v is not None and len(v)}
    offered = {k: v[np.ptp(v.reshape(len(v), -1), axis=1) > 0] for k, v in offered.items()}
    offered = {k: v for k, v in offered.items() if len(v)}
    if not offered:
        return Check("no-training-data-used", None, "the attacker was given no images", advice)
    known = set(_hashes_of(training))
    means = set(image_hashes(_means(training)))
    found, guilty = [], False
    for what, images in offered.items():
        hashes = image_hashes(images)
        copies, averages = sum(h in known for h in hashes), sum(h in means - known for h in hashes)
        guilty |= copies + averages > 0
        more = f" and {averages:,} that are means of training images" if averages else ""
        found.append(f"{what}: {copies:,} of {len(images):,} are training images{more}")
    return Check(
        "no-training-data-used",
        not guilty,
        f"{'; '.join(found)} (compared with {len(training):,} at 8 bits)",
        advice,
    )


def _hashes_of(data: Dataset) -> list[bytes]:
    """`image_hashes` of all of its images, in order."""
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
