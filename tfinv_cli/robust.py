"""What `tfinv reproduce cifar10`, `fer2013` and `frontier` make of their configurations."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.recipes.defended import is_robust
from tfinv.recipes.frontier import Sweep, frontier
from tfinv.recipes.meeting import Member
from tfinv.recipes.robust_or_private import named, robust_or_private
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.training.defences import defence
from tfinv_cli import settings
from tfinv_cli.compared import inverting

Found = tuple[list[dict[str, Any]], list[Check], list[Figure]]


def trained_both_ways(
    what: str,
    config: dict[str, Any],
    train: Dataset,
    test: Dataset,
    given: Dataset,
    workdir: Workdir,
    seeds: Sequence[int],
    **more: Any,
) -> Found:
    """`reproduce cifar10` and `fer2013`: VGG16 and a ResNet trained as usual, and the ResNet adversarially."""
    usual = settings.schedule(config)
    with from_flag("--plain_architecture"):
        plain = dataclasses.replace(usual, architecture=config["plain_architecture"])
    # Different networks, and one that pays for robustness with accuracy: none is held to the others' accuracy.
    members = [
        Member(named(schedule.architecture, False), defence("none"), schedule, compared=False)
        for schedule in (plain, usual)
    ]
    with from_flag("--robust_training"):
        hard = defence(config["robust_training"])
    if not is_robust(hard):
        raise expected("a recipe of robust training", config["robust_training"], "Change --robust_training.")
    label = named(config["architecture"], True)
    members.append(Member(label, hard, dataclasses.replace(usual, epochs=config["robust_epochs"]), compared=False))
    rows, checks, figures = robust_or_private(
        train,
        test,
        workdir=workdir,
        members=members,
        robust=[label],
        robustness=_robustness(config),
        attacks=config["methods"],
        featured=_class(train, config["featured"]),
        seeds=seeds,
        **inverting(config, train, given),
        **more,
    )
    cut = settings.cut(what, config)
    advice = "The figures are of this scale and not of the source's; --budget=full is, and needs a GPU."
    return rows, [*checks, Check("published-scale", None if cut else True, cut or "the full budget", advice)], figures


def swept(
    config: dict[str, Any],
    train: Dataset,
    test: Dataset,
    given: Dataset,
    workdir: Workdir,
    seeds: Sequence[int],
    **more: Any,
) -> Found:
    """`reproduce frontier`."""
    if len(config["methods"]) != 1:
        raise expected("one inversion for a frontier", ", ".join(config["methods"]), "Change --methods.")
    return frontier(
        train,
        test,
        workdir=workdir,
        sweep=Sweep(
            tuple(config["anti_weights"]),
            tuple(config["robust_eps"]),
            config["anti_training"],
            config["robust_training"],
            config["reversal"],
        ),
        schedule=settings.schedule(config),
        robustness=_robustness(config),
        attack=config["methods"][0],
        seeds=seeds,
        **inverting(config, train, given),
        **more,
    )


def _class(data: Dataset, name: str) -> int:
    if name not in data.class_names:
        raise expected(f"a class among {', '.join(data.class_names)}", repr(name), "Change --featured.")
    return data.class_names.index(name)


def _robustness(config: dict[str, Any]) -> Robustness:
    return Robustness(tuple(config["attacks"]), tuple(config["eps"]), config["attack_limit"], config["gradients"])
