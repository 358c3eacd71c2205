"""The call that every attack shares: its rounds, and the verification of what they find."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.checkpoint import Checkpoint, State
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import AttackResult, Found, Problem
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.prediction import run_in_batches

# For an attack that needs more than the classifier gives.
_INSTEAD = {
    "gradients": "Use an attack that needs predictions only, such as square, or labels only, such as hopskipjump.",
    "scores": "Use an attack that needs labels only, such as hopskipjump or boundary.",
    "labels": "",
}
# So that the rounds of one run draw from different seeds.
_APART = 1_000_003


@dataclasses.dataclass(frozen=True)
class Attack:
    """Hyper-parameters of an attack, and the call that runs it.

    Attributes:
      eps: radius, in units of the classifier's bounds.
      norm: "linf", "l2" or "l1", as far as the attack has them.
      targeted: move towards the given targets instead of away from the labels.
      NORMS: the norms it has.
      TARGETED: whether it can be targeted.
      NEEDS: what it needs of the classifier: "gradients", "scores" or "labels".
      MINIMAL: whether it looks for the smallest perturbation; eps is then only the largest that counts.
      WARM: whether it may start from images that are given.
    """

    eps: float = 0.3
    norm: str = "linf"
    targeted: bool = False

    NORMS: ClassVar[tuple[str, ...]] = ("linf", "l2")
    TARGETED: ClassVar[bool] = True
    NEEDS: ClassVar[str] = "gradients"
    MINIMAL: ClassVar[bool] = False
    WARM: ClassVar[bool] = False

    def __post_init__(self):
        threat.Budget(self.eps, self.norm)
        if self.norm not in self.NORMS:
            names = ", ".join(self.NORMS)
            raise expected(
                f"a norm of {type(self).__name__} among {names}", repr(self.norm), "Change the argument `norm`."
            )
        if self.targeted and not self.TARGETED:
            raise expected(f"targeted=False for {type(self).__name__}", "targeted=True", "Use another attack.")

    def __call__(
        self,
        classifier: Classifier,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        targets: np.ndarray | None = None,
        seed: int = 0,
        batch_size: int = 256,
        rows: np.ndarray | None = None,
        start: np.ndarray | None = None,
        checkpoint: pathlib.Path | None = None,
    ) -> AttackResult:
        """Attacks every image.

        Args:
          classifier: the victim.
          images: (n, H, W, C) in the classifier's bounds.
          labels: (n,) true classes.
          targets: (n,) classes to reach, if targeted.
          seed: of all random draws; the same seed gives the same draws whatever the batch size.
          batch_size: examples in one compiled call, at most.
          rows: (n,) places of the images in their data set, which seed their draws; None for 0 to n - 1.
          start: (n, H, W, C) images to start from instead of the attack's own start, where it has one; they are moved into the
            budget first, unless the attack is minimal.
          checkpoint: a file that keeps the state of every image after each round, and from which a killed run goes on.

        Raises:
          UserError: images or labels that the classifier refuses; targets missing, superfluous or equal to the label; a
            classifier that lacks what the attack needs; a checkpoint of another run.
        """
        images, labels = classifier.validate(images, labels)
        goals = self._goals(classifier, images, labels, targets)
        self.check_needs(classifier)
        if batch_size < 1:
            raise expected("a positive batch size", batch_size, "Change batch_size or --batch_size.")
        rows = np.arange(len(images)) if rows is None else np.asarray(rows, np.int64)
        budget = threat.Budget(self.eps, self.norm)
        if start is not None:
            start = classifier.validate(start)[0]
            if start.shape != images.shape:
                raise expected(f"{len(images)} images to start from", len(start), "Change the argument `start`.")
            if not self.MINIMAL:
                start = threat.enforce(start, images, budget, classifier.bounds)
        batch_size = min(batch_size, len(images))
        stages = list(self.stages(classifier))
        fresh = _fresh(images, self._margins(classifier, images, goals, batch_size))
        given = (images, labels, goals, rows) if start is None else (images, labels, goals, rows, start)
        run = Checkpoint.open(checkpoint, (self, seed, len(stages)), given, fresh)
        # Whose gradients are looked at: those of later ones are of what withstood.
        looked_at = next((i for i, (member, _) in enumerate(stages) if member.NEEDS == "gradients"), 0)
        state = run.state
        for number in range(run.stage, len(stages)):
            member, round_number = stages[number]
            begin = start if member.WARM else None
            withstand = np.flatnonzero(state.margins <= 0)
            if not len(withstand):
                break
            problem = Problem(
                classifier, images, labels, goals, rows, seed + _APART * number, batch_size, round_number, begin
            ).take(withstand)
            found = member.perturb(problem)
            near = member.within(found.images, problem.images, budget, classifier.bounds)
            margins = self._margins(classifier, near, problem.goals, batch_size)
            better = (margins > state.margins[withstand]) | (number == 0)
            state.images[withstand[better]], state.margins[withstand[better]] = near[better], margins[better]
            state.gradient_calls[withstand] += found.gradient_calls
            state.queries[withstand] += found.queries
            if number == looked_at and found.zero_gradients is not None:
                state.zero_gradients[withstand] = found.zero_gradients
            run.save(number + 1)
        return AttackResult(
            state.images,
            state.margins > 0,
            threat.distances(state.images, images, self.norm),
            state.gradient_calls,
            state.queries,
            state.zero_gradients,
        )

    @property
    def parts(self) -> tuple["Attack", ...]:
        """The attacks that it is made of, under its threat model; most are made of none."""
        return ()

    @property
    def needs(self) -> str:
        """What it needs of the classifier: NEEDS, but for an attack whose parts decide."""
        return self.NEEDS

    @property
    def minimal(self) -> bool:
        """Whether it looks for the smallest perturbation, by all of its parts if it has some, and may thus stay short of eps."""
        return self.MINIMAL or (bool(self.parts) and all(part.minimal for part in self.parts))

    @property
    def single_step(self) -> bool:
        """Whether it takes one step, in each of its parts if it has some."""
        return all(p.single_step for p in self.parts) if self.parts else getattr(self, "steps", None) == 1

    @property
    def files(self) -> tuple[str, ...]:
        """The models that it reads, its parts' included."""
        return tuple(path for part in self.parts for path in part.files)

    def check_files(self) -> None:
        """Raises UserError unless each of `files` exists."""
        for path in self.files:
            if not path or not pathlib.Path(path).exists():
                raise expected("a surrogate that exists", repr(path), "Write transfer(surrogate='other.keras').")

    def stages(self, classifier: Classifier) -> Sequence[tuple["Attack", int]]:
        """The rounds, one after the other on what still withstands: (attack, number of its round)."""
        return [(self, 0)]

    def perturb(self, problem: Problem) -> Found:
        """One round: a family's own part."""
        raise NotImplementedError

    def radius(self, classifier: Classifier) -> float:
        """eps, but at most the distance between opposite corners of the bounds, which already allows every image."""
        width, size = classifier.bounds[1] - classifier.bounds[0], math.prod(classifier.input_shape)
        return min(float(self.eps), width * {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[self.norm])

    @property
    def sign(self) -> float:
        """What the margin at the goal is multiplied with so that a positive one is a success."""
        return -1.0 if self.targeted else 1.0

    def within(
        self, found: np.ndarray, images: np.ndarray, budget: threat.Budget, bounds: tuple[float, float]
    ) -> np.ndarray:
        """The found images, exactly inside budget and bounds; a minimal attack's that are too far are the originals again."""
        if self.MINIMAL:
            far = threat.distances(found, images, self.norm) > budget.eps * (1 + 1e-6)
            found = np.where(far.reshape(-1, *[1] * (images.ndim - 1)), images, found)
        return threat.enforce(found, images, budget, bounds)

    def _margins(self, classifier, images, goals, batch_size):
        """(n,) above 0 where the float32 prediction is a success: what counts in the end, whatever computed the gradients."""
        logits = run_in_batches(classifier.compiled_logits, images, batch_size)
        found = np.nan_to_num(self.sign * margin(tf.constant(logits), tf.constant(goals)).numpy())
        # Where the two largest logits are equal, or one is not a number, the prediction is the first of them.
        hit = (logits.argmax(1) == goals) == self.targeted
        return np.where(hit, np.maximum(found, np.finfo(np.float32).tiny), np.minimum(found, 0.0))

    def _goals(self, classifier, images, labels, targets):
        if (targets is not None) != self.targeted:
            raise expected(
                "targets if and only if the attack is targeted",
                f"targeted={self.targeted}, targets {'given' if targets is not None else 'missing'}",
                "Change the argument `targets` or `targeted`.",
            )
        if targets is None:
            return labels
        goals = classifier.validate(images, targets)[1]
        if np.any(goals == labels):
            raise expected("targets that differ from the labels", f"{np.sum(goals == labels)} equal ones")
        return goals

    def check_needs(self, classifier: Classifier) -> None:
        """Raises UserError if the classifier lacks what the attack needs."""
        classifier.require(self.NEEDS, type(self).__name__, _INSTEAD[self.NEEDS])


def _fresh(images, margins):
    n = len(images)
    return State(images.copy(), margins, np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, bool))
