"""The call: sample starts, select, optimise, select, score; all labels and samples in one batch."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import validation
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.inversion import views
from tfinv.inversion.base import Inversion
from tfinv.inversion.descent import decode
from tfinv.inversion.knowledge import Knowledge
from tfinv.inversion.problem import Course, Problem
from tfinv.labels import order_in_class

# Random views of a reconstruction among which the model must stay sure of it.
_VIEWS = 10
BATCH_SIZE = 512


@dataclasses.dataclass(frozen=True)
class InversionResult:
    """Reconstructions; n = labels x samples.

    Attributes:
      images: (n, H, W, C) float32 in the bounds.
      labels: (n,) the class that each row reconstructs.
      starts: (n, H, W, C) in the bounds, where each row began.
      confidence: (n,) the model's own probability of the label, in float64.
      cost: (n,) of the returned images; NaN if the method has none.
      steps: (n,) steps that the row ran.
      stopped: (n,) bool: a stop rule ended the row, rather than the number of steps.
      queries: (n,) predictions asked by a method without gradients.
      knowledge: what the attacker had, as a phrase for reports.
      course: how it went, if `record` asked for it.
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
      knowledge: what the attacker has beside the model; None for nothing.
      seed: of all draws.
      batch_size: rows in one compiled call at most.
      record: of how many of the first reconstructions the course is kept with pictures; 0 keeps no course.

    Returns:
      k x samples reconstructions, ordered by label, then sample.

    Raises:
      UserError: labels out of range, a classifier that does not give what the method asks, knowledge that is missing.
    """
    problem = _posed(classifier, labels, method, samples, knowledge, seed, batch_size, record)
    wanted, places, order = problem.labels, problem.places, order_in_class(problem.labels)
    method = method.prepare(problem)
    points = _select_starts(method, problem, order)
    found = method.optimise(problem, points)
    begun = points if found.starts is None else found.starts
    kept = _select_finals(method, problem, found.images, len(wanted) // method.best_of)
    problem = dataclasses.replace(problem, labels=wanted[kept], places=places[kept])
    return InversionResult(
        images=problem.to_bounds(tf.constant(found.images[kept])).numpy(),
        labels=wanted[kept],
        starts=problem.to_bounds(tf.constant(decode(method, problem, begun[kept]))).numpy(),
        confidence=problem.confidence(found.images[kept]),
        cost=found.cost[kept],
        steps=found.steps[kept],
        stopped=found.stopped[kept],
        queries=found.queries[kept],
        knowledge=problem.knowledge.describe(method.ACCESS, method.needs),
        course=found.course,
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
    """Raises what `invert` would before it begins; the arguments are the same.

    Raises:
      UserError: see `invert`.
    """
    _posed(classifier, labels, method, samples, knowledge, 0, batch_size, 0)


def _posed(classifier, labels, method, samples, knowledge, seed, batch_size, record):
    """The problem of all reconstructions at once."""
    for name, value, least in (("samples", samples, 1), ("batch_size", batch_size, 1), ("record", record, 0)):
        if value < least:
            raise expected(f"{name} of at least {least}", value, f"Change the argument `{name}`.")
    labels = np.atleast_1d(labels)
    if not labels.size:
        raise expected("at least one label", "none", "Change the argument `labels`.")
    labels = validation.check_labels(labels, len(labels), classifier.num_classes)
    wanted = np.repeat(labels, samples * method.best_of)
    places = wanted + classifier.num_classes * order_in_class(wanted)
    problem = Problem(classifier, wanted, places, knowledge or Knowledge(), seed, batch_size, record)
    method.check(problem)
    return problem


def _select_starts(method: Inversion, problem: Problem, order: np.ndarray) -> np.ndarray:
    """Of each row's candidates the one that the model is surest of; drawn one after the other, so that memory does not grow."""
    best, sureness = None, np.full(len(order), -np.inf)
    classes = problem.classifier.num_classes
    for candidate in range(method.candidates):
        drawn = dataclasses.replace(problem, places=problem.labels + classes * (order * method.candidates + candidate))
        points = method.sample(drawn)
        if method.candidates == 1:
            return points
        sure = problem.confidence(decode(method, problem, points))
        better = sure > sureness
        best = points if best is None else np.where(better.reshape(-1, *[1] * (points.ndim - 1)), points, best)
        sureness = np.maximum(sureness, sure)
    assert best is not None
    return best


def _select_finals(method: Inversion, problem: Problem, images: np.ndarray, count: int) -> np.ndarray:
    """(count,) rows: of each `best_of` in a row the one of which the model is surest, on average over random views."""
    if method.best_of == 1:
        return np.arange(len(images))
    seen = views.crops(images, _VIEWS, problem.seed)
    sureness = np.mean([problem.confidence(view) for view in seen], axis=0).reshape(count, method.best_of)
    return np.arange(count) * method.best_of + sureness.argmax(axis=1)
