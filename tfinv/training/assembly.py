"""Builds the compiled training model of a defence and a schedule, and exports the trained classifier."""

import keras

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training.atat import ATAT
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence
from tfinv.training.nls import NLS
from tfinv.training.precision import as_float32
from tfinv.training.schedule import Schedule


def recipe_of(defence: Defence) -> Defence:
    """Returns the defence with the classification loss: the first of two combined ones, else the defence itself."""
    return getattr(defence, "recipe", defence)


def check_fit(defence: Defence, schedule: Schedule) -> None:
    """Raises UserError unless a defence can be trained with a schedule."""
    if schedule.precision != "float32" and isinstance(recipe_of(defence), ATAT):
        # Its perturbation is smaller than the resolution of bfloat16.
        raise expected("precision float32 with atat", schedule.precision, "Change --precision.")
    if schedule.label_smoothing and isinstance(defence, NLS):
        raise expected(
            "label_smoothing 0 with nls, which smooths by itself", schedule.label_smoothing, "Change --label_smoothing."
        )


def training_model(defence: Defence, train: Dataset, schedule: Schedule, *, seed: int = 0) -> ClassifierTraining:
    """Returns the compiled training model of a defence; seed Keras, which draws the weights, before.

    Args:
      defence: hyper-parameters.
      train: the training images, without held-out ones.
      schedule: architecture and optimisation.
      seed: of the defence's random draws.

    Raises:
      UserError: the defence does not fit the architecture or the schedule.
    """
    check_fit(defence, schedule)
    network = schedule.network(train, seed)
    plan = Plan(network, train, schedule.epochs, schedule.batch_size, seed, schedule.bounds)
    model = defence.training(plan)
    schedule.compile(model, train.image_shape, plan.steps * model.updates)
    return model


def exported(model: ClassifierTraining, schedule: Schedule) -> keras.Model:
    """Returns the trained classifier as a plain model in float32."""
    classifier = model.export_classifier()
    return classifier if schedule.precision == "float32" else as_float32(classifier)
