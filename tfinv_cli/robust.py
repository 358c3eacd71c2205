"""What `tfinv reproduce cifar10`, `fer2013` and `frontier` make of their configurations."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.check import Check
from tfinv.recipes.comparison import Member
from tfinv.recipes.frontier import Sweep, frontier
from tfinv.recipes.judging import Judging
from tfinv.recipes.robust_or_private import robust_or_private
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.training.defences import defence
from tfinv_cli import settings
from tfinv_cli.compared import auxiliary

Found = tuple[list[dict[str, Any]], list[Check], list[Figure]]


def trained_both_ways(
    config: dict[str, Any],
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    data_dir: str | None,
    seeds: Sequence[int],
    **more: Any,
) -> Found:
    """`reproduce cifar10` and `fer2013`: VGG16 and a ResNet trained as usual, and the ResNet adversarially."""
    usual = settings.schedule(config)
    members = [
        Member(f"{name} (usual)", defence("none"), dataclasses.replace(usual, architecture=name))
        for name in (config["plain_architecture"], config["architecture"])
    ]
    hard = defence(config["robust_training"])
    label = f"{config['architecture']} (robust)"
    # It pays for robustness with accuracy, so it is not held to the others' accuracy.
    members.append(Member(label, hard, dataclasses.replace(usual, epochs=config["robust_epochs"]), compared=False))
    return robust_or_private(
        train,
        test,
        auxiliary(config, len(train), data_dir),
        workdir,
        members=members,
        robust=[label],
        judging=_judging(config),
        robustness=_robustness(config),
        attacks=config["attacks"],
        samples=config["samples"],
        steps=config["steps"],
        featured=_class(train, config["featured"]),
        seeds=seeds,
        **more,
    )


def swept(
    config: dict[str, Any],
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    data_dir: str | None,
    seeds: Sequence[int],
    **more: Any,
) -> Found:
    """`reproduce frontier`."""
    return frontier(
        train,
        test,
        auxiliary(config, len(train), data_dir),
        workdir,
        sweep=Sweep(
            tuple(config["anti_weights"]),
            tuple(config["robust_eps"]),
            config["robust_training"],
            config["reversal"],
        ),
        schedule=settings.schedule(config),
        judging=_judging(config),
        robustness=_robustness(config),
        attack=config["attacks"][0],
        samples=config["samples"],
        steps=config["steps"],
        seeds=seeds,
        **more,
    )


def _class(data: Dataset, name: str) -> int:
    if name not in data.class_names:
        raise expected(f"a class among {', '.join(data.class_names)}", repr(name), "Change --featured.")
    return data.class_names.index(name)


def _judging(config: dict[str, Any]) -> Judging:
    return Judging(
        tuple(config["evaluators"]),
        config["evaluator_epochs"],
        config["batch_size"],
        decoder_images=config["decoder_images"],
        decoder_epochs=config["decoder_epochs"],
    )


def _robustness(config: dict[str, Any]) -> Robustness:
    return Robustness(tuple(config["robust_attacks"]), tuple(config["eps"]), config["attack_limit"])
