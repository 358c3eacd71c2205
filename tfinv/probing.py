"""A check that the declared bounds are those a model was trained on: the commonest way to measure nothing."""

import numpy as np
from scipy import stats

from tfinv import validation
from tfinv.classifier import Classifier
from tfinv.prediction import run_in_batches

_USUAL = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
_LEVEL = 0.001


def probe_bounds(classifier: Classifier, images01: np.ndarray, labels: np.ndarray) -> str | None:
    """Compares the accuracy in the declared bounds with that in other usual ones.

    Args:
      classifier: with the declared bounds.
      images01: (n, H, W, C) in [0, 1].
      labels: (n,).

    Returns:
      One sentence that says which bounds to declare instead, if more images are right there alone than in the declared ones alone
      (sign test at .1 %), and beyond chance; else None.

    Raises:
      UserError: the images or labels are not valid.
    """
    images01 = validation.check_images(images01, classifier.input_shape, (0.0, 1.0))
    labels = validation.check_labels(labels, len(images01), classifier.num_classes)

    def right(bounds: tuple[float, float]) -> np.ndarray:
        low, high = bounds
        scaled = (low + images01.astype(np.float64) * (high - low)).astype(np.float32)
        logits = run_in_batches(classifier.compiled_logits, scaled)
        return logits.argmax(axis=-1) == labels

    def clearly_more(count: int, of: int, than: float) -> bool:
        return bool(of and stats.binomtest(count, of, than, alternative="greater").pvalue < _LEVEL)

    declared = right(classifier.bounds)
    bounds, best = max(((b, right(b)) for b in _USUAL if b != classifier.bounds), key=lambda found: found[1].sum())
    apart = declared != best
    better = clearly_more(int(best[apart].sum()), int(apart.sum()), 0.5)
    if not (better and clearly_more(int(best.sum()), len(labels), 1 / classifier.num_classes)):
        return None
    low, high = bounds
    return (
        f"Accuracy is {declared.mean():.1%} in the declared bounds "
        f"({classifier.bounds[0]:g}, {classifier.bounds[1]:g}) but {best.mean():.1%} in ({low:g}, {high:g}): "
        f"pass bounds=({low:g}, {high:g}) or --bounds={low:g},{high:g}."
    )
