"""How much a reconstruction gives away: rows of kind "inversion" (see `tfinv.reporting.results`).

No measure stands alone. An evaluator's accuracy has false positives (adversarial examples transfer: Ho et al. 2025), a distance
to the nearest training image rewards blur, and SSIM to the class mean rewards what the class gives away in any case.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.evaluation.distribution import fid, prdc
from tfinv.evaluation.feature_space import features
from tfinv.evaluation.identification import identify, ranks
from tfinv.evaluation.measurement import Measurement, Values
from tfinv.evaluation.neighbours import Neighbours, knn_distance, nearest_same_class
from tfinv.evaluation.similarity import pair_diversity, ssim

_PRDC_K = 3


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """What reconstructions are compared with: the victim's training set and those who judge.

    Attributes:
      images: (m, H, W, C) float32 in [0, 1].
      labels: (m,).
      evaluators: classifiers over [0, 1] images, by name.
      features: (m, d) of the training images, by evaluator; one without an encoder, such as softmax regression, sees but
        the pixels, and has none.
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
        found = {k: features(e, images) for k, e in evaluators.items()}
        own = {k: v for k, v in found.items() if not _are_pixels(v, images)}
        return cls(images, labels, evaluators, own, means, identifiers or {})

    def like(self, labels: np.ndarray) -> np.ndarray:
        """Training rows of the classes of `labels`, of each class as many as it has there, or all if there are fewer.

        They are spread evenly over the class, and are the same for every model.
        """
        chosen = []
        for label in np.unique(labels):
            rows, count = np.flatnonzero(self.labels == label), int(np.sum(labels == label))
            chosen.append(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)])
        return np.concatenate(chosen)


def measure(
    images: np.ndarray,
    labels: np.ndarray,
    against: TrainingSet,
    also: Mapping[str, np.ndarray] | None = None,
    *,
    k: int = 1,
    **keys: Any,
) -> Measurement:
    """All measures of one set of reconstructions.

    Args:
      images: (n, H, W, C) in [0, 1], ordered by sample within a class.
      labels: (n,) the class that each is to show.
      against: the training set and the evaluators.
      also: further measures that the attack itself reports, (n,) each: confidence, steps.
      k: neighbours that `feature_distance` and `pixel_distance` average over.
      **keys: experiment, method, budget, seed: the rows' own.

    Returns:
      Values of each measure, of which `rows` makes rows. Left out is what the set is too small for: FID where n does not exceed
      the features, PRDC where it does not exceed 3, diversity where no class has two.

    Raises:
      UserError: a class of `labels` has fewer than k training images.
    """
    against_classes(labels, against.labels)
    labels = np.asarray(labels)
    found: list[Values] = []

    def add(name, values, evaluator=None, of=None, **extra):
        found.append(Values(name, values, labels if of is None else of, evaluator, extra))

    for name, evaluator in against.evaluators.items():
        place = ranks(evaluator.predict(evaluator.from_unit(images)), labels)
        add("acc@1", place <= 1, name)
        if evaluator.num_classes > 5:
            add("acc@5", place <= 5, name)
        if name not in against.features:
            continue
        seen = features(evaluator, images)
        add("feature_distance", knn_distance(seen, labels, against.features[name], against.labels, k), name)
        found += _spread(seen, labels, against, name)
        spread, classes = pair_diversity(seen, labels)
        if len(classes):
            add("feature_diversity", spread, name, of=classes)
    if against.identifiers:
        identified = identify(images, labels, against.identifiers)
        add("identification_rank", identified.ranks, cmc=identified.curve.tolist())
        add("rank@1", identified.ranks <= 1)
        add("rank@5", identified.ranks <= 5)
    root = float(np.sqrt(np.prod(images.shape[1:])))
    add("pixel_distance", knn_distance(images, labels, against.images, against.labels, k) / root)
    add("ssim_to_nearest", ssim(images, against.images[nearest_pixels(images, labels, against).indices]))
    add("ssim_to_class_mean", ssim(images, against.class_means[labels]))
    for name, values in (also or {}).items():
        add(name, np.asarray(values, np.float64))
    spread, classes = pair_diversity(images, labels, root)
    if len(classes):
        add("diversity", spread, of=classes)
    return Measurement(keys, tuple(found))


def against_classes(labels: np.ndarray, known: np.ndarray) -> None:
    """Refuses labels of classes without training images.

    Raises:
      UserError: there are such.
    """
    missing = sorted(set(np.unique(labels).tolist()) - set(np.unique(known).tolist()))
    if missing:
        raise expected(
            "labels of classes with training images", f"labels {missing}", "Change the data set or the labels."
        )


def nearest_pixels(images: np.ndarray, labels: np.ndarray, against: TrainingSet) -> Neighbours:
    """The nearest training image of the same class, by L2 over pixels."""
    return nearest_same_class(images, labels, against.images, against.labels)


def _are_pixels(found, images):
    """Whether these features are the images themselves, scaled to length 1."""
    flat = images[:64].reshape(min(len(images), 64), -1)
    scaled = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return found.shape[1] == flat.shape[1] and np.allclose(found[:64], scaled, atol=1e-5)


def _spread(seen, labels, against, name):
    """FID and PRDC against as many training images of the same classes, where there are enough."""
    rows = against.like(labels)
    real, fewest = against.features[name][rows], min(len(rows), len(seen))
    sizes = {"n": len(seen), "n_real": len(rows)}
    found = []
    if fewest > seen.shape[1]:
        found.append(Values("fid", np.array([fid(real, seen)]), np.array([-1]), name, sizes))
    if fewest > _PRDC_K:
        parts = prdc(real, seen, _PRDC_K)
        found += [
            Values(part, getattr(parts, part), of, name, {"n_real": len(rows)})
            for part, of in (
                ("precision", labels),
                ("recall", against.labels[rows]),
                ("density", labels),
                ("coverage", against.labels[rows]),
            )
        ]
    return found
