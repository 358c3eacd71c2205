"""Runs an inversion: sample starts, select, optimise, select, score; all labels and samples together."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.classifier import Classifier, validation
from tfinv.errors import expected
from tfinv.inversion import views
from tfinv.inversion.base import Inversion
from tfinv.inversion.knowledge import Knowledge
from tfinv.inversion.problem import Course, Problem
from tfinv.labels import order_in_class

# Random views of a reconstruction over which its confidence is averaged.
_VIEWS = 10
BATCH_SIZE = 512


@dataclasses.dataclass(frozen=True)
class InversionResult:
    """Reconstructions; n = labels x samples.

    Attributes:
      images: (n, H, W, C) float32 in the bounds.
      labels: (n,) the class that each row reconstructs.
      starts: (n, H, W, C) in the bounds, where each row started.
      confidence: (n,) the model's own probability of the label, in float64.
      cost: (n,) of the returned images; NaN if the method has none.
      steps: (n,) steps that the row took.
      stopped: (n,) bool: a stop rule ended the row, rather than the number of steps.
      queries: (n,) predictions asked by a method without gradients.
      knowledge: what the attacker had, as a phrase for reports.
      course: records of the optimisation, if `record` asked for them.
    """

    images: np.ndarray
    labels: np.ndarray
    starts: np.ndarray
    confidence: np.ndarray
    cost: np.ndarray
    steps: np.ndarray
    stopped: np.ndarray
    queries: np.ndarray
    knowledge: str
    course: Course | None = None


def invert(
    classifier: Classifier,
    labels: Any,
    method: Inversion,
    *,
    samples: int = 1,
    knowledge: Knowledge | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    record: int = 0,
) -> InversionResult:
    """Reconstructs an image of each label, `samples` times.

    Args:
      classifier: the victim.
      labels: (k,) classes to reconstruct.
      method: which inversion, and its hyper-parameters.
      samples: reconstructions of each label; where the method is not `is_drawn` they are copies.
      knowledge: attacker knowledge; None for none.
      seed: of all draws.
      batch_size: rows in one compiled call at most.
      record: of how many of the first reconstructions the course has pictures; 0 records no course.

    Returns:
      k x samples reconstructions, ordered by label, then sample.

    Raises:
      UserError: labels out of range, a classifier without the access that the method requires, missing knowledge.
    """
    _check_least(1, samples=samples, batch_size=batch_size)
    _check_least(0, record=record)
    problem = _make_problem(classifier, labels, samples * method.best_of, knowledge, seed, batch_size, record)
    method.check(problem)
    method = method.prepare(problem)
    points = _select_starts(method, problem)
    result = method.optimise(problem, points)
    starts = points if result.starts is None else result.starts
    rows = _select_rows(method, problem, result.images)
    problem = dataclasses.replace(problem, labels=problem.labels[rows], places=problem.places[rows])
    return InversionResult(
        images=problem.to_bounds(tf.constant(result.images[rows])).numpy(),
        labels=problem.labels,
        starts=problem.to_bounds(tf.constant(method.decode_in_batches(problem, starts[rows]))).numpy(),
        confidence=problem.confidence(result.images[rows]),
        cost=result.cost[rows],
        steps=result.steps[rows],
        stopped=result.stopped[rows],
        queries=result.queries[rows],
        knowledge=problem.knowledge.describe(method.ACCESS, method.needs),
        course=result.course,
    )


def check(
    classifier: Classifier,
    labels: Any,
    method: Inversion,
    *,
    samples: int = 1,
    knowledge: Knowledge | None = None,
    batch_size: int = BATCH_SIZE,
) -> None:
    """Raises what `invert` would raise before it starts; the arguments are the same.

    Raises:
      UserError: see `invert`.
    """
    _check_least(1, samples=samples, batch_size=batch_size)
    method.check(_make_problem(classifier, labels, samples * method.best_of, knowledge, 0, batch_size, 0))


def _check_least(least, **arguments):
    for name, value in arguments.items():
        if value < least:
            raise expected(f"{name} of at least {least}", value, f"Change the argument `{name}`.")


def _make_problem(classifier, labels, repeats, knowledge, seed, batch_size, record):
    """The problem of all reconstructions at once, of which `repeats` are of each label."""
    labels = np.atleast_1d(labels)
    if not labels.size:
        raise expected("at least one label", "none", "Change the argument `labels`.")
    labels = validation.check_labels(labels, len(labels), classifier.num_classes)
    labels = np.repeat(labels, repeats)
    places = labels + classifier.num_classes * order_in_class(labels)
    return Problem(classifier, labels, places, knowledge or Knowledge(), seed, batch_size, record)


def _select_starts(method: Inversion, problem: Problem) -> np.ndarray:
    """(n, ...) each row's candidate of the highest confidence; drawn one after the other, so that memory does not grow."""
    order = order_in_class(problem.labels)
    best_points, best_confidence = None, np.full(len(order), -np.inf)
    classes = problem.classifier.num_classes
    for candidate in range(method.candidates):
        places = problem.labels + classes * (order * method.candidates + candidate)
        points = method.sample(dataclasses.replace(problem, places=places))
        if method.candidates == 1:
            return points
        confidence = problem.confidence(method.decode_in_batches(problem, points))
        is_better = (confidence > best_confidence).reshape(-1, *[1] * (points.ndim - 1))
        best_points = points if best_points is None else np.where(is_better, points, best_points)
        best_confidence = np.maximum(best_confidence, confidence)
    assert best_points is not None
    return best_points


def _select_rows(method: Inversion, problem: Problem, images: np.ndarray) -> np.ndarray:
    """(n / best_of,) of each group of `best_of` neighbouring rows the one of the highest mean confidence over random views."""
    if method.best_of == 1:
        return np.arange(len(images))
    crops = views.crops(images, _VIEWS, problem.seed)
    confidence = np.mean([problem.confidence(crop) for crop in crops], axis=0).reshape(-1, method.best_of)
    return np.arange(len(confidence)) * method.best_of + confidence.argmax(axis=1)
