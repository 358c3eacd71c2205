"""Free adversarial training: one gradient for the weights and for the perturbation (Shafahi et al. 2019, arXiv 1904.12843)."""

import dataclasses
import math
from typing import ClassVar

from tfinv import threat
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import ball_projection, uniform_noise
from tfinv.training.robust import Robust, RobustTraining


@dataclasses.dataclass(frozen=True)
class Free(Robust):
    """Trains on each batch several times, and updates its perturbation with the gradients of the same passes.

    An epoch makes `replays` times as many updates of the weights and costs `replays` times as much, so the authors divide the
    number of epochs by `replays`: do the same. The schedule of the learning rate counts updates and adapts by itself. The default
    is the authors' for CIFAR-10. See `Robust` for the other fields.

    Attributes:
      replays: m, passes over each batch; the authors use 4 for ImageNet.
    """

    NAME: ClassVar[str] = "free"
    STEP: ClassVar[float] = 1.0
    replays: int = 8

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 1, math.inf, "replays")

    def build(self, plan: Plan) -> "FreeTraining":
        """See `FreeTraining`."""
        return FreeTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class FreeTraining(RobustTraining):
    """Minimises CE(x + delta, y) in the weights and maximises it in delta at once, `replays` times per batch.

    Shafahi et al. 2019, algorithm 1, except for the first delta of a batch: there it is the last delta of the previous batch, here
    a uniform draw, with which single-step training does no worse (Wong et al. 2020, table 1). So a batch depends only on the
    weights and the step: batches may have any size, on several devices too, and a resumed training needs no additional state.

    A step calls the network `replays` times, each time with training=True, and advances `optimizer.iterations` as often. The loss
    and accuracy are means over the replays. The arguments are those of `RobustTraining`.
    """

    defence: Free

    def __init__(self, classifier, defence: Free = Free(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    @property
    def updates(self):
        """One update per replay."""
        return self.defence.replays

    def prepare(self, images, labels):
        """Returns randomly perturbed images, the images, (batch, H, W, C) each, and the fraction of eps of this step."""
        defence, factor = self.defence, self.ramp_factor()
        start = images + uniform_noise(images, defence.radius * factor, defence.norm, self.step_seed())
        return self._projection(images, factor)(start), images, factor

    def update_inputs(self, inputs, gradient):
        """Moves the perturbation one step along the gradient of the last update."""
        perturbed, images, factor = inputs
        stepped = perturbed + self.defence.step_length * factor * threat.steepest(gradient, self.defence.norm)
        return self._projection(images, factor)(stepped), images, factor

    def _projection(self, images, factor):
        return ball_projection(images, self.defence.radius * factor, self.defence.norm)
