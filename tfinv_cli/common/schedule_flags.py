"""The flags that say how a network is optimised, and the `Schedule` that they make."""

import dataclasses
from typing import Any

import numpy as np

from tfinv.datasets import Dataset
from tfinv.recipes.defended import is_robust
from tfinv.training import augmentation
from tfinv.training.defence import Defence
from tfinv.training.optimizers import OPTIMIZERS
from tfinv.training.precision import PRECISIONS
from tfinv.training.rates import RATE_SCHEDULES
from tfinv.training.schedule import Schedule
from tfinv_cli import flags

_FEWEST = 100  # images that tell one epoch from another


def made(default: Schedule | None) -> tuple[flags.Define, ...]:
    """The flags with these defaults but for --validation, or without any for a command whose settings have their own."""

    def of(name: str) -> Any:
        return None if default is None else getattr(default, name)

    return (
        flags.architecture(of("architecture")),
        flags.choice(
            "precision",
            of("precision"),
            PRECISIONS,
            "What the network's layers compute in; the saved model is float32 in any case.",
        ),
        flags.whole("epochs", of("epochs"), "Passes over the training images.", 1),
        flags.whole("batch_size", of("batch_size"), "Images in one training step.", 1),
        flags.choice("optimizer", of("optimizer"), OPTIMIZERS, "adam, or sgd with Nesterov momentum .9."),
        flags.real(
            "learning_rate",
            of("learning_rate"),
            "The highest; otherwise .001 for adam (less for mlp on large images), for sgd .1 with batch norm or .01 without.",
        ),
        flags.choice(
            "rate_schedule",
            of("rate_schedule"),
            RATE_SCHEDULES,
            "Its course: cosine falls to 0, cyclic rises from 0 and falls, piecewise is divided by 10 at 50 % and 75 %.",
        ),
        flags.real("warmup", of("warmup"), "Share of the training in which cosine (0) and cyclic (.5) rise."),
        flags.real(
            "weight_decay",
            of("weight_decay"),
            "Of all weights: L2 in the gradient with sgd, decoupled (AdamW) with adam.",
        ),
        flags.normal(
            "augmentation",
            of("augmentation"),
            augmentation.normal,
            "an augmentation, such as crop or crop(padding=2)",
            f"{', '.join(augmentation.AUGMENTATIONS)}: crop shifts each image by up to 4 pixels, or 2 as crop(padding=2), and "
            "crop_flip also mirrors half of them, at random.",
        ),
        flags.real("label_smoothing", of("label_smoothing"), "Share of each target that is spread over all classes."),
        flags.real(
            "ema",
            of("ema"),
            "Momentum of the average of the weights that is saved in their place, such as .999; 0: none.",
        ),
        flags.whole(
            "validation",
            None,
            "Keep the last so many training images out of the training, and save the weights of the epoch that is best on them: "
            "in robust accuracy if an attack is known, else in accuracy. Unless given, tfinv train keeps a tenth of at least 1000 "
            "images for robust trainings, 1000 at most, and none for others.",
        ),
        flags.text(
            "validation_attack",
            of("validation_attack"),
            "Attack of the robust accuracy, such as pgd(eps=8/255,steps=20); otherwise pgd(steps=10) with the defense's eps and "
            "norm, if it has them.",
        ),
        flags.whole("validation_every", of("validation_every"), "Epochs from one measurement to the next.", 1),
    )


FLAGS = made(Schedule())


def schedule(values: Any, usual: int = 0) -> Schedule:
    """The schedule of the parsed flags.

    Args:
      values: the flags.
      usual: how many images to hold out unless --validation says it.

    Raises:
      UserError: values that a schedule refuses.
    """
    given = {field.name: getattr(values, field.name) for field in dataclasses.fields(Schedule)}
    return Schedule(**given | {"validation": usual if values.validation is None else values.validation})


def usual_validation(defence: Defence, train: Dataset) -> int:
    """How many training images to hold out where nothing is said: a robust training can fail unseen, others hardly.

    None where they would be too few to tell, or all there are of a class.
    """
    held_out = min(1000, len(train) // 10)
    left, every = (len(np.unique(labels)) for labels in (train.labels[: len(train) - held_out], train.labels))
    return held_out if is_robust(defence) and held_out >= _FEWEST and left == every else 0
