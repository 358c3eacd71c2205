"""Two defences at once: the destruction defence beside another recipe, `trades(eps=.3,ramp=.3)+reversal(strength=3)`."""

import dataclasses
from typing import ClassVar

from tfinv.errors import expected
from tfinv.training.base import Plan
from tfinv.training.defence import Defence
from tfinv.training.destruction import Positive
from tfinv.training.destruction_training import DestructionTraining


@dataclasses.dataclass(frozen=True)
class CombinedDefence(Defence):
    """Replaces the cross-entropy of the destruction defence by the loss of another recipe.

    Attributes:
      recipe: defence with the classification loss; its `COMBINES` is true.
      destruction: `Positive`, `Reversal` or `Shuffled`, with the decoder.

    Raises:
      UserError: the two can't be combined.
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

    def build(self, plan: Plan) -> DestructionTraining:
        """See `DestructionTraining`."""
        inner = self.recipe.build(plan)
        # A recipe may have replaced the classifier by a copy.
        return self.destruction.build(dataclasses.replace(plan, classifier=inner.classifier), inner)

    def callbacks(self, images, logdir):
        """Returns the callbacks of both."""
        return (*self.recipe.callbacks(images, logdir), *self.destruction.callbacks(images, logdir))

    def costs(self, plan: Plan):
        """Returns the costs of both."""
        return [*self.recipe.costs(plan), *self.destruction.costs(plan)]
