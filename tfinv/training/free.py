"""Free adversarial training: one gradient for the weights and for the perturbation (Shafahi et al. 2019, arXiv 1904.12843)."""

import dataclasses
import math
from typing import ClassVar

from tfinv import threat
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import ball, noise
from tfinv.training.robust import Robust, RobustTraining


@dataclasses.dataclass(frozen=True)
class Free(Robust):
    """Learns from each batch several times, while its perturbation grows with the gradients of the same passes.

    An epoch makes `replays` times as many updates of the weights and costs as many times the usual one, so the authors divide
    the number of epochs by `replays`: do the same. The schedule of the learning rate counts updates and fits by itself.
    The default is the authors' for CIFAR-10. See `Robust` for the other fields.

    Attributes:
      replays: m, how often a batch is learned from; the authors' for ImageNet is 4.
    """

    NAME: ClassVar[str] = "free"
    STEP: ClassVar[float] = 1.0
    replays: int = 8

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 1, math.inf, "replays")

    def training(self, plan: Plan) -> "FreeTraining":
        """See `FreeTraining`."""
        return FreeTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class FreeTraining(RobustTraining):
    """Descends CE(x + delta, y) in the weights and ascends it in delta at once, `replays` times a batch.

    Shafahi et al. 2019, algorithm 1, but for the first delta of a batch: there it is the last one of the batch before, here a
    uniform draw, with which single-step training does no worse (Wong et al. 2020, table 1). So a batch depends on nothing but the
    weights and the step: batches may have any size, on several devices too, and nothing needs to be saved for a resumed
    training.

    A step calls the network `replays` times, each time with training=True, and moves `optimizer.iterations` as often. The loss
    and accuracy shown are means over the replays. The arguments are those of `RobustTraining`.
    """

    defence: Free

    def __init__(self, classifier, defence: Free = Free(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    @property
    def updates(self):
        """One a replay."""
        return self.defence.replays

    def prepare(self, images, labels):
        """The images perturbed at random and as they are, (batch, H, W, C) each, and how much of eps this step takes."""
        defence, share = self.defence, self.share()
        begun = images + noise(images, defence.radius * share, defence.norm, self.draw())
        return self._within(images, share)(begun), images, share

    def follow(self, inputs, ascent):
        """The perturbation a step up the gradient that has just moved the weights."""
        perturbed, images, share = inputs
        moved = perturbed + self.defence.size * share * threat.steepest(ascent, self.defence.norm)
        return self._within(images, share)(moved), images, share

    def _within(self, images, share):
        return ball(images, self.defence.radius * share, self.defence.norm)
