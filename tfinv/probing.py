"""A check that the declared bounds are those a model was trained on: the commonest way to measure nothing."""

import numpy as np
from scipy import stats

from tfinv import validation
from tfinv.classifier import Classifier
from tfinv.prediction import run_in_batches

_USUAL = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))


def probe_bounds(classifier: Classifier, images01: np.ndarray, labels: np.ndarray) -> str | None:
    """Compares the accuracy in the declared bounds with that in other usual ones.

    Args:
      classifier: with the declared bounds.
      images01: (n, H, W, C) in [0, 1].
      labels: (n,).

    Returns:
      One sentence that says which bounds to declare instead, if those clearly do better while the declared ones are
      near chance (binomial test against 1 / K at 1 %) or reach at most half of it; else None.

    Raises:
      UserError: the images or labels are not valid.
    """
    images01 = validation.check_images(images01, classifier.input_shape, (0.0, 1.0))
    labels = validation.check_labels(labels, len(images01), classifier.num_classes)

    def hits(bounds: tuple[float, float]) -> int:
        low, high = bounds
        scaled = (low + images01.astype(np.float64) * (high - low)).astype(np.float32)
        logits = run_in_batches(classifier.compiled_logits, scaled)
        return int(np.sum(logits.argmax(axis=-1) == labels))

    def above_chance(count: int, level: float) -> bool:
        test = stats.binomtest(count, len(labels), 1 / classifier.num_classes, alternative="greater")
        return bool(test.pvalue < level)

    declared = hits(classifier.bounds)
    best, bounds = max((hits(usual), usual) for usual in _USUAL if usual != classifier.bounds)
    suspicious = not above_chance(declared, 0.01) or 2 * declared <= best
    if not (suspicious and best > declared and above_chance(best, 0.001)):
        return None
    low, high = bounds
    return (
        f"Accuracy is {declared / len(labels):.1%} in the declared bounds "
        f"({classifier.bounds[0]:g}, {classifier.bounds[1]:g}) but {best / len(labels):.1%} in ({low:g}, {high:g}): "
        f"pass bounds=({low:g}, {high:g}) or --bounds={low:g},{high:g}."
    )
