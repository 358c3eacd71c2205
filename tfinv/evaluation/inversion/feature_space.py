"""Features of images: an evaluator's activations before its last layer."""

import numpy as np

from tfinv.classifier import Classifier
from tfinv.classifier.compiled import compiled
from tfinv.classifier.prediction import run_in_batches


def features(evaluator: Classifier, images: np.ndarray, *, pooled: bool = True, batch_size: int = 256) -> np.ndarray:
    """Computes the evaluator's features of [0, 1] images, (n, d), each scaled to length 1.

    At length 1, distances of evaluators with features of different size can be read side by side: 0 is the same direction, 1.41
    is unrelated. The dot product of two is their cosine similarity.

    Args:
      evaluator: a classifier with features: its last convolutional map, unless it was made otherwise.
      images: (n, H, W, C) in [0, 1].
      pooled: whether to average over height and width, or to keep every position.
      batch_size: images a call.
    """
    function = compiled(evaluator, ("features", pooled), lambda c: lambda x: c.features(x, pooled=pooled), "images")
    outputs = run_in_batches(function, evaluator.from_unit(images), batch_size)
    outputs = outputs.reshape(len(outputs), -1)
    return outputs / np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
