"""How robust a model of a comparison is, measured beside what inverting it gives."""

import dataclasses
from functools import partial
from typing import Any

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.check import Check
from tfinv.evaluation.checks import QUICK, Effort, robustness_checks
from tfinv.evaluation.robustness import accuracy_curve, accuracy_row, check_budgets, named_attacks
from tfinv.recipes.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Robustness:
    """The attacks that every model of a comparison meets.

    Attributes:
      attacks: text forms, as `tfinv evaluate --attacks` takes them.
      eps: fractions of the bounds' width.
      limit: attacks take the first so many test images; None is all.
      gradients: what computes them, one of `tfinv.classifier.GRADIENTS`.
      effort: what the checks may cost.

    Raises:
      UserError: an unknown attack, one with an eps of its own, or none; see `check_budgets`.
    """

    attacks: tuple[str, ...]
    eps: tuple[float, ...]
    limit: int | None = None
    gradients: str = "folded"
    effort: Effort = QUICK

    def __post_init__(self):
        if not self.attacks or not self.eps:
            raise expected("at least one attack at one eps", "none", "Change --attacks or --eps.")
        check_budgets(named_attacks(self.attacks), self.eps)

    def judge(
        self, classifier: Classifier, test: Dataset, workdir: Workdir, *, label: str, seed: int
    ) -> tuple[list[dict[str, Any]], list[Check]]:
        """Rows of kind "accuracy", of which the clean one is of all images, and the checks of a sound evaluation.

        Args:
          classifier: the model.
          test: held-out images.
          workdir: keeps what is measured, chunk by chunk, so that a killed run goes on.
          label: the model's name in rows and files.
          seed: of the attacks' draws.
        """
        stage = workdir.json(
            f"robustness-{label}-{seed}", partial(self._measure, classifier, test, workdir, label, seed)
        )
        return stage["rows"], [Check(**c) for c in stage["checks"]]

    def _measure(self, classifier, test, workdir, label, seed):
        some = test.take(self.limit) if self.limit else test
        classifier = classifier.with_gradients(self.gradients)
        images = classifier.from_unit(some.images)
        rows = accuracy_curve(
            classifier,
            images,
            some.labels,
            named_attacks(self.attacks),
            self.eps,
            experiment=label,
            seed=seed,
            keep=lambda name, make: workdir.arrays(f"robustness-{label}-{name}", make),
            checkpoints=workdir.path / "stages" / f"robustness-{label}",
        )
        checks = robustness_checks(rows, classifier, images, some.labels, seed=seed, effort=self.effort)
        correct = classifier.predict(classifier.from_unit(test.images)).argmax(1) == test.labels
        rows[0] = accuracy_row(label, "none", 0.0, correct, seed)
        return {"rows": rows, "checks": [dataclasses.asdict(c) for c in checks]}
