"""Flags of how a network is optimised, and the `Schedule` that they make."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfinv import catalogue
from tfinv.training.schedule import Schedule
from tfinv_cli.common import flags, forms

if TYPE_CHECKING:
    from tfinv.datasets import Dataset
    from tfinv.training.defence import Defence

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Schedule)}
_FEWEST = 100  # images that tell one epoch from another


def definitions(has_defaults: bool) -> tuple[flags.Define, ...]:
    """The flags with a schedule's defaults but for --validation, or without any for a command whose settings have their own."""

    def default(name: str) -> Any:
        return _DEFAULTS[name] if has_defaults else None

    return (
        flags.architecture(default("architecture")),
        flags.choice(
            "precision",
            default("precision"),
            catalogue.PRECISIONS,
            "What the network's layers compute in; the saved model is float32 in any case.",
        ),
        flags.whole("epochs", default("epochs"), "Passes over the training images.", 1),
        flags.whole("batch_size", default("batch_size"), "Images in one training step.", 1),
        flags.choice(
            "optimizer", default("optimizer"), catalogue.OPTIMIZERS, "adam, or sgd with Nesterov momentum .9."
        ),
        flags.real(
            "learning_rate",
            default("learning_rate"),
            "The highest; otherwise .001 for adam (less for mlp on large images), for sgd .1 with batch norm or .01 without.",
        ),
        flags.choice(
            "rate_schedule",
            default("rate_schedule"),
            catalogue.RATE_SCHEDULES,
            "Its course: cosine falls to 0, cyclic rises from 0 and falls, piecewise is divided by 10 at 50 % and 75 %.",
        ),
        flags.real("warmup", default("warmup"), "Share of the training in which cosine (0) and cyclic (.5) rise."),
        flags.real(
            "weight_decay",
            default("weight_decay"),
            "Of all weights: L2 in the gradient with sgd, decoupled (AdamW) with adam.",
        ),
        flags.form(
            "augmentation",
            default("augmentation"),
            forms.AUGMENTATION,
            f"{', '.join(catalogue.AUGMENTATIONS)}: crop shifts each image by up to 4 pixels, or 2 as crop(padding=2), and "
            "crop_flip also mirrors half of them, at random.",
        ),
        flags.real(
            "label_smoothing", default("label_smoothing"), "Share of each target that is spread over all classes."
        ),
        flags.real(
            "ema",
            default("ema"),
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
            default("validation_attack"),
            "Attack of the robust accuracy, such as pgd(eps=8/255,steps=20); otherwise pgd(steps=10) with the defense's eps and "
            "norm, if it has them.",
        ),
        flags.whole("validation_every", default("validation_every"), "Epochs from one measurement to the next.", 1),
    )


DEFENSE = flags.form(
    "defense",
    "none",
    forms.DEFENCE,
    f"{', '.join(catalogue.DEFENCES)}; with arguments in parentheses, as in mid(beta=.01). docs/defences.md has them all.",
)
FLAGS = definitions(has_defaults=True)


def schedule(values: Any, validation: int = 0) -> Schedule:
    """The schedule of the parsed flags.

    Args:
      values: the flags.
      validation: how many images to hold out unless --validation says it.

    Raises:
      UserError: values that a schedule refuses.
    """
    arguments = {name: getattr(values, name) for name in _DEFAULTS}
    return Schedule(**arguments | {"validation": validation if values.validation is None else values.validation})


def default_validation(defence: Defence, train: Dataset) -> int:
    """Number of training images to hold out without --validation: a robust training can fail unseen, others hardly.

    None where they would be too few to tell, or all there are of a class.
    """
    import numpy as np

    from tfinv.comparison.defended import is_robust

    held_out = min(1000, len(train) // 10)
    left, every = (len(np.unique(labels)) for labels in (train.labels[: len(train) - held_out], train.labels))
    return held_out if is_robust(defence) and held_out >= _FEWEST and left == every else 0
