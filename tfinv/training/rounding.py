"""Rounded confidences (Fredrikson et al. 2015, section 6): a defence by what a model shows, not by what it learned."""

import dataclasses
from typing import ClassVar

import keras

from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range


@dataclasses.dataclass(frozen=True)
class Rounding(Defence):
    """Trains as usual, and exports a model whose output is the confidence vector rounded to a few digits.

    Its gradient is zero almost everywhere, which stops an attacker who sees only the output; it is no defence against one who has
    the weights and leaves the last layers out.

    Attributes:
      digits: after the decimal point; Fredrikson et al. 2015 find that about one is needed to stop their attack.
    """

    NAME: ClassVar[str] = "rounding"
    digits: int = 1

    def __post_init__(self):
        check_range(self, 0, 6, "digits")

    def training(self, plan: Plan) -> "RoundingTraining":
        """See `RoundingTraining`."""
        return RoundingTraining(plan.classifier, self, seed=plan.seed)


class RoundingTraining(ClassifierTraining):
    """Plain training; what is exported rounds. The further arguments are those of `ClassifierTraining`."""

    def __init__(self, classifier, defence: Rounding = Rounding(), **kwargs):
        super().__init__(classifier, **kwargs)
        self.defence = defence

    def export_classifier(self):
        """From images to rounded confidences, (batch, classes)."""
        return round_confidences(self.classifier, self.defence.digits)


def round_confidences(classifier: keras.Model, digits: int) -> keras.Model:
    """A trained classifier that shows only its confidences, rounded; made of Keras's own layers and operations.

    The gradient of its output is zero almost everywhere. That is no defence against one who has the weights: the logits are one
    layer further in.

    Args:
      classifier: from images to logits.
      digits: after the decimal point.

    Returns:
      From images to (batch, classes), which share the classifier's weights and need not sum to 1.
    """
    confidences = keras.layers.Softmax(name="confidences", dtype="float32")(classifier.outputs[0])
    grid = 10.0**digits
    rounded = keras.layers.Rescaling(1.0 / grid, name="rounded", dtype="float32")(keras.ops.round(confidences * grid))
    return keras.Model(classifier.inputs[0], rounded, name=f"{classifier.name}_rounded")
