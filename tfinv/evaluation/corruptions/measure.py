"""Corrupted images, and the accuracy on them: rows of kind "corruption"."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.evaluation.corruptions import operations
from tfinv.evaluation.corruptions.severities import CORRUPTIONS, SEVERITIES
from tfinv.evaluation.robustness.chunks import Target
from tfinv.evaluation.statistics.intervals import rate_interval

_CHANNELS = (1, 3)


def corrupt(name: str, images: np.ndarray, severity: int, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Corrupts images.

    Args:
      name: of `CORRUPTIONS`.
      images: (n, H, W, C) in [0, 1], of any size, C of 1 or 3.
      severity: 1 to 5; what it means depends on the shorter side, see `severities`.
      rows: (n,) places of the images in their data set, which seed their draws.
      seed: of all draws.

    Returns:
      (n, H, W, C) float32 in [0, 1]; an image's is the same whatever batch it comes in.

    Raises:
      UserError: an unknown corruption or severity, or images of another number of channels.
    """
    if name not in CORRUPTIONS:
        raise expected(f"a corruption among {', '.join(CORRUPTIONS)}", repr(name), "Change `corruption`.")
    _check_channels(images.shape[-1])
    constants = [strength.at(severity, min(images.shape[1:3])) for strength in CORRUPTIONS[name]]
    function = getattr(operations, name)
    # The number of the corruption is in the seed: the noise of two must not be the same.
    number = list(CORRUPTIONS).index(name)
    corrupted = np.empty(images.shape, np.float32)
    for place, (image, row) in enumerate(zip(images, rows, strict=True)):
        rng = np.random.default_rng([seed, number, int(row)])
        corrupted[place] = function(image.astype(np.float64), rng, *constants)
    return np.clip(corrupted, 0, 1, out=corrupted)


def corruption_rows(
    classifier: Classifier,
    images: Any,
    labels: np.ndarray,
    *,
    experiment: str,
    corruptions: Iterable[str] = tuple(CORRUPTIONS),
    seed: int = 0,
    batch_size: int = 256,
) -> list[dict[str, Any]]:
    """Measures the accuracy under each corruption at each severity.

    The images are taken a few batches at a time, so memory does not grow with their number if `images` makes them on demand.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds: an array, or what has a length and gives arrays for slices.
      labels: (n,), n of at least 1.
      experiment: the name of the rows.
      corruptions: names of `CORRUPTIONS`.
      seed: of the draws.
      batch_size: examples in one compiled call.

    Returns:
      Rows of kind "corruption": corruption, severity, accuracy, n, ci95, seed.

    Raises:
      UserError: there are no images, an unknown corruption, or images of neither 1 nor 3 channels.
    """
    names = tuple(corruptions)
    unknown = sorted(set(names) - set(CORRUPTIONS))
    if unknown:
        raise expected(f"corruptions among {', '.join(CORRUPTIONS)}", ", ".join(unknown), "Change `corruptions`.")
    if not len(labels):
        raise expected("at least one image", "none", "Change `images` and `labels`.")
    _check_channels(classifier.input_shape[-1])
    hits = {(name, severity): 0 for name in names for severity in SEVERITIES}
    for rows in Target(classifier, images, labels).chunks(batch_size):
        chunk = classifier.to_unit(images[rows.start : rows.stop])
        truth = np.asarray(labels)[rows.start : rows.stop]
        for name, severity in hits:
            corrupted = corrupt(name, chunk, severity, np.array(rows), seed)
            predicted = classifier.predict(classifier.from_unit(corrupted), batch_size).argmax(1)
            hits[name, severity] += int(np.sum(predicted == truth))
    n = len(labels)
    return [
        {
            "kind": "corruption",
            "experiment": experiment,
            "corruption": name,
            "severity": severity,
            "accuracy": count / n,
            "n": n,
            "ci95": list(rate_interval(count, n)),
            "seed": seed,
        }
        for (name, severity), count in hits.items()
    ]


def _check_channels(channels: int) -> None:
    if channels not in _CHANNELS:
        raise expected("images of 1 or 3 channels", channels, "Leave the question of corruptions out.")
