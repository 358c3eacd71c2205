"""Two defences at once: the destruction defence beside another recipe, `trades(eps=.3,ramp=.3)+reversal(strength=3)`."""

import dataclasses
from typing import ClassVar

from tfinv.errors import expected
from tfinv.training.base import Plan
from tfinv.training.defence import Defence
from tfinv.training.destruction import DestructionTraining, Positive


@dataclasses.dataclass(frozen=True)
class Combined(Defence):
    """A recipe's own loss in place of the cross-entropy that the destruction defence descends.

    Attributes:
      recipe: what gives the loss of the classification; one with `COMBINES`.
      destruction: `Positive`, `Reversal` or `Shuffled`, which has the decoder.

    Raises:
      UserError: the two can't be trained at once.
    """

    NAME: ClassVar[str] = "combined"
    recipe: Defence
    destruction: Positive

    def __post_init__(self):
        hint = "Change --defense, as in trades+reversal."
        if not isinstance(self.destruction, Positive):
            raise expected("positive, reversal or shuffled after the +", self.destruction.NAME, hint)
        if not self.recipe.COMBINES:
            raise expected(
                f"before +{self.destruction.NAME} a recipe whose loss may stand beside a reconstruction (not none, nls, "
                "dp_sgd, rounding or one with a decoder)",
                self.recipe.NAME,
                hint,
            )

    def training(self, plan: Plan) -> DestructionTraining:
        """See `DestructionTraining`."""
        inner = self.recipe.training(plan)
        # A recipe may have put a copy in the classifier's place.
        return self.destruction.training(dataclasses.replace(plan, classifier=inner.classifier), inner)

    def callbacks(self, images, logdir):
        """Those of both."""
        return (*self.recipe.callbacks(images, logdir), *self.destruction.callbacks(images, logdir))

    def costs(self, plan: Plan):
        """Those of both."""
        return self.recipe.costs(plan) | self.destruction.costs(plan)
