"""How much a reconstruction gives away: rows of kind "inversion" (see `tfinv.reporting.results`).

No measure stands alone. An evaluator's accuracy has false positives (adversarial examples transfer: Ho et al. 2025), a distance
to the nearest training image rewards blur, and SSIM to the class mean rewards what the class gives away in any case.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from tfinv.classifier import Classifier, run_in_batches
from tfinv.errors import expected
from tfinv.evaluation.intervals import mean_interval, rate_interval
from tfinv.evaluation.neighbours import Neighbours, nearest_same_class

# In which direction a measure says that the reconstruction gives away more.
BETTER = {
    "acc@1": "higher",
    "acc@5": "higher",
    "pixel_distance": "lower",
    "feature_distance": "lower",
    "ssim_to_class_mean": "higher",
    "ssim_to_nearest": "higher",
    "confidence": "higher",
}


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """What reconstructions are compared with: the victim's training set and its evaluators.

    Attributes:
      images: (m, H, W, C) float32 in [0, 1].
      labels: (m,).
      evaluators: classifiers over [0, 1] images, by name.
      features: (m, d) of the training images, by evaluator.
      class_means: (classes, H, W, C); NaN for a class without images.
    """

    images: np.ndarray
    labels: np.ndarray
    evaluators: Mapping[str, Classifier]
    features: Mapping[str, np.ndarray]
    class_means: np.ndarray

    @classmethod
    def make(cls, images: np.ndarray, labels: np.ndarray, evaluators: Mapping[str, Classifier]) -> "TrainingSet":
        """Computes the features and class means."""
        means = np.full((int(labels.max()) + 1, *images.shape[1:]), np.nan, np.float32)
        for label in np.unique(labels):
            means[label] = images[labels == label].mean(0)
        return cls(images, labels, evaluators, {k: features(e, images) for k, e in evaluators.items()}, means)


def features(evaluator: Classifier, images: np.ndarray) -> np.ndarray:
    """The evaluator's features of [0, 1] images, (n, d), each scaled to length 1.

    Length 1, so that distances of evaluators with features of different size can be read side by side: 0 is the same
    direction, 1.41 is unrelated.
    """
    found = run_in_batches(evaluator.features, evaluator.from_unit(images))
    found = found.reshape(len(found), -1)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def measure(
    images: np.ndarray,
    labels: np.ndarray,
    against: TrainingSet,
    also: Mapping[str, np.ndarray] | None = None,
    **keys: Any,
) -> list[dict[str, Any]]:
    """All measures of one set of reconstructions.

    Args:
      images: (n, H, W, C) in [0, 1].
      labels: (n,) the class that each is to show.
      against: the training set and the evaluators.
      also: further measures that the attack itself reports, (n,) each: confidence, steps.
      **keys: experiment, method, budget, seed: the rows' own.

    Returns:
      Rows of kind "inversion"; n is the number of reconstructions (of classes, for diversity).

    Raises:
      UserError: a class of `labels` has no training image.
    """
    missing = sorted(set(np.unique(labels).tolist()) - set(np.unique(against.labels).tolist()))
    if missing:
        raise expected(
            "labels of classes with training images", f"labels {missing}", "Change the data set or the labels."
        )
    rows = []

    def add(name: str, values: np.ndarray, evaluator: str | None = None) -> None:
        rows.append(row(name, values, evaluator=evaluator, **keys))

    for name, evaluator in against.evaluators.items():
        order = np.argsort(-evaluator.predict(evaluator.from_unit(images)), axis=1)
        add("acc@1", order[:, 0] == labels, name)
        if evaluator.num_classes > 5:
            add("acc@5", (order[:, :5] == labels[:, None]).any(1), name)
        found = nearest_same_class(features(evaluator, images), labels, against.features[name], against.labels)
        add("feature_distance", found.distances, name)
    nearest = nearest_pixels(images, labels, against)
    pixels = np.prod(images.shape[1:])
    add("pixel_distance", nearest.distances / np.sqrt(pixels))
    add("ssim_to_nearest", ssim(images, against.images[nearest.indices]))
    add("ssim_to_class_mean", ssim(images, against.class_means[labels]))
    for name, values in (also or {}).items():
        add(name, np.asarray(values, np.float64))
    spread = [_pair_distance(images[labels == k]) for k in np.unique(labels) if np.sum(labels == k) > 1]
    if spread:
        add("diversity", np.array(spread))
    return rows


def row(measure_name: str, values: np.ndarray, *, evaluator: str | None = None, **keys: Any) -> dict[str, Any]:
    """One row of kind "inversion" from (n,) values; booleans make a rate."""
    values = np.asarray(values)
    value = float(values.mean())
    ci = rate_interval(int(values.sum()), len(values)) if values.dtype == bool else mean_interval(values)
    extra = {"evaluator": evaluator} if evaluator else {}
    if measure_name in BETTER:
        extra["better"] = BETTER[measure_name]
    return {
        "kind": "inversion",
        "measure": measure_name,
        "value": value,
        "n": len(values),
        "ci95": None if ci is None else list(ci),
        **extra,
        **keys,
    }


def nearest_pixels(images: np.ndarray, labels: np.ndarray, against: TrainingSet) -> Neighbours:
    """The nearest training image of the same class, by L2 over pixels."""
    return nearest_same_class(images, labels, against.images, against.labels)


def ssim(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair (Wang et al. 2004), (n,) in [-1, 1].

    Args:
      images: (n, H, W, C) in [0, 1].
      others: likewise.
    """
    similarity: Callable[..., Any] = structural_similarity
    return np.array([similarity(a, b, data_range=1.0, channel_axis=-1) for a, b in zip(images, others, strict=True)])


def _pair_distance(images):
    """Mean root-mean-square distance over the pairs of one class."""
    flat = images.reshape(len(images), -1)
    squared = np.square(flat[:, None] - flat[None]).mean(-1)
    return float(np.sqrt(squared[np.triu_indices(len(flat), 1)]).mean())
