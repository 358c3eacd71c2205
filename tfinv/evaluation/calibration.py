"""Calibration: whether a model is right as often as it is sure. Rows of kinds "calibration" and "reliability".

All is computed in float64 from logits: of float32 probabilities most of a good model's are exactly 1. Confidence is the largest
probability, and a label is right or wrong, as in Guo et al. (2017), "On calibration of modern neural networks".

**Bins of the ECE hold equally many images** (Nixon et al. 2019, "Measuring calibration in deep learning"; Kumar et al. 2019,
"Verified uncertainty calibration"): confidences gather near 1, where bins of equal width (Naeini et al. 2015) put nearly all images
into one, within which errors of both signs cancel, and leave a few images to each of the others, of which only noise is known.
**The reliability diagram has bins of equal width**, as everyone draws it.

**The ECE of a sample is too large**, for it adds up absolute values of noise: a calibrated model has a positive one. Kumar et al.
take the expected noise away; here it is that of a normal distribution for each bin. Percentiles of a bootstrap would add the noise
a second time. The interval's lower end takes more noise away than its upper end, by what a bin's gap at least and at most is.
`tests/evaluation/test_calibration.py` simulates how often it covers: in 93 to 100 % of samples of 60 to 3,000 images,
and in 90 % where errors change their sign within a bin, which no bins can see.
"""

import math
from typing import Any

import numpy as np
from scipy import special, stats

from tfinv.errors import expected
from tfinv.evaluation.statistics.intervals import mean_interval, rate_interval
from tfinv.membership.signals import log_confidence

MEASURES = ("ece", "brier", "nll", "overconfidence")

BINS = 15  # as in Guo et al. (2017)
_FEWEST = 20  # images in a bin of the ECE, where there are enough for two bins
_QUANTILE = float(stats.norm.ppf(0.975))


def calibration_rows(
    logits: np.ndarray, labels: np.ndarray, *, experiment: str, seed: int | None = None
) -> list[dict[str, Any]]:
    """Measures calibration.

    Args:
      logits: (n, K), finite; a binary model's are (0, z).
      labels: (n,) integers from 0 to K - 1.
      experiment: the name of the classifier.
      seed: of the run, for the rows; nothing is drawn.

    Returns:
      Rows of kind "calibration", one a measure: "ece", the expected calibration error in [0, 1]; "brier", the squared error of the
      probabilities summed over all classes, in [0, 2] (Brier 1950); "nll", the mean -log of the label's probability, in nats;
      "overconfidence", mean confidence less accuracy, in [-1, 1]. Then rows of kind "reliability", one for each of 15 bins of equal
      width (low, high] that holds images.

    Raises:
      UserError: the logits are not finite (n, K) with n of at least 1 and K of at least 2, or the labels do not fit them.
    """
    logits, labels = _checked(logits, labels)
    probabilities = special.softmax(logits, axis=1)
    confidence, correct = probabilities.max(1), logits.argmax(1) == labels
    hot = np.arange(logits.shape[1]) == labels[:, None]
    brier, nll = np.square(probabilities - hot).sum(1), -log_confidence(logits, labels)
    measured = {
        "ece": expected_calibration_error(confidence, correct),
        "brier": (float(brier.mean()), _within(mean_interval(brier), 2.0)),
        "nll": (float(nll.mean()), _within(mean_interval(nll), math.inf)),
        "overconfidence": overconfidence(confidence, correct),
    }
    rows: list[dict[str, Any]] = [
        {
            "kind": "calibration",
            "experiment": experiment,
            "measure": measure,
            "value": value,
            "n": len(labels),
            "ci95": None if interval is None else list(interval),
            "seed": seed,
        }
        for measure, (value, interval) in measured.items()
    ]
    return rows + reliability_rows(confidence, correct, experiment)


