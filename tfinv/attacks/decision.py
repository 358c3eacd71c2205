"""Base class of the decision-based attacks, which see only predicted labels: start, bisection to the boundary, query count."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.problem import Problem, StageResult
from tfinv.classifier.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import State, advance

_TRIES = 100  # draws of noise for a start, at most
_SHARES = (1.0, 0.75, 0.5)  # weights of the noise in its blend with the image
_LAST_HALVINGS = 14  # of the last bisection: to 6e-5 of the distance
_BEYOND = 2.0**-_LAST_HALVINGS  # overshoot beyond the boundary, as a share of the distance
_SLACK = 1e-3  # an example stops at a distance smaller than eps by this share


@dataclasses.dataclass(frozen=True)
class DecisionAttack(Attack):
    """Base of the attacks that use labels only and walk along the boundary towards the image; a family defines `walk`.

    An example starts at its image in `start` if that is misclassified (targeted: predicted as the target); otherwise, if
    untargeted, at misclassified noise. Without such a start, the image is returned unchanged. At the end, the attack bisects to
    the boundary and goes slightly beyond, so that the success does not depend on rounding.

    Attributes:
      eps: largest distance of a success, at which an example stops; infinity searches for the smallest.
      queries: largest number of predictions for one example.
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

    def perturb(self, problem: Problem) -> StageResult:
        """Finds a start, walks along the boundary, and ends with a bisection to it."""
        n = len(problem.images)
        state = {
            "current": problem.images.copy(),
            "distance": np.full(n, np.inf, np.float32),
            "best": problem.images.copy(),
            "best_distance": np.full(n, np.inf, np.float32),
            "queries": np.zeros(n, np.int64),
            "adversarial": np.zeros(n, bool),
            "image": problem.images,
            "goal": problem.goals,
            "row": problem.rows,
        }
        self._start(problem, state)
        self.bisect(problem, state, np.flatnonzero(state["adversarial"]), _LAST_HALVINGS)
        self.walk(problem, state, self.queries - _LAST_HALVINGS - 1)
        self._cross_boundary(problem, state)
        return StageResult(state["best"], queries=state["queries"])

    def walk(self, problem: Problem, state: State, limit: int) -> None:
        """Moves `current` along the boundary, and keeps the nearest misclassified image as `best`.

        Args:
          problem: of the stage; n images.
          state: arrays of n examples, changed in place: current, its distance, best, best_distance, queries, adversarial
            (whether there was a start, so that current is misclassified), image, goal, row (in the data set).
          limit: largest number of queries of an example, including those before the walk.
        """
        raise NotImplementedError

    def active_rows(self, state: State, limit: int) -> np.ndarray:
        """Returns the rows with a start and queries left whose best distance is not within eps yet."""
        within_eps = math.isfinite(self.eps) & (state["best_distance"] * (1 + _SLACK) <= self.eps)
        return np.flatnonzero(state["adversarial"] & ~within_eps & (state["queries"] < limit))

    def update_best(self, state: State, rows: np.ndarray) -> None:
        """Sets the distance of the current images, and keeps those that are the nearest so far."""
        state["distance"][rows] = threat.distances(state["current"][rows], state["image"][rows], self.norm)
        better = rows[state["distance"][rows] < state["best_distance"][rows]]
        state["best"][better], state["best_distance"][better] = state["current"][better], state["distance"][better]

    def bisect(self, problem: Problem, state: State, rows: np.ndarray, halvings: int) -> None:
        """Bisects between the image and `current`, which becomes the misclassified end of the interval."""
        halve = compiled(
            problem.classifier,
            ("halve", self.norm, self.targeted),
            _make_halve(self.norm, self.targeted),
            *("images", "images", "numbers", "numbers", "images", "labels", "labels", "count"),
        )

        def run(image, current, goal, queries, **_):
            high = tf.ones_like(goal, tf.float32)
            low, point = tf.zeros_like(high), current
            for _halving in range(halvings):
                low, high, point, queries = halve(image, current, low, high, point, goal, queries, self.queries)
            return {"current": point, "queries": queries}

        advance(state, rows, problem.batch_size, run)
        self.update_best(state, rows)

    def _start(self, problem: Problem, state: State) -> None:
        """Finds misclassified images: those of `start`, or noise of varying grain and contrast, also blended with the image."""
        if self.targeted and problem.start is None:
            raise expected(
                f"start= with an image of the target class for each image, as a targeted {type(self).__name__} needs",
                "none",
                "Pass start=, or use an attack with gradients or scores.",
            )
        is_hit = compiled(problem.classifier, ("hit", self.targeted), _make_hit(self.targeted), "images", "labels")
        state["start"] = problem.images if problem.start is None else problem.start

        def try_start(start, goal, queries, **_):
            return {"current": start, "adversarial": is_hit(start, goal), "queries": queries + 1}

        if problem.start is not None:
            advance(state, np.arange(len(problem.images)), problem.batch_size, try_start)
        del state["start"]
        for attempt in range(0 if self.targeted else _TRIES):
            rows = np.flatnonzero(~state["adversarial"] & (state["queries"] < self.queries))
            if not len(rows):
                break

            def try_noise(image, goal, row, queries, attempt=attempt, **_):
                noise = self._noise(problem, image, row.numpy(), attempt)
                return {"current": noise, "adversarial": is_hit(noise, goal), "queries": queries + 1}

            advance(state, rows, problem.batch_size, try_noise)

    def _noise(self, problem, image, rows, attempt):
        """Returns uniform noise in the first attempt, as in the papers, and noise of more contrast and coarser grain later.

        A model may assign all uniform noise to one class.
        """
        low, high = problem.classifier.bounds
        height, width, channels = problem.classifier.input_shape
        grain = 2 ** (attempt // len(_SHARES) % min(height, width).bit_length())
        uniform = random.uniform(problem.seed, attempt, rows, (-(-height // grain), -(-width // grain), channels))
        if attempt:
            uniform = tf.round(uniform)
        noise = tf.repeat(tf.repeat(uniform, grain, axis=1), grain, axis=2)[:, :height, :width]
        share = _SHARES[attempt % len(_SHARES)]
        return tf.clip_by_value(image + share * (low + (high - low) * noise - image), low, high)

    def _cross_boundary(self, problem: Problem, state: State) -> None:
        """Bisects between the image and `best`, and goes slightly beyond the boundary if that point is misclassified as well."""
        rows = np.flatnonzero(state["adversarial"])
        state["current"][rows] = state["best"][rows]
        self.bisect(problem, state, rows, _LAST_HALVINGS)
        is_hit = compiled(problem.classifier, ("hit", self.targeted), _make_hit(self.targeted), "images", "labels")
        state["confirmed"] = np.zeros(len(state["adversarial"]), bool)

        def beyond(image, best, goal, queries, **_):
            candidates = tf.clip_by_value(best + _BEYOND * (best - image), *problem.classifier.bounds)
            return {"current": candidates, "confirmed": is_hit(candidates, goal), "queries": queries + 1}

        rows = rows[state["queries"][rows] < self.queries]
        advance(state, rows, problem.batch_size, beyond)
        distance = threat.distances(state["current"], state["image"], self.norm)
        too_far = (state["best_distance"] <= self.eps) & (distance > self.eps)
        confirmed = rows[state["confirmed"][rows] & ~too_far[rows]]
        state["best"][confirmed] = state["current"][confirmed]


def blend(image: tf.Tensor, far: tf.Tensor, share: tf.Tensor, norm: str) -> tf.Tensor:
    """Returns images between `image` and `far` (Chen et al. 2020, HopSkipJumpAttack).

    Args:
      image: (b, H, W, C).
      far: (b, H, W, C).
      share: (b,) of the distance.
      norm: "l2" interpolates linearly; "linf" clips the change of each pixel, which gives the nearest image to `far` at that
        distance.

    Returns:
      (b, H, W, C).
    """
    change = far - image
    if norm == "linf":
        radius = threat.per_example(share * threat.norms(change, norm), image)
        return image + tf.clip_by_value(change, -radius, radius)
    return image + threat.per_example(share, image) * change


def hit(classifier: Any, images: tf.Tensor, goals: tf.Tensor, targeted: bool) -> tf.Tensor:
    """Returns whether images are predicted as the target, or as another class than the label, (b,) bool.

    It is all that a decision-based attack may see.
    """
    return (tf.argmax(classifier.logits(images), axis=1) == goals) == targeted


def _make_hit(targeted: bool) -> Callable[[Any], Callable]:
    def make(classifier):
        return lambda images, goals: hit(classifier, images, goals, targeted)

    return make


def _make_halve(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> one bisection step.

    low and high are shares of the distance from `image` to `far`, and `point` is the image at high.
    """

    def make(classifier):
        def halve(image, far, low, high, point, goal, queries, limit):
            middle = (low + high) / 2
            candidates = tf.clip_by_value(blend(image, far, middle, norm), *classifier.bounds)
            active = queries < tf.cast(limit, tf.int64)
            is_hit = hit(classifier, candidates, goal, targeted)
            accepted = active & is_hit
            return (
                tf.where(active & ~is_hit, middle, low),
                tf.where(accepted, middle, high),
                tf.where(threat.per_example(accepted, candidates), candidates, point),
                queries + tf.cast(active, tf.int64),
            )

        return halve

    return make
