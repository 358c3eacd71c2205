"""Base class of all attacks: runs the stages of an attack and verifies their results."""

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
from tfinv.attacks.problem import AttackResult, Problem, StageResult
from tfinv.classifier import Classifier
from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import expected

# Advice when the classifier lacks what an attack needs.
_ALTERNATIVES = {
    "gradients": "Pass --attacks=square,hopskipjump,noise (boundary works, too), which need predictions alone; or add "
    "--surrogate=m.keras, a Keras model like this one, whose gradients they then take.",
    "scores": "Use an attack that needs labels only, such as hopskipjump or boundary.",
    "labels": "",
}
# Difference between the seeds of successive stages.
_SEED_STRIDE = 1_000_003


@dataclasses.dataclass(frozen=True)
class Attack:
    """Hyper-parameters of an attack; calling it attacks a classifier.

    Attributes:
      eps: radius, in units of the classifier's bounds.
      norm: "linf", "l2" or "l1"; not every attack supports all.
      targeted: move towards the given targets instead of away from the labels.
      NORMS: supported norms.
      TARGETED: whether it supports targeted=True.
      NEEDS: access to the classifier that it needs: "gradients", "scores" or "labels".
      MINIMAL: whether it searches for the smallest perturbation; eps is then only the largest distance of a success.
      WARM: whether it can start from the images of the argument `start`.
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
          seed: of all random draws, which do not depend on the batch size.
          batch_size: largest number of examples in one compiled call.
          rows: (n,) indices of the images in their data set, which seed their draws; None for 0 to n - 1.
          start: (n, H, W, C) initial images, for attacks that are WARM. They are projected onto the budget first, unless the
            attack is minimal.
          checkpoint: file in which the state of every image is saved after each stage, and from which a killed run resumes.

        Raises:
          UserError: invalid images or labels; targets that are missing, superfluous or equal to the label; a classifier without
            the access that the attack needs; a checkpoint of another run.
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
        initial = _initial_state(images, self._margins(classifier, images, goals, batch_size))
        arrays = (images, labels, goals, rows) if start is None else (images, labels, goals, rows, start)
        run = Checkpoint.open(checkpoint, (self, seed, len(stages)), arrays, initial)
        # Zero gradients are those of the first stage with gradients: later ones see only the images that it did not fool.
        gradient_stage = next((i for i, (member, _) in enumerate(stages) if member.NEEDS == "gradients"), 0)
        state = run.state
        for number in range(run.stage, len(stages)):
            member, round_number = stages[number]
            robust = np.flatnonzero(state.margins <= 0)
            if not len(robust):
                break
            problem = Problem(
                classifier,
                images,
                labels,
                goals,
                rows,
                seed=seed + _SEED_STRIDE * number,
                batch_size=batch_size,
                round=round_number,
                start=start if member.WARM else None,
            ).take(robust)
            result = member.perturb(problem)
            candidates = member.within(result.images, problem.images, budget, classifier.bounds)
            margins = self._margins(classifier, candidates, problem.goals, batch_size)
            better = (margins > state.margins[robust]) | (number == 0)
            state.images[robust[better]], state.margins[robust[better]] = candidates[better], margins[better]
            state.gradient_calls[robust] += result.gradient_calls
            state.queries[robust] += result.queries
            if number == gradient_stage and result.zero_gradients is not None:
                state.zero_gradients[robust] = result.zero_gradients
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
        """Attacks that it combines, under its threat model; empty for a single attack."""
        return ()

    @property
    def needs(self) -> str:
        """Access to the classifier that it needs, including that of its parts; see NEEDS."""
        return self.NEEDS

    @property
    def minimal(self) -> bool:
        """Whether it, or each of its parts, searches for the smallest perturbation, which may be smaller than eps."""
        return self.MINIMAL or (bool(self.parts) and all(part.minimal for part in self.parts))

    @property
    def single_step(self) -> bool:
        """Whether it, or each of its parts, takes a single step."""
        return all(p.single_step for p in self.parts) if self.parts else getattr(self, "steps", None) == 1

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the models that it, or one of its parts, reads."""
        return tuple(path for part in self.parts for path in part.files)

    def check_files(self) -> None:
        """Raises UserError unless each of `files` exists."""
        for path in self.files:
            if not path or not pathlib.Path(path).exists():
                raise expected("a surrogate that exists", repr(path), "Write transfer(surrogate='other.keras').")

    def stages(self, classifier: Classifier) -> Sequence[tuple["Attack", int]]:
        """Returns the stages, each a pair (attack, round). A stage gets the images that no earlier stage has fooled."""
        return [(self, 0)]

    def perturb(self, problem: Problem) -> StageResult:
        """Runs one stage. Each attack family implements it."""
        raise NotImplementedError

    def radius(self, classifier: Classifier) -> float:
        """Returns eps, but at most the distance between opposite corners of the bounds, which already allows every image."""
        width, size = classifier.bounds[1] - classifier.bounds[0], math.prod(classifier.input_shape)
        return min(float(self.eps), width * {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[self.norm])

    @property
    def sign(self) -> float:
        """Factor of the margin at the goal that makes it positive for a success: -1 if targeted, else 1."""
        return -1.0 if self.targeted else 1.0

    def within(
        self, candidates: np.ndarray, images: np.ndarray, budget: threat.Budget, bounds: tuple[float, float]
    ) -> np.ndarray:
        """Returns the candidates, corrected to lie exactly within budget and bounds.

        Candidates of a minimal attack that are farther than eps are replaced by the original images.
        """
        if self.MINIMAL:
            far = threat.distances(candidates, images, self.norm) > budget.eps * (1 + 1e-6)
            candidates = np.where(far.reshape(-1, *[1] * (images.ndim - 1)), images, candidates)
        return threat.enforce(candidates, images, budget, bounds)

    def _margins(self, classifier, images, goals, batch_size):
        """Returns margins of the float32 logits, (n,), positive exactly where the prediction is a success."""
        logits = run_in_batches(classifier.compiled_logits, images, batch_size)
        margins = np.nan_to_num(self.sign * margin(tf.constant(logits), tf.constant(goals)).numpy())
        # Where the two largest logits are equal, or one is not a number, the prediction is the first of them.
        success = (logits.argmax(1) == goals) == self.targeted
        return np.where(success, np.maximum(margins, np.finfo(np.float32).tiny), np.minimum(margins, 0.0))

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
        """Raises UserError if the classifier lacks the access that the attack needs."""
        classifier.require(self.NEEDS, type(self).__name__, _ALTERNATIVES[self.NEEDS])


def _initial_state(images, margins):
    n = len(images)
    return State(images.copy(), margins, np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, bool))
