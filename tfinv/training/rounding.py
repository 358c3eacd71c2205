"""Rounded confidences (Fredrikson et al. 2015, section 6): a defence of the output, not of the weights."""

import dataclasses
from typing import ClassVar

import keras

from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range


@dataclasses.dataclass(frozen=True)
class Rounding(Defence):
    """Trains with plain cross-entropy, and exports a model that outputs confidences rounded to a few digits.

    The gradient of the output is zero almost everywhere, which stops an attacker who sees only the output. It is no defence against
    one who has the weights and removes the last layers.

    Attributes:
      digits: after the decimal point; Fredrikson et al. 2015 find that about one is needed to stop their attack.
    """

    NAME: ClassVar[str] = "rounding"
    digits: int = 1

    def __post_init__(self):
        check_range(self, 0, 6, "digits")

    def build(self, plan: Plan) -> "RoundingTraining":
        """See `RoundingTraining`."""
        return RoundingTraining(plan.classifier, self, seed=plan.seed)


class RoundingTraining(ClassifierTraining):
    """Trains with plain cross-entropy, and exports a model that rounds. The further arguments are those of `ClassifierTraining`."""

    exports_logits = False

    def __init__(self, classifier, defence: Rounding = Rounding(), **kwargs):
        super().__init__(classifier, **kwargs)
        self.defence = defence

    def trained_classifier(self):
        """Returns a model from images to rounded confidences, (batch, classes)."""
        return round_confidences(self.classifier, self.defence.digits)


def round_confidences(classifier: keras.Model, digits: int) -> keras.Model:
    """Appends layers that round the confidences of a trained classifier; made of Keras's own layers and operations.

    The gradient of the output is zero almost everywhere. That is no defence against one who has the weights: the logits are still
    inside the model.

    Args:
      classifier: from images to logits.
      digits: after the decimal point.

    Returns:
      A model from images to (batch, classes), which need not sum to 1; it shares the classifier's weights.
    """
    confidences = keras.layers.Softmax(name="confidences", dtype="float32")(classifier.outputs[0])
    grid = 10.0**digits
    rounded = keras.layers.Rescaling(1.0 / grid, name="rounded", dtype="float32")(keras.ops.round(confidences * grid))
    return keras.Model(classifier.inputs[0], rounded, name=f"{classifier.name}_rounded")
