"""Starting images of an inversion, in [0, 1], from the attacker's knowledge."""

import numpy as np

from tfinv import random
from tfinv.errors import expected
from tfinv.inversion.problem import Problem

# Attributes of `Knowledge` that each start uses.
NEEDS: dict[str, frozenset[str]] = {
    "zeros": frozenset(),
    "noise": frozenset(),
    "average": frozenset({"average"}),
    "gaussian": frozenset({"images", "labels"}),
    "auxiliary": frozenset({"images"}),
    "given": frozenset({"begin"}),
}
STARTS = tuple(NEEDS)
# Starts that are the same for every sample of a class.
FIXED = ("zeros", "average")

_NOISE, _GAUSSIAN, _AUXILIARY = 0, 1, 3


def check(name: str, problem: Problem) -> None:
    """Raises UserError unless the attacker has what a start needs, for every class to reconstruct."""
    arrays = {item: problem.knowledge.require(item, f"start={name}") for item in sorted(NEEDS[name])}
    if name == "gaussian":
        counts = np.bincount(arrays["labels"], minlength=problem.classifier.num_classes)
        for label in np.unique(problem.labels):
            if counts[label] < 2:
                raise expected(
                    f"at least 2 auxiliary images of class {label} for start=gaussian",
                    counts[label],
                    "Use another start or labels.",
                )


def make(name: str, problem: Problem) -> np.ndarray:
    """Makes one start for each reconstruction.

    Args:
      name: "zeros" (the lowest value of the bounds), "noise" (uniform), "average" (the attacker's average image),
        "gaussian" (a draw from the normal distribution of the auxiliary images of the class, as Santurkar et al. 2019 do),
        "auxiliary" (one of the auxiliary images, of whatever class), or "given" (the user's images in turn).
      problem: the reconstructions to make.

    Returns:
      (n, H, W, C) float32 in [0, 1].

    Raises:
      UserError: the attacker doesn't have what the start needs, or it does not fit the classifier.
    """
    check(name, problem)
    shape, n, knowledge = problem.classifier.input_shape, len(problem.labels), problem.knowledge
    if name == "zeros":
        return np.zeros((n, *shape), np.float32)
    if name == "noise":
        return random.uniform(problem.seed, _NOISE, problem.places, shape).numpy()
    if name == "average":
        return np.repeat(_fit(knowledge.require("average", "start=average")[None], shape), n, axis=0)
    if name == "given":
        images = _fit(knowledge.require("begin", "start=given"), shape)
        return images[problem.places // problem.classifier.num_classes % len(images)]
    images = _fit(knowledge.require("images", f"start={name}"), shape)
    if name == "auxiliary":
        uniform = random.uniform(problem.seed, _AUXILIARY, problem.places, (1,)).numpy()[:, 0]
        return images[(uniform * len(images)).astype(np.int64)]
    labels = knowledge.require("labels", "start=gaussian")
    draws = np.empty((n, *shape), np.float32)
    for label in np.unique(problem.labels):
        rows = np.flatnonzero(problem.labels == label)
        draws[rows] = _gaussian(images[labels == label], problem.seed, problem.places[rows])
    return draws


def _fit(images, shape):
    if images.shape[1:] != shape:
        raise expected(f"images of shape {shape} to start from", f"shape {images.shape[1:]}", "Resize them.")
    return images


def _gaussian(images, seed, places):
    """Draws from N(mean, covariance) of m images, as random combinations of them, so that no covariance is computed.

    With X the centred images, sum_i w_i X_i / sqrt(m - 1) with w ~ N(0, 1) has the covariance X'X / (m - 1).
    """
    mean = images.mean(axis=0)
    weights = random.normal(seed, _GAUSSIAN, places, (len(images),)).numpy() / np.sqrt(len(images) - 1)
    deviations = np.tensordot(weights, images - mean, axes=1)
    return np.clip(mean + deviations, 0, 1).astype(np.float32)
