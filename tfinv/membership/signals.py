"""Signals: how well a model fits an example, from logits in float64.

Classes are the last axis of the logits, which have any leading axes. Labels have the first of these, so labels (n,) go with logits
(n, K) as with (n, Q, K); further axes of size 1 are added at their end. Nothing is computed from float32 probabilities: half of a
good model's are exactly 1, and what is tied there can't be ranked.
"""

from typing import Any

import numpy as np


def margin(logits: Any, labels: Any) -> np.ndarray:
    """Log-odds of the label, z_y - log sum_{j != y} exp z_j = log(p_y / (1 - p_y)).

    It is the logit-scaled confidence of Carlini et al. 2022 in its stable form, which rounds nothing away.

    Args:
      logits: (..., K), K of at least 2.
      labels: integers of the leading axes, or of the first of them.

    Returns:
      (...) float64, without an upper end: it tells examples apart whose probability rounds to 1.
    """
    values = np.array(logits, np.float64)  # a copy, in which the label's logit is hidden
    indices = _indices(values, labels)
    label_logits = np.take_along_axis(values, indices, axis=-1)[..., 0]
    np.put_along_axis(values, indices, -np.inf, axis=-1)
    return label_logits - _log_sum(values)


def from_probabilities(probabilities: Any, labels: Any) -> np.ndarray:
    """Log-odds of the label from probabilities, log p_y - log(sum of the others).

    The sum of the others is taken, and not 1 - p_y, which rounds to 0 long before they do. A zero counts as the smallest positive
    number of the array's type, so what was rounded away stays tied.

    Args:
      probabilities: (..., K), floats.
      labels: as for `margin`.

    Returns:
      (...) float64.
    """
    return margin(log_probabilities(probabilities), labels)


def log_probabilities(probabilities: Any) -> np.ndarray:
    """Logits of a model that gives probabilities: (..., K) float64, log p with zeros as the smallest positive of the type."""
    values = np.asarray(probabilities)
    smallest = np.finfo(values.dtype).smallest_subnormal if values.dtype.kind == "f" else np.finfo(np.float64).tiny
    return np.log(np.maximum(values.astype(np.float64), float(smallest)))


def log_confidence(logits: Any, labels: Any) -> np.ndarray:
    """log p_y, minus the cross-entropy; arguments and shape as for `margin`."""
    return -np.logaddexp(0.0, -margin(logits, labels))


def entropy(logits: Any) -> np.ndarray:
    """Entropy of the prediction, -sum_i p_i log p_i, in nats: (..., K) to (...) float64."""
    log_p, _ = _logs(logits)
    return -np.sum(np.exp(log_p) * log_p, axis=-1)


def modified_entropy(logits: Any, labels: Any) -> np.ndarray:
    """Modified entropy, -(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i) (Song and Mittal 2021).

    It is 0 for a sure and right prediction, and large for a sure and wrong one, whose entropy is 0 as well.

    Args:
      logits: (..., K), K of at least 2.
      labels: as for `margin`.

    Returns:
      (...) float64, at least 0.
    """
    log_p, log_rest = _logs(logits)
    indices = _indices(log_p, labels)
    terms = np.exp(log_p) * log_rest
    at_label = np.exp(np.take_along_axis(log_rest, indices, -1)) * np.take_along_axis(log_p, indices, -1)
    np.put_along_axis(terms, indices, at_label, axis=-1)
    return -np.sum(terms, axis=-1)


def _logs(logits):
    """log p and log(1 - p) of every class, (..., K), without cancellation where p is near 0 or 1."""
    values = np.asarray(logits, np.float64)
    top = np.argmax(values, axis=-1)[..., np.newaxis]
    highest = np.take_along_axis(values, top, axis=-1)
    others = values - highest
    np.put_along_axis(others, top, -np.inf, axis=-1)
    rest = _log_sum(others)[..., np.newaxis]  # of the others, from the highest logit
    total = np.log1p(np.exp(rest))
    log_p = values - highest - total
    # All but the likeliest class have a probability of at most 1/2, for which log1p is exact; that class's is 1 - the others'.
    log_rest = np.log1p(-np.minimum(np.exp(log_p), 0.5))
    np.put_along_axis(log_rest, top, rest - total, axis=-1)
    return log_p, log_rest


def _log_sum(values):
    """log sum_j exp z_j over the last axis, of which at least one is finite."""
    highest = values.max(axis=-1)
    return highest + np.log(np.exp(values - highest[..., np.newaxis]).sum(axis=-1))


def _indices(values, labels):
    """The labels as indices into the last axis, (..., 1)."""
    array = np.asarray(labels, np.int64)
    array = array.reshape(array.shape + (1,) * (values.ndim - 1 - array.ndim))
    return np.broadcast_to(array, values.shape[:-1])[..., np.newaxis]
