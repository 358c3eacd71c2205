"""Accuracy under attack of the models of a comparison, measured beside their inversions."""

import dataclasses
from functools import partial
from typing import Any

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.check import Check
from tfinv.evaluation.robustness.accuracy import accuracy_curve, clean_row
from tfinv.evaluation.robustness.checks import QUICK, Effort, robustness_checks
from tfinv.evaluation.robustness.chunks import ChunkStore
from tfinv.evaluation.robustness.plan import check_budgets, named_attacks
from tfinv.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Robustness:
    """Adversarial attacks on every model of a comparison.

    Attributes:
      attacks: text forms, as `tfinv evaluate --attacks` takes them.
      eps: fractions of the bounds' width.
      limit: the attacks use only the first so many test images; None is all.
      gradients: backend of the gradients, one of `tfinv.classifier.GRADIENTS`.
      effort: budget of the checks.

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

    def evaluate(
        self, classifier: Classifier, test: Dataset, workdir: Workdir, *, label: str, seed: int
    ) -> tuple[list[dict[str, Any]], list[Check]]:
        """Returns rows of kind "accuracy", of which the clean one is over all images, and the checks of a sound evaluation.

        Args:
          classifier: the model.
          test: held-out images.
          workdir: keeps the results, chunk by chunk, so that a killed run goes on.
          label: the model's name in rows and files.
          seed: of the attacks' draws.
        """
        stage = workdir.json(
            f"robustness-{label}-{seed}", partial(self._measure, classifier, test, workdir, label, seed)
        )
        return stage["rows"], [Check(**c) for c in stage["checks"]]

    def _measure(self, classifier, test, workdir, label, seed):
        attacked = test.take(self.limit) if self.limit else test
        classifier = classifier.with_gradients(self.gradients)
        images = classifier.from_unit(attacked.images)
        rows = accuracy_curve(
            classifier,
            images,
            attacked.labels,
            named_attacks(self.attacks),
            self.eps,
            experiment=label,
            seed=seed,
            store=ChunkStore(
                lambda name, make: workdir.arrays(f"robustness-{label}-{name}", make),
                workdir.path / "stages" / f"robustness-{label}",
            ),
        )
        checks = robustness_checks(rows, classifier, images, attacked.labels, seed=seed, effort=self.effort)
        rows[0] = clean_row(label, classifier, test, seed)
        return {"rows": rows, "checks": [dataclasses.asdict(c) for c in checks]}
