"""What the attacks share that see only which class is predicted: a start, the way to the boundary, the count of queries."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.problem import Found, Problem
from tfinv.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import State, advance

_TRIES = 100  # draws of noise for a start, at most
_SHARES = (1.0, 0.75, 0.5)  # of the noise in its blend with the image
_LAST_HALVINGS = 14  # of the last bisection: to 6e-5 of the distance
_BEYOND = 2.0**-_LAST_HALVINGS  # how far beyond the boundary, as a share of the distance
_SPARE = 1e-3  # a solution that is nearer than eps by this share is near enough to stop


@dataclasses.dataclass(frozen=True)
class DecisionAttack(Attack):
    """Base of the attacks that ask for labels only and walk along the boundary towards the image; a family gives `walk`.

    It starts at the images that the caller gives as `start`, where they are misclassified (targeted: predicted as the target);
    otherwise, if untargeted, at noise that is. Where there is no start the image stays as it is. At the end it goes straight to the
    boundary, and the least bit further, so that the result does not depend on how a prediction is rounded.

    Attributes:
      eps: within which one solution is enough; infinity looks for the nearest.
      queries: predictions asked of one example, at most.
    """

    NORMS: ClassVar[tuple[str, ...]] = ("l2",)
    NEEDS = "labels"
    MINIMAL = True
    WARM = True

    eps: float = math.inf
    norm: str = "l2"
    queries: int = 5000

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "queries")

    def perturb(self, problem: Problem) -> Found:
        """A start, the walk, and the last steps to the boundary."""
        n = len(problem.images)
        state = {
            "current": problem.images.copy(),
            "distance": np.full(n, np.inf, np.float32),
            "best": problem.images.copy(),
            "least": np.full(n, np.inf, np.float32),
            "queries": np.zeros(n, np.int64),
            "found": np.zeros(n, bool),
            "image": problem.images,
            "goal": problem.goals,
            "place": problem.rows,
        }
        self._start(problem, state)
        self.to_boundary(problem, state, np.flatnonzero(state["found"]), _LAST_HALVINGS)
        self.walk(problem, state, self.queries - _LAST_HALVINGS - 1)
        self._settle(problem, state)
        return Found(state["best"], queries=state["queries"])

    def walk(self, problem: Problem, state: State, limit: int) -> None:
        """Moves `current`, which is misclassified where `found`, and keeps the nearest such image as `best`.

        Args:
          problem: as given to `perturb`.
          state: of n examples: current, distance (of current), best, least (distance of best), queries, found, image, goal, place.
          limit: queries of an example, those so far included, at most.
        """
        raise NotImplementedError

    def unfinished(self, state: State, limit: int) -> np.ndarray:
        """The rows that have a start and queries left, and are not near enough."""
        near = math.isfinite(self.eps) & (state["least"] * (1 + _SPARE) <= self.eps)
        return np.flatnonzero(state["found"] & ~near & (state["queries"] < limit))

    def keep(self, state: State, rows: np.ndarray) -> None:
        """Notes the distance of what is current, and keeps it where it is the nearest so far."""
        state["distance"][rows] = threat.distances(state["current"][rows], state["image"][rows], self.norm)
        better = rows[state["distance"][rows] < state["least"][rows]]
        state["best"][better], state["least"][better] = state["current"][better], state["distance"][better]

    def to_boundary(self, problem: Problem, state: State, rows: np.ndarray, halvings: int) -> None:
        """Bisection on the way from the image to `current`, which becomes its misclassified end."""
        halve = compiled(
            problem.classifier,
            ("halve", self.norm, self.targeted),
            _make_halve(self.norm, self.targeted),
            *("images", "images", "numbers", "numbers", "images", "labels", "labels", "count"),
        )

        def bisect(image, current, goal, queries, **_):
            high = tf.ones_like(goal, tf.float32)
            low, point = tf.zeros_like(high), current
            for _halving in range(halvings):
                low, high, point, queries = halve(image, current, low, high, point, goal, queries, self.queries)
            return {"current": point, "queries": queries}

        advance(state, rows, problem.batch_size, bisect)
        self.keep(state, rows)

    def _start(self, problem: Problem, state: State) -> None:
        """Finds misclassified images: those given, or noise of different grain and contrast, also blended with the image."""
        if self.targeted and problem.start is None:
            raise expected(
                f"start= with an image of the target class for each image, as a targeted {type(self).__name__} needs",
                "none",
                "Pass start=, or use an attack with gradients or scores.",
            )
        is_hit = compiled(problem.classifier, ("hit", self.targeted), _make_hit(self.targeted), "images", "labels")
        state["begin"] = problem.images if problem.start is None else problem.start

        def given(begin, goal, queries, **_):
            return {"current": begin, "found": is_hit(begin, goal), "queries": queries + 1}

        if problem.start is not None:
            advance(state, np.arange(len(problem.images)), problem.batch_size, given)
        del state["begin"]
        for attempt in range(0 if self.targeted else _TRIES):
            rows = np.flatnonzero(~state["found"] & (state["queries"] < self.queries))
            if not len(rows):
                break

            def noise(image, goal, place, queries, attempt=attempt, **_):
                tried = self._noise(problem, image, place.numpy(), attempt)
                return {"current": tried, "found": is_hit(tried, goal), "queries": queries + 1}

            advance(state, rows, problem.batch_size, noise)

    def _noise(self, problem, image, places, attempt):
        """The first is uniform noise, as in the papers, which a model may take for one class only; the others are stronger."""
        low, high = problem.classifier.bounds
        height, width, channels = problem.classifier.input_shape
        grain = 2 ** (attempt // len(_SHARES) % min(height, width).bit_length())
        drawn = random.uniform(problem.seed, attempt, places, (-(-height // grain), -(-width // grain), channels))
        if attempt:
            drawn = tf.round(drawn)
        noise = tf.repeat(tf.repeat(drawn, grain, axis=1), grain, axis=2)[:, :height, :width]
        share = _SHARES[attempt % len(_SHARES)]
        return tf.clip_by_value(image + share * (low + (high - low) * noise - image), low, high)

    def _settle(self, problem: Problem, state: State) -> None:
        """Bisects from the best to the image, and goes a bit beyond the boundary if that is misclassified as well."""
        rows = np.flatnonzero(state["found"])
        state["current"][rows] = state["best"][rows]
        self.to_boundary(problem, state, rows, _LAST_HALVINGS)
        is_hit = compiled(problem.classifier, ("hit", self.targeted), _make_hit(self.targeted), "images", "labels")
        state["sure"] = np.zeros(len(state["found"]), bool)

        def beyond(image, best, goal, queries, **_):
            tried = tf.clip_by_value(best + _BEYOND * (best - image), *problem.classifier.bounds)
            return {"current": tried, "sure": is_hit(tried, goal), "queries": queries + 1}

        rows = rows[state["queries"][rows] < self.queries]
        advance(state, rows, problem.batch_size, beyond)
        distance = threat.distances(state["current"], state["image"], self.norm)
        lost = (state["least"] <= self.eps) & (distance > self.eps)
        sure = rows[state["sure"][rows] & ~lost[rows]]
        state["best"][sure] = state["current"][sure]


def blend(image: tf.Tensor, far: tf.Tensor, share: tf.Tensor, norm: str) -> tf.Tensor:
    """The images at a share of the distance to others (Chen et al. 2020, HopSkipJumpAttack).

    Args:
      image: (b, H, W, C).
      far: (b, H, W, C).
      share: (b,) of the distance.
      norm: "l2" goes straight; "linf" cuts each pixel's change, and comes nearest to `far` at that distance.

    Returns:
      (b, H, W, C).
    """
    change = far - image
    if norm == "linf":
        radius = threat.per_example(share * threat.norms(change, norm), image)
        return image + tf.clip_by_value(change, -radius, radius)
    return image + threat.per_example(share, image) * change


def hit(classifier: Any, images: tf.Tensor, goals: tf.Tensor, targeted: bool) -> tf.Tensor:
    """(b,) bool: predicted as the target, or as another class than the label. All that a decision-only attack may see."""
    return (tf.argmax(classifier.logits(images), axis=1) == goals) == targeted


def _make_hit(targeted: bool) -> Callable[[Any], Callable]:
    def make(classifier):
        return lambda images, goals: hit(classifier, images, goals, targeted)

    return make


def _make_halve(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Makes one bisection: shares low and high of the way from `image` to `far`, and the image `point` at high."""

    def make(classifier):
        def halve(image, far, low, high, point, goal, queries, limit):
            middle = (low + high) / 2
            tried = tf.clip_by_value(blend(image, far, middle, norm), *classifier.bounds)
            asked = queries < tf.cast(limit, tf.int64)
            is_hit = hit(classifier, tried, goal, targeted)
            taken = asked & is_hit
            return (
                tf.where(asked & ~is_hit, middle, low),
                tf.where(taken, middle, high),
                tf.where(threat.per_example(taken, tried), tried, point),
                queries + tf.cast(asked, tf.int64),
            )

        return halve

    return make