def _within(interval: tuple[float, float] | None, most: float) -> tuple[float, float] | None:
    """The interval between 0 and what can be measured; None for one without width, which says nothing of other samples."""
    if interval is None or interval[0] == interval[1]:
        return None
    return max(0.0, interval[0]), min(most, interval[1])


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Estimates the mean absolute difference of confidence and accuracy, over bins of equally many images.

    Args:
      confidence: (n,) in [0, 1].
      correct: (n,) bool.

    Returns:
      The estimate without the expected noise, at least 0, and its 95 % interval. Equal confidences share a bin.
    """
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, len(order), min(BINS, max(1, len(order) // _FEWEST)) + 1).astype(int)
    # The first image of each bin; moved back to the first of the same confidence, so that no order of the images matters.
    starts = np.unique(np.searchsorted(confidence[order], confidence[order][edges[:-1]]))
    counts = np.diff(np.append(starts, len(order)))
    hits = np.add.reduceat(correct[order].astype(np.float64), starts)
    gaps = np.abs(np.add.reduceat(confidence[order], starts) - hits) / counts
    weights = counts / len(order)
    # A bin that is all right is not known to be always right: one success and one failure more.
    rate = (hits + 1) / (counts + 2)
    errors = np.sqrt(rate * (1 - rate) / counts)
    naive = float(weights @ gaps)
    # Twice the noise is taken away: once leaves a calibrated model with too many gaps that seem real.
    shrunk = np.sqrt(np.maximum(gaps**2 - 2 * errors**2, 0))
    # Another sample has other right answers in each bin, and other confidences, which weigh the gaps otherwise.
    composition = float(weights @ (shrunk - weights @ shrunk) ** 2) / len(order)
    half = _QUANTILE * float(np.sqrt(np.sum((weights * errors) ** 2) + composition))
    # The larger a gap, the less noise adds to its absolute value. The measured gaps are themselves too large.
    least = naive - float(weights @ _excess(gaps, errors))
    most_taken = naive - float(weights @ _excess(shrunk, errors))
    value = max(0.0, least)
    return value, (min(value, max(0.0, most_taken - half)), min(1.0, value + half))


def _excess(gaps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The excess of each gap's expected absolute value, by normal noise of these standard errors (a folded normal's mean)."""
    z = gaps / errors
    return errors * (2 * stats.norm.pdf(z) - 2 * z * stats.norm.sf(z))


def overconfidence(confidence: np.ndarray, correct: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean confidence less accuracy; positive for a model that is too sure.

    Args:
      confidence: (n,) in [0, 1].
      correct: (n,) bool.

    Returns:
      The difference and its 95 % interval: the wider, at each end, of Student's and of the one that Wilson's of the accuracy
      gives, since Student's is too narrow where nearly all are right.
    """
    mean, n = float(confidence.mean()), len(correct)
    low, high = rate_interval(int(correct.sum()), n)
    student = mean_interval(confidence - correct) or (mean - high, mean - low)
    return mean - float(correct.mean()), (
        max(-1.0, min(mean - high, student[0])),
        min(1.0, max(mean - low, student[1])),
    )


def reliability_rows(confidence: np.ndarray, correct: np.ndarray, experiment: str) -> list[dict[str, Any]]:
    """Makes the bins of a reliability diagram: rows of kind "reliability", without empty bins.

    Args:
      confidence: (n,) in [0, 1].
      correct: (n,) bool.
      experiment: the name of the classifier.
    """
    edges = np.linspace(0, 1, BINS + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    rows = []
    for place in np.unique(places):
        chosen = places == place
        hits, n = int(correct[chosen].sum()), int(chosen.sum())
        rows.append(
            {
                "kind": "reliability",
                "experiment": experiment,
                "low": float(edges[place]),
                "high": float(edges[place + 1]),
                "confidence": float(confidence[chosen].mean()),
                "accuracy": hits / n,
                "n": n,
                "ci95": list(rate_interval(hits, n)),
            }
        )
    return rows


def _checked(logits: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    values, classes = np.asarray(logits, np.float64), np.asarray(labels)
    if values.ndim != 2 or len(values) < 1 or values.shape[1] < 2 or not np.isfinite(values).all():
        finite = "" if np.isfinite(values).all() else ", not all finite"
        raise expected("finite logits (n, K), n >= 1 and K >= 2", f"shape {values.shape}{finite}", "Change `logits`.")
    whole = classes.shape == values.shape[:1] and classes.dtype.kind in "iu"
    if not whole or classes.min() < 0 or classes.max() >= values.shape[1]:
        received = f"{classes.dtype} of shape {classes.shape}"
        if whole:
            received = f"labels from {classes.min()} to {classes.max()}"
        raise expected(f"{len(values)} integer labels from 0 to {values.shape[1] - 1}", received, "Change `labels`.")
    return values, classes.astype(np.int64)
