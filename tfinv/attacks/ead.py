"""Elastic-net attack: sparse perturbations with a small L1 norm."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.fields import check_positive
from tfinv.attacks.penalty import MoveResult, PenaltyAttack, loss
from tfinv.errors import expected
from tfinv.pool import State

_RULES = ("l1", "en")


@dataclasses.dataclass(frozen=True)
class EAD(PenaltyAttack):
    """Elastic-net attack to deep neural networks (Chen et al. 2018), by FISTA.

    Minimises c f(x') + |x' - x|_2^2 + beta |x' - x|_1 within the bounds; distances are in units of the bounds' width. See
    `PenaltyAttack` for f, the search for c, and the other attributes.

    The paper takes 9 runs of 1000 steps from c = .001, and mostly beta = .001. In runs as short as here beta = .01 gives much
    smaller L1 distances: by a third on a convolutional net for MNIST. No run ends early, because most pixels return to their
    original values in the last steps, when the learning rate is small and the threshold still as large.

    Attributes:
      beta: weight of L1, and the threshold below which a pixel does not change.
      rule: "l1" to return the success with the smallest L1 distance, "en" for the smallest elastic-net distance.
    """

    NORMS = ("l1",)
    VARIABLES = ("current", "slack")

    norm: str = "l1"
    steps: int = 100
    abort_early: bool = False
    beta: float = 1e-2
    rule: str = "l1"

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "beta")
        if self.rule not in _RULES:
            raise expected(f"a rule among {', '.join(_RULES)}", repr(self.rule), "Change the argument `rule`.")

    def initial_variables(self, images: np.ndarray, bounds: tuple[float, float]) -> State:
        """Returns the iterate x and the extrapolated point y of FISTA, both at the images."""
        return {"current": images, "slack": images}

    def schedule(self, step: int) -> Sequence[float]:
        """Returns the learning rate, which decreases as a square root to 0, the momentum k / (k + 3), and beta."""
        return self.learning_rate * (1 - step / self.steps) ** 0.5, step / (step + 3), self.beta

    @property
    def graph_key(self) -> tuple[Any, ...]:
        """Hyper-parameters that the graph of a move depends on, the rule included."""
        return (*super().graph_key, self.rule)

    def make_move(self, classifier: Any) -> Callable[..., MoveResult]:
        """Returns a step of FISTA."""
        (low, high), sign, rule = classifier.bounds, self.sign, self.rule
        width = high - low

        def distances(x, image, beta):
            change = (x - image) / width
            l1 = threat.norms(change, "l1")
            return l1, beta * l1 + tf.square(threat.norms(change, "l2"))

        def move(image, goal, const, confidence, current, slack, rate, momentum, beta):
            f, slope, zero, _ = loss(classifier, slack, goal, sign, confidence)
            change = (slack - image) / width
            stepped = change - rate * (threat.per_example(const, slope) * width * slope + 2.0 * change)
            shrunk = tf.sign(stepped) * tf.maximum(tf.abs(stepped) - beta, 0.0)
            new = tf.clip_by_value(image + width * shrunk, low, high)
            extrapolated = tf.clip_by_value(new + momentum * (new - current), low, high)
            cost = const * f + distances(slack, image, beta)[1]
            l1, elastic = distances(new, image, beta)
            score = l1 if rule == "l1" else elastic
            return MoveResult({"current": new, "slack": extrapolated}, new, None, cost, score, zero)

        return move
