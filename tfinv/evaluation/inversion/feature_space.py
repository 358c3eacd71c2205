"""Images as an evaluator sees them just before it decides."""

import numpy as np

from tfinv.classifier import Classifier
from tfinv.compiled import compiled
from tfinv.prediction import run_in_batches


def features(evaluator: Classifier, images: np.ndarray, *, pooled: bool = True, batch_size: int = 256) -> np.ndarray:
    """The evaluator's features of [0, 1] images, (n, d), each scaled to length 1.

    Length 1, so that distances of evaluators with features of different size can be read side by side: 0 is the same
    direction, 1.41 is unrelated. A product of two is the cosine of the angle between them.

    Args:
      evaluator: a classifier with features: its last convolutional map, unless it was made otherwise.
      images: (n, H, W, C) in [0, 1].
      pooled: whether to average over height and width, or to keep every place.
      batch_size: images a call.
    """
    function = compiled(evaluator, ("features", pooled), lambda c: lambda x: c.features(x, pooled=pooled), "images")
    found = run_in_batches(function, evaluator.from_unit(images), batch_size)
    found = found.reshape(len(found), -1)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
