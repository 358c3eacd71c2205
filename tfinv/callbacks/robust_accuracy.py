"""`RobustAccuracy`: accuracy under an attack after an epoch."""

from typing import Any

import numpy as np

from tfinv.callbacks.measured import MeasuringCallback, some_images
from tfinv.classifier import Classifier
from tfinv.evaluation.robustness.plan import AttackPlan, named_attacks, scale_eps
from tfinv.evaluation.statistics.intervals import rate_interval


class RobustAccuracy(MeasuringCallback):
    """Adds the accuracy under an attack to the logs of an epoch, as `val_robust_accuracy`.

    See `MeasuringCallback` for when it measures and where it has to stand. Callbacks that monitor it need mode="max". An attack
    of a few steps is fast, and flatters a model that masks its gradients: evaluate the one that you choose with `tfinv evaluate`.

    Args:
      images: (n, H, W, C) held-out images in the bounds, as the model takes them.
      labels: (n,) or (n, 1) whole-number labels.
      attack: text form as on the command line, without an eps.
      eps: fraction of the bounds' width, as on the command line.
      limit: number of images, drawn at random once; None for all.
      every: number of epochs from one measurement to the next.
      batch_size: images in one compiled call.
      seed: of the attack's draws and the choice of images.
      metric: name in the logs.
      **classifier: arguments of `Classifier.from_keras`, such as bounds=(0, 255).

    Raises:
      UserError: an attack that is unknown, targeted or has an eps; an eps that it refuses; no images, or labels that do not fit
        them; a `limit`, `every` or `batch_size` that is not positive. After the first epoch: images outside of the bounds, a model
        that is no image classifier.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        attack: str = "pgd(steps=10)",
        eps: float = 8 / 255,
        *,
        limit: int | None = 500,
        every: int = 1,
        batch_size: int = 256,
        seed: int = 0,
        metric: str = "val_robust_accuracy",
        **classifier: Any,
    ):
        super().__init__(metric, every, classifier, batch_size)
        self._images, self._labels = some_images(images, labels, limit, seed, "`images` or `labels`")
        [(name, parsed)] = AttackPlan(tuple(named_attacks([attack])), (eps,)).attacks
        self._attack, self._eps, self._seed = parsed, float(eps), seed

    def measure(self, classifier: Classifier) -> tuple[float, int, tuple[float, float]]:
        """Returns the accuracy under attack, the number of images, and Wilson's interval."""
        attack = scale_eps(self._attack, self._eps, classifier)
        result = attack(classifier, self._images, self._labels, seed=self._seed, batch_size=self.batch_size)
        correct, n = int(np.sum(~result.success)), len(self._labels)
        return correct / n, n, rate_interval(correct, n)
