"""Transfer: an attack on another model, whose result is tried on the victim."""

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np

from tfinv import importing, specs, threat
from tfinv.attacks import nested
from tfinv.attacks.base import Attack
from tfinv.attacks.problem import Found, Problem
from tfinv.classifier import Classifier
from tfinv.errors import expected

_SHARED = ("eps", "norm", "targeted")  # fields that are the same for both attacks


@dataclasses.dataclass(frozen=True)
class Transfer(Attack):
    """Transfers adversarial examples from a surrogate model (Papernot et al. 2016), with the same eps and norm.

    Images that the surrogate gets wrong are attacked as well, and images that it gets wrong on the way are pushed further if the
    inner attack can, since the victim may need more. Each round of the inner attack is one query.

    Attributes:
      surrogate: the file or folder of a model with the input, classes and bounds of the victim; or a `Classifier`.
      attack: text form of the inner attack, without eps, norm and targeted.
    """

    NORMS = ("linf", "l2", "l1")
    NEEDS = "labels"

    surrogate: str | Classifier = ""
    attack: str = "mifgsm(steps=10)"

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.surrogate, (str, Classifier)):
            raise expected(
                "surrogate as a path or a Classifier", repr(self.surrogate), "Change the argument `surrogate`."
            )
        _ = self.inner

    @property
    def inner(self) -> Attack:
        """The attack on the surrogate."""
        name, given = specs.parse(self.attack)
        if name == "transfer" or set(given) & set(_SHARED):
            raise expected(
                f"an inner attack other than transfer, without {', '.join(_SHARED)}",
                repr(self.attack),
                "Change the argument `attack`, and give those to transfer itself.",
            )
        shared = {field: getattr(self, field) for field in _SHARED}
        return nested.attack(self.attack, **shared, early_stop=False)

    @property
    def parts(self) -> tuple[Attack, ...]:
        """The inner attack."""
        return (self.inner,)

    @property
    def files(self) -> tuple[str, ...]:
        """The surrogate, unless it is at hand."""
        return (*(() if isinstance(self.surrogate, Classifier) else (self.surrogate,)), *super().files)

    def perturb(self, problem: Problem) -> Found:
        """Each round of the inner attack on what the victim still withstands."""
        inner, surrogate, victim = self.inner, self._model(problem.classifier), problem.classifier
        combined = not hasattr(inner, "early_stop")  # then its members have to be told
        persistent: dict[str, Any] = {"early_stop": False}
        n = len(problem.images)
        images, queries, rows = problem.images.copy(), np.zeros(n, np.int64), np.arange(n)
        for number, (member, round_number) in enumerate(inner.stages(surrogate)):
            part = dataclasses.replace(
                problem.take(rows), classifier=surrogate, round=round_number, seed=problem.seed + number
            )
            if combined and hasattr(member, "early_stop"):
                member = dataclasses.replace(member, **persistent)
            found = member.perturb(part)
            budget = threat.Budget(self.eps, self.norm)
            images[rows] = member.within(found.images, part.images, budget, victim.bounds)
            queries[rows] += 1
            predicted = victim.predict(images[rows], problem.batch_size).argmax(1)
            rows = rows[(predicted == problem.goals[rows]) != self.targeted]
            if not len(rows):
                break
        return Found(images, queries=queries)

    def check_needs(self, classifier: Classifier) -> None:
        """Raises UserError unless there is a surrogate that fits, with what the inner attack needs."""
        super().check_needs(classifier)
        self.inner.check_needs(self._model(classifier))

    def _model(self, victim: Classifier) -> Classifier:
        """The surrogate, loaded if need be.

        Raises:
          UserError: there is none, it can't be loaded, or it does not take and give what the victim does.
        """
        if isinstance(self.surrogate, Classifier):
            model = self.surrogate
        elif self.surrogate:
            model = _load(self.surrogate, _changed(pathlib.Path(self.surrogate)), victim.bounds)
        else:
            raise expected("surrogate= with the path of a model", "none", "Write transfer(surrogate='other.keras').")
        for name, words in (("input_shape", "input shape"), ("num_classes", "number of classes"), ("bounds", "bounds")):
            own, other = getattr(victim, name), getattr(model, name)
            if own != other:
                raise expected(
                    f"a surrogate with the victim's {words}, {own}", other, "Change the argument `surrogate`."
                )
        return model


def _changed(path: pathlib.Path) -> int:
    """When a file, or anything in a folder, was last changed, in ns; 0 where there is nothing."""
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max((part.stat().st_mtime_ns for part in parts if part.exists()), default=0)


@functools.lru_cache(maxsize=4)
def _load(path: str, changed: int, bounds: tuple[float, float]) -> Classifier:
    return importing.load_classifier(path, bounds)
