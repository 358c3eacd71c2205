"""What `tfinv reproduce inversion` makes of its configuration."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import datasets, models
from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.provenance import without_copies
from tfinv.recipes.inversion import inversion
from tfinv.recipes.judging import Judging, evaluators_schedule
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv_cli import settings, victim

# Accuracy that an evaluator should have, where it can't be 90 %: the best of FER2013 have 75 %, small networks of few epochs less.
_LEAST = {"cifar10": 0.75, "fer2013": 0.5}


def compared(
    config: dict[str, Any],
    train: Dataset,
    test: Dataset,
    given: Dataset,
    workdir: Workdir,
    seeds: Sequence[int],
    **more: Any,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Runs the comparison of defences against attackers who are given images."""
    return inversion(
        train,
        test,
        workdir=workdir,
        defences=config["defenses"],
        schedule=settings.schedule(config),
        most_steps=config["most_steps"],
        attacks=config["methods"],
        than=config["than"] or ("none",),
        labels=config["labels"],
        seeds=seeds,
        **inverting(config, train, given),
        **more,
    )


def inverting(config: dict[str, Any], train: Dataset, given: Dataset) -> dict[str, Any]:
    """What every comparison is told of its inversions: what the attackers are given, their budget, and who judges."""
    return {
        "auxiliary": given,
        "same_classes": config["auxiliary"] in (None, config["dataset"]),
        "judging": judging(config, identifiers(train)),
        **{k: config[k] for k in ("steps", "samples") if k in config},
    }


def judging(config: dict[str, Any], identifiers: tuple[str, ...]) -> Judging:
    """Evaluators and fresh decoders of a configuration."""
    return Judging(
        tuple(config["evaluators"]),
        evaluators_schedule(settings.schedule(config), config["evaluator_epochs"]),
        least=_LEAST.get(config["dataset"], 0.9),
        identifiers=identifiers,
        decoder_images=config["decoder_images"],
        decoder_epochs=config["decoder_epochs"],
    )


def identifiers(train: Dataset) -> tuple[str, ...]:
    """Those who will have seen the held-out photographs alone, where the classes are people."""
    return ("mlp", "softmax") if train.name == "att_faces" else ()


def other_architectures(own: str) -> tuple[str, ...]:
    """Evaluators of models of one architecture: two others, and one that is trained adversarially."""
    others = {"cnn": ("mlp", "softmax"), "softmax": ("mlp", "cnn")}.get(models.name_of(own), ("cnn", "softmax"))
    return (*others, "cnn+adversarial")


def auxiliary(config: dict[str, Any], train: Dataset, data_dir: str | None) -> Dataset:
    """The attackers' images: the first of another data set, or the last of the training split, less what a victim saw all the same.

    Raises:
      UserError: the training split is too small to leave the attackers images.
    """
    name, count = config["auxiliary"] or config["dataset"], config["auxiliary_limit"]
    if name != config["dataset"]:
        with from_flag("--auxiliary"):
            return without_copies(victim.auxiliary(name, train, data_dir, count), train)
    whole = datasets.load(name, "train", data_dir=data_dir, image_size=train.image_shape[:2])
    if len(whole) < len(train) + count:
        raise expected(
            f"a training split with {count} images beside the {len(train)} of training",
            f"{len(whole)} in all",
            "Lower --train_limit or --auxiliary_limit, or name another data set with --auxiliary.",
        )
    return without_copies(whole.subset(np.arange(len(whole) - count, len(whole))), train)
