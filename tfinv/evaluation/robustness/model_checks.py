"""Checks of a robustness evaluation on the classifier alone, before any attack."""

import math

import numpy as np
import tensorflow as tf

from tfinv.classifier import Classifier, heads
from tfinv.evaluation.check import Check, percent

# Tolerances, over the range of an image's logits: above float32 rounding, and above the effect of batch size in half precision.
_REPEATED, _REBATCHED = 1e-3, 0.03


def input_range(classifier: Classifier, images: np.ndarray) -> Check:
    """Checks that the images fill the bounds that the classifier was declared with."""
    low, high = classifier.bounds
    least, most = float(images.min()), float(images.max())
    filled = (most - least) / (high - low)
    return Check(
        "input-range-and-dtype",
        filled >= 0.5 and images.dtype == np.float32,
        f"{images.dtype} from {least:.4g} to {most:.4g} in bounds {low:g} to {high:g}",
        "Images that use a small part of the bounds make eps mean something else than it says. Change --bounds to the range that "
        "the model was trained on.",
    )


def logits_are_known(classifier: Classifier, images: np.ndarray, batch_size: int = 256, most: float = 0.01) -> Check:
    """Checks that the attacks see logits, or probabilities that have not been rounded to 0 and 1.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds.
      batch_size: examples in one compiled call.
      most: share of the images whose probabilities may be rounded.
    """
    if not classifier.scores:
        return Check("logits-are-known", None, classifier.logits_source, "")
    passed, evidence = True, classifier.logits_source
    logits = classifier.predict(images, batch_size)
    saturated = heads.saturated(classifier.logits_source, logits)
    if saturated is not None:
        rounded = float(np.mean(saturated))
        passed = rounded <= most
        evidence += (
            f"; at {percent(rounded)} of {len(images)} images a probability is rounded to 1 (at most {percent(most)})"
        )
    # A model of one unit has the logits (0, z), where z alone may well lie there.
    elif logits.min() >= 0 and logits.max() <= 1 and logits[:, 0].any():
        passed, evidence = False, f"{evidence}; all of them lie between 0 and 1, as behind a sigmoid or a softmax"
    return Check(
        "logits-are-known",
        passed,
        evidence,
        "Where a probability is 1 up to rounding, the others have few digits or none, and an attack loses its gradient for no "
        "merit of the model. Export the model without its softmax, in float32.",
    )


def predictions_are_deterministic(classifier: Classifier, images: np.ndarray) -> Check:
    """Checks that an image has the same logits in repeated predictions, in other batches, and outside a graph.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds, a few.
    """
    n = len(images)
    first = classifier.predict(images, n)
    turned = classifier.predict(images[::-1].copy(), max(1, math.ceil(n / 3)))[::-1]
    eager = tf.concat([classifier.logits(tf.constant(half)) for half in np.array_split(images, min(2, n))], 0)
    others = [
        ("again", classifier.predict(images, n), _REPEATED),
        ("in other batches", turned, _REBATCHED),
        ("outside a graph", eager.numpy(), _REBATCHED),
    ]
    logit_range = np.maximum(np.ptp(first, axis=1), np.finfo(np.float32).tiny)
    problems, descriptions = [], []
    for how, other, most in others:
        # Half of the images, because a layer that draws at random or sees the batch changes all of them.
        moved = float(np.median(np.abs(other - first).max(1) / logit_range))
        flipped = int(np.sum(other.argmax(1) != first.argmax(1)))
        descriptions.append(f"{how}, logits differ by {percent(moved)} of their range and {flipped} labels change")
        if not moved <= most:
            problems.append(descriptions[-1])
    return Check(
        "predictions-are-deterministic",
        not problems,
        f"{n} images: " + "; ".join(problems or descriptions),
        "A model that draws at random, or that sees the other images of a batch, answers differently each time: an attack follows "
        "one draw and is judged by another. Switch it off, or wrap the model in one that averages many draws, and attack that "
        "(expectation over transformation, Athalye et al. 2018).",
    )
