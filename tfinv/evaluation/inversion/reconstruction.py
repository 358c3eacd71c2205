"""Measures of how much a reconstruction gives away: rows of kind "inversion" (see `tfinv.reporting.results.results`).

No measure stands alone. An evaluator's accuracy has false positives (adversarial examples transfer: Ho et al. 2025), a distance
to the nearest training image rewards blur, and SSIM to the class mean rewards what the class gives away in any case.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.evaluation.inversion.distribution import fid, prdc
from tfinv.evaluation.inversion.feature_space import features
from tfinv.evaluation.inversion.identification import identify, label_ranks
from tfinv.evaluation.inversion.neighbours import Neighbours, knn_distance, nearest_same_class
from tfinv.evaluation.inversion.similarity import pair_diversity, ssim
from tfinv.evaluation.statistics.measurement import Measurement, Values

_PRDC_K = 3


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """The victim's training set with evaluators and identifiers, by which reconstructions are measured.

    Attributes:
      images: (m, H, W, C) float32 in [0, 1].
      labels: (m,).
      evaluators: classifiers over [0, 1] images, by name.
      features: (m, d) of the training images, by evaluator; missing where the features are the pixels, as for softmax regression.
      class_means: (classes, H, W, C); NaN for a class without images.
      identifiers: classifiers that saw other images of the same classes only, by name; may be none.
    """

    images: np.ndarray
    labels: np.ndarray
    evaluators: Mapping[str, Classifier]
    features: Mapping[str, np.ndarray]
    class_means: np.ndarray
    identifiers: Mapping[str, Classifier] = dataclasses.field(default_factory=dict)

    @classmethod
    def make(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        evaluators: Mapping[str, Classifier],
        identifiers: Mapping[str, Classifier] | None = None,
    ) -> "TrainingSet":
        """Computes the features and class means."""
        means = np.full((int(labels.max()) + 1, *images.shape[1:]), np.nan, np.float32)
        for label in np.unique(labels):
            means[label] = images[labels == label].mean(0)
        by_evaluator = {k: features(e, images) for k, e in evaluators.items()}
        by_evaluator = {k: v for k, v in by_evaluator.items() if not _are_pixels(v, images)}
        return cls(images, labels, evaluators, by_evaluator, means, identifiers or {})

    def like(self, labels: np.ndarray) -> np.ndarray:
        """Returns rows of the training set with the class counts of `labels`; of a class with fewer images all.

        They are spaced evenly over the class, and are the same for every model.
        """
        chosen = []
        for label in np.unique(labels):
            rows, count = np.flatnonzero(self.labels == label), int(np.sum(labels == label))
            chosen.append(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)])
        return np.concatenate(chosen)


def measure(
    images: np.ndarray,
    labels: np.ndarray,
    training_set: TrainingSet,
    values: Mapping[str, np.ndarray] | None = None,
    *,
    k: int = 1,
    **keys: Any,
) -> Measurement:
    """Computes all measures of one set of reconstructions.

    Args:
      images: (n, H, W, C) in [0, 1], ordered by sample within a class.
      labels: (n,) the class that each is to show.
      training_set: the training set and the evaluators.
      values: measures that the attack itself reports, by name, (n,) each: confidence, steps.
      k: neighbours that `feature_distance` and `pixel_distance` average over.
      **keys: of the rows: experiment, method, budget, seed.

    Returns:
      Values of each measure. Measures that the set is too small for are left out: FID where n does not exceed the number of
      features, PRDC where it does not exceed 3, diversity where no class has two.

    Raises:
      UserError: a class of `labels` has fewer than k training images.
    """
    check_classes(labels, training_set.labels)
    labels = np.asarray(labels)
    measures: list[Values] = []

    def add(name, array, evaluator=None, classes=None, **sizes):
        measures.append(Values(name, array, labels if classes is None else classes, evaluator, sizes))

    for name, evaluator in training_set.evaluators.items():
        ranks = label_ranks(evaluator.predict(evaluator.from_unit(images)), labels)
        add("acc@1", ranks <= 1, name)
        if evaluator.num_classes > 5:
            add("acc@5", ranks <= 5, name)
        if name not in training_set.features:
            continue
        points, training_points = features(evaluator, images), training_set.features[name]
        add("feature_distance", knn_distance(points, labels, training_points, training_set.labels, k), name)
        measures += _distribution_measures(points, labels, training_set, name)
        diversity, classes = pair_diversity(points, labels)
        if len(classes):
            add("feature_diversity", diversity, name, classes)
    if training_set.identifiers:
        identification = identify(images, labels, training_set.identifiers)
        add("identification_rank", identification.ranks, cmc=identification.curve.tolist())
        add("rank@1", identification.ranks <= 1)
        add("rank@5", identification.ranks <= 5)
    root = float(np.sqrt(np.prod(images.shape[1:])))
    add("pixel_distance", knn_distance(images, labels, training_set.images, training_set.labels, k) / root)
    add("ssim_to_nearest", ssim(images, training_set.images[nearest_pixels(images, labels, training_set).indices]))
    add("ssim_to_class_mean", ssim(images, training_set.class_means[labels]))
    for name, array in (values or {}).items():
        add(name, np.asarray(array, np.float64))
    diversity, classes = pair_diversity(images, labels, root)
    if len(classes):
        add("diversity", diversity, classes=classes)
    return Measurement(keys, tuple(measures))


def check_classes(labels: np.ndarray, training_labels: np.ndarray) -> None:
    """Refuses labels of classes without training images.

    Raises:
      UserError: there are such.
    """
    missing = sorted(set(np.unique(labels).tolist()) - set(np.unique(training_labels).tolist()))
    if missing:
        raise expected(
            "labels of classes with training images", f"labels {missing}", "Change the data set or the labels."
        )


def nearest_pixels(images: np.ndarray, labels: np.ndarray, training_set: TrainingSet) -> Neighbours:
    """Finds the nearest training image of the same class, by L2 over pixels."""
    return nearest_same_class(images, labels, training_set.images, training_set.labels)


def _are_pixels(points, images):
    """Whether these features (n, d) are the images themselves, scaled to length 1."""
    flat = images[:64].reshape(min(len(images), 64), -1)
    scaled = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return points.shape[1] == flat.shape[1] and np.allclose(points[:64], scaled, atol=1e-5)


def _distribution_measures(points, labels, training_set, name):
    """FID and PRDC of features and those of as many training images of the same classes, where there are enough."""
    rows = training_set.like(labels)
    real, fewest = training_set.features[name][rows], min(len(rows), len(points))
    sizes = {"n": len(points), "n_real": len(rows)}
    measures = []
    if fewest > points.shape[1]:
        measures.append(Values("fid", np.array([fid(real, points)]), np.array([-1]), name, sizes))
    if fewest > _PRDC_K:
        parts = prdc(real, points, _PRDC_K)
        measures += [
            Values(part, getattr(parts, part), classes, name, {"n_real": len(rows)})
            for part, classes in (
                ("precision", labels),
                ("recall", training_set.labels[rows]),
                ("density", labels),
                ("coverage", training_set.labels[rows]),
            )
        ]
    return measures
