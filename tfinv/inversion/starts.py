"""Where an inversion starts: images in the classifier's bounds, from what the attacker has."""

import numpy as np

from tfinv import random
from tfinv.classifier import Classifier
from tfinv.errors import expected

STARTS = ("zeros", "noise", "average")


def make(name: str, classifier: Classifier, places: np.ndarray, average: np.ndarray | None, seed: int) -> np.ndarray:
    """Makes one start for each reconstruction.

    Args:
      name: "zeros" (the lowest value of the bounds), "noise" (uniform in the bounds), or "average".
      classifier: gives shape and bounds.
      places: (rows,) one number for each reconstruction; equal numbers start from equal noise.
      average: (H, W, C) in the bounds: the average image that the attacker knows; only "average" needs it.
      seed: of the noise.

    Returns:
      (rows, H, W, C) float32 in the bounds.

    Raises:
      UserError: unknown start, or an average that is missing or does not fit.
    """
    low, high = classifier.bounds
    shape, rows = classifier.input_shape, len(places)
    if name == "zeros":
        return np.full((rows, *shape), low, np.float32)
    if name == "noise":
        draws = random.uniform(seed, 0, places, shape).numpy()
        return np.clip(low + draws * (high - low), low, high).astype(np.float32)
    if name == "average":
        if average is None:
            raise expected(
                "an average image for start=average",
                "none",
                "Pass `average`, or use start=zeros or start=noise.",
            )
        image = classifier.validate(np.asarray(average)[None])[0]
        return np.repeat(image, rows, axis=0)
    raise expected(f"a start among {', '.join(STARTS)}", repr(name), "Change the argument `start`.")
