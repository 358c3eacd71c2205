"""Transfer attack: adversarial examples of a surrogate model, applied to the victim."""

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np

from tfinv import importing, paths, specs, threat
from tfinv.attacks import nested
from tfinv.attacks.base import Attack
from tfinv.attacks.problem import Problem, StageResult
from tfinv.classifier import Classifier
from tfinv.errors import UserError, expected

_SHARED = ("eps", "norm", "targeted")  # fields with the same value in both attacks


@dataclasses.dataclass(frozen=True)
class Transfer(Attack):
    """Transfers adversarial examples from a surrogate model (Papernot et al. 2016), with the same eps and norm.

    Images that the surrogate misclassifies are attacked as well, and the inner attack goes on after the surrogate's first mistake
    if it can, since the victim may need a larger perturbation. Each stage of the inner attack costs one query.

    Attributes:
      surrogate: the file or folder of a model with the input, classes and bounds of the victim; or a `Classifier`.
      attack: text form of the inner attack, without eps, norm and targeted.
      preprocessing: of the surrogate, as `load_classifier` takes it; None for that in its file, if there is any.
      channels: "bgr" if the surrogate was trained on images with the channels of OpenCV.
    """

    NORMS = ("linf", "l2", "l1")
    NEEDS = "labels"

    surrogate: str | Classifier = ""
    attack: str = "mifgsm(steps=10)"
    preprocessing: str | None = None
    channels: str = "rgb"

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.surrogate, (str, Classifier)):
            raise expected(
                "surrogate as a path or a Classifier", repr(self.surrogate), "Change the argument `surrogate`."
            )
        if isinstance(self.surrogate, str):
            object.__setattr__(self, "surrogate", paths.expand_text(self.surrogate))
        _ = self.inner

    @property
    def inner(self) -> Attack:
        """The attack on the surrogate."""
        name, arguments = specs.parse(self.attack)
        if name == "transfer" or set(arguments) & set(_SHARED):
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
        """The path of the surrogate, unless it is a `Classifier`, and those of the inner attack."""
        return (*(() if isinstance(self.surrogate, Classifier) else (self.surrogate,)), *super().files)

    def perturb(self, problem: Problem) -> StageResult:
        """Runs the stages of the inner attack, each on the images that do not fool the victim yet."""
        inner, surrogate, victim = self.inner, self._model(problem.classifier), problem.classifier
        is_combination = not hasattr(inner, "early_stop")  # then its members have the field
        without_early_stop: dict[str, Any] = {"early_stop": False}
        n = len(problem.images)
        images, queries, rows = problem.images.copy(), np.zeros(n, np.int64), np.arange(n)
        for number, (member, round_number) in enumerate(inner.stages(surrogate)):
            surrogate_problem = dataclasses.replace(
                problem.take(rows), classifier=surrogate, round=round_number, seed=problem.seed + number
            )
            if is_combination and hasattr(member, "early_stop"):
                member = dataclasses.replace(member, **without_early_stop)
            result = member.perturb(surrogate_problem)
            budget = threat.Budget(self.eps, self.norm)
            images[rows] = member.within(result.images, surrogate_problem.images, budget, victim.bounds)
            queries[rows] += 1
            predicted = victim.predict(images[rows], problem.batch_size).argmax(1)
            rows = rows[(predicted == problem.goals[rows]) != self.targeted]
            if not len(rows):
                break
        return StageResult(images, queries=queries)

    def check_needs(self, classifier: Classifier) -> None:
        """Raises UserError unless the surrogate fits the victim and allows the access that the inner attack needs."""
        super().check_needs(classifier)
        self.inner.check_needs(self._model(classifier))

    def _model(self, victim: Classifier) -> Classifier:
        """Returns the surrogate, loaded if it is a path.

        Raises:
          UserError: it is missing, can't be loaded, or has other input shape, classes or bounds than the victim.
        """
        if isinstance(self.surrogate, Classifier):
            model = self.surrogate
        elif self.surrogate:
            changed = _modification_time(pathlib.Path(self.surrogate))
            size = (victim.input_shape[0], victim.input_shape[1])
            model = _load(self.surrogate, changed, victim.bounds, size, self.preprocessing, self.channels)
        else:
            raise expected("surrogate= with the path of a model", "none", "Write transfer(surrogate='other.keras').")
        for name, words in (("input_shape", "input shape"), ("num_classes", "number of classes"), ("bounds", "bounds")):
            victim_value, model_value = getattr(victim, name), getattr(model, name)
            if victim_value != model_value:
                raise expected(
                    f"a surrogate with the victim's {words}, {victim_value}",
                    model_value,
                    "Change the argument `surrogate`.",
                )
        return model


def _modification_time(path: pathlib.Path) -> int:
    """Returns when a file, or any file in a folder, was last changed, in ns; 0 if there is none."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max((p.stat().st_mtime_ns for p in paths if p.exists()), default=0)


@functools.lru_cache(maxsize=4)
def _load(
    path: str,
    modification_time: int,
    bounds: tuple[float, float],
    image_size: tuple[int, int],
    preprocessing: str | None,
    channels: str,
) -> Classifier:
    arguments: dict[str, Any] = {"preprocessing": preprocessing, "channels": channels}
    try:
        return importing.load_classifier(path, bounds, **arguments)
    except UserError:  # also of a model that takes any size, for which it has to be said
        return importing.load_classifier(path, bounds, image_size=image_size, **arguments)


def through(form: str, surrogate: str, **arguments: Any) -> str:
    """Returns the text form that runs an attack on a surrogate and keeps its norm; that of an attack without gradients as it is.

    Args:
      form: of the attack, such as `pgd(steps=40,norm=l2)`.
      surrogate: path of the model.
      **arguments: of `Transfer`, those of the surrogate.

    Raises:
      UserError: there is no such attack, or it has no such argument.
    """
    if nested.attack(form).needs != "gradients":
        return form
    name, inner = specs.parse(form)
    shared: dict[str, Any] = {key: inner.pop(key) for key in ("norm", "targeted") if key in inner}
    return specs.unparse(
        "transfer", {"surrogate": surrogate, "attack": specs.unparse(name, inner), **arguments, **shared}
    )
