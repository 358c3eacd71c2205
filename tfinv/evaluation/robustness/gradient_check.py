"""The check that the gradient that attacks follow predicts how the logits change."""

import numpy as np
import tensorflow as tf

from tfinv import random
from tfinv.attacks.losses import margin
from tfinv.classifier import Classifier
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradient
from tfinv.evaluation.check import Check, percent
from tfinv.pool import advance

# Steps, as shares of the bounds' width. The smallest outruns the curvature of deep networks, the largest the grain of bfloat16.
_STEPS = (1e-4, 1e-3, 1e-2, 3e-2)
_SHAKE = 1e-2
_TINY = 1e-6  # a step that changes nothing but the rounding
_AGREE = (
    0.5  # tolerated difference of prediction and measurement, over the larger: above half precision's, below an error's
)
_CLEAR = 20.0  # smallest change that is tested, as a multiple of the rounding
_MOST, _ENOUGH = 0.75, 0.25  # shares of the images that must agree, and that must be testable


def gradient_matches_differences(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, *, seed: int = 0, batch_size: int = 256
) -> Check:
    """Checks the gradient against central differences of the float32 margin, along its sign and a random direction.

    An image agrees if, in each direction, one of the steps does: kinks and curvature spoil the large ones, rounding the small
    ones, and a wrong gradient all. The rounding is measured as the change of the margin over a step of a millionth of the range.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      seed: of the random direction.
      batch_size: examples in one compiled call.
    """
    passed, evidence = None, "not run: the classifier has no gradients"
    if classifier.differentiable:
        predicted, measured, typical, rounding = _changes(classifier, images, labels, seed, batch_size)
        largest = np.maximum(np.abs(predicted), np.abs(measured))
        clear = largest > _CLEAR * rounding
        # Along a random direction the margin may happen not to change, and no relative error is small there.
        agree = clear & (np.abs(predicted - measured) <= _AGREE * np.maximum(largest, typical))
        # Over the steps, then over the directions in which any step is clear.
        tested, fits = clear.any(1), agree.any(1) | ~clear.any(1)
        testable = tested.any(0)
        evidence = f"the margin changes by more than rounding at {int(testable.sum())} of {len(images)} images"
        if testable.mean() >= _ENOUGH:
            share = float(fits.all(0)[testable].mean())
            passed = share >= _MOST
            evidence += f", at {percent(share)} of them as the gradient says, within {percent(_AGREE)}"
    return Check(
        "gradient-matches-differences",
        passed,
        evidence,
        "The gradient is not that of the model: a custom or straight-through gradient, a stopped one, or a quantised or "
        "non-differentiable step. What follows it tells nothing of robustness. Use attacks without gradients (square, "
        "hopskipjump), or a differentiable stand-in for that step (BPDA, Athalye et al. 2018), and quote the lower figure.",
    )


def _changes(classifier, images, labels, seed, batch_size):
    """Changes of the margin, (2 directions, 4 steps, n) predicted and measured, (4, n) in a typical direction, (n,) rounding."""
    low, high = classifier.bounds
    width, rows = high - low, np.arange(len(images))
    # Moved inwards, so that no step leaves the bounds, beyond which a model may clip; and shaken, since flat areas and whole
    # grey levels lie on kinks: pooling has several largest values there, rounding its thresholds.
    margins = (_SHAKE + _STEPS[-1]) * width
    shake = _SHAKE * width * (2 * random.uniform(seed, 3, rows, images.shape[1:]).numpy() - 1)
    inner = (np.clip(images, low + margins, high - margins) + shake).astype(np.float32)
    value, gradient = margin_gradients(classifier, inner, labels, batch_size)
    draws = [np.where(random.uniform(seed, k, rows, images.shape[1:]).numpy() < 0.5, -1.0, 1.0) for k in range(3)]

    def at(direction, step):
        moved = np.clip((inner + step * width * direction).astype(np.float32), np.float32(low), np.float32(high))
        value = margin(tf.constant(classifier.predict(moved, batch_size)), labels)
        return moved.astype(np.float64), value.numpy().astype(np.float64)

    rounding = np.finfo(np.float32).eps * np.abs(classifier.predict(inner, batch_size)).max(1)
    for direction in draws[1:]:
        rounding = np.maximum(rounding, np.abs(at(direction, _TINY)[1] - value))
    predicted, measured = np.zeros((2, 2, len(_STEPS), len(images)))
    for i, direction in enumerate((np.sign(gradient), draws[0])):
        for j, step in enumerate(_STEPS):
            (up, above), (down, below) = at(direction, step), at(-direction, step)
            predicted[i, j] = ((up - down) * gradient).reshape(len(images), -1).sum(1)
            measured[i, j] = above - below
    usual = np.sqrt(np.square(gradient).reshape(len(images), -1).sum(1))
    return predicted, measured, 2 * width * np.outer(_STEPS, usual), rounding


def margin_gradients(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns margins (n,) of the labels' rivals, and their gradients (n, H, W, C), as attacks get them.

    Args:
      classifier: with gradients.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      batch_size: examples in one compiled call.
    """

    def make(proxy):
        def fn(x, y):
            _, gradient = input_gradient(lambda x: margin(proxy.gradient_logits(x), y), x)
            return margin(proxy.logits(x), y), gradient

        return fn

    fn = compiled(classifier, "margin and gradient", make, "images", "labels")
    n = len(images)
    state = {
        "image": images,
        "label": np.asarray(labels, np.int64),
        "value": np.zeros(n, np.float32),
        "gradient": np.zeros_like(images),
    }

    def run(image, label, **_):
        return dict(zip(("value", "gradient"), fn(image, label), strict=True))

    advance(state, np.arange(n), min(batch_size, n), run)
    return state["value"].astype(float), np.nan_to_num(state["gradient"].astype(float))
