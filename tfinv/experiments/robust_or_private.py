"""Models trained as usual and adversarially, attacked and inverted alike (Mejia et al. 2019, arXiv 1906.06449)."""

import dataclasses
from collections.abc import Sequence

from tfinv.comparison.attackers import Attacker, all_attackers, auxiliary_knowledge, select_attackers
from tfinv.comparison.comparison import compare
from tfinv.comparison.defended import is_robust
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.member import Member
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.experiments import settings
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.experiments.settings.robust_or_private import INVERSIONS
from tfinv.inversion import Projected
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence

# The inversion of Mejia et al.
MEJIA_ATTACK = INVERSIONS[0]


def model_label(architecture: str, robust: bool) -> str:
    """Returns the name of a model in rows and files."""
    return f"{architecture} ({'robust' if robust else 'usual'})"


def robust_or_private(
    train: Dataset,
    test: Dataset,
    auxiliary: Dataset,
    workdir: Workdir,
    *,
    members: Sequence[Member],
    robust: Sequence[str],
    evaluators: Evaluators,
    robustness: Robustness,
    same_classes: bool = True,
    methods: Sequence[str] = INVERSIONS,
    samples: int = 8,
    steps: int = 200,
    featured: int = 0,
    seeds: Sequence[int] = (0,),
    execution: Execution = SILENT,
) -> Report:
    """Trains, attacks, inverts and draws; see `comparison.compare`.

    The figures are the source's: reconstructions of all models side by side, different samples of one class, and the training
    images nearest to each reconstruction in the last convolutional map of the attacked model, of its own class among them.

    Args:
      train: the victims' training split.
      test: held-out images, for accuracies and references.
      auxiliary: the attacker's images, with labels; no image of it should be in `train`.
      workdir: keeps every stage.
      members: the models.
      robust: labels of those trained adversarially; the others should give away less than each of them, says the source.
      evaluators: evaluators and fresh decoders.
      robustness: adversarial attacks on each model.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      methods: names of the inversions, see `all_attackers`.
      samples: reconstructions a class.
      steps: of the inversions that have no number of their own; see `all_attackers`.
      featured: the class of the figure of different samples; the source has birds.
      seeds: a training and an inversion each.
      execution: processes and progress.
    """
    attackers = all_attackers(steps, steps, samples, str(workdir.path / "models" / "attackers"))
    return compare(
        Splits(train, test),
        workdir,
        members=members,
        protocol=Protocol(
            [same_steps(a, same_classes) for a in select_attackers(attackers, methods)],
            auxiliary_knowledge(auxiliary, same_classes),
            evaluators,
            robustness,
            seeds=seeds,
            featured=featured,
            pictured=(MEJIA_ATTACK,),
        ),
        defended=[m.label for m in members if m.label not in robust],
        undefended=robust,
        execution=execution,
    ).report


def same_steps(attacker: Attacker, same_classes: bool) -> Attacker:
    """Keeps the budget of equal steps alone; projected gradient descent starts as published, from the Gaussian of each class."""
    if attacker.name == MEJIA_ATTACK and same_classes:
        return Attacker(MEJIA_ATTACK, Projected(), samples=attacker.samples)
    return dataclasses.replace(attacker, convergence=None)


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce cifar10` and `fer2013`: VGG16 and a ResNet trained as usual, and the ResNet adversarially."""
    assert run.auxiliary is not None
    config, usual = run.config, run.schedule
    with from_flag("--plain_architecture"):
        plain = dataclasses.replace(usual, architecture=config["plain_architecture"])
    # Different networks, and one that pays for robustness with accuracy: none is held to the others' accuracy.
    members = [
        Member(model_label(schedule.architecture, False), defence("none"), schedule, compared=False)
        for schedule in (plain, usual)
    ]
    with from_flag("--robust_training"):
        recipe = defence(config["robust_training"])
    if not is_robust(recipe):
        raise expected("a recipe of robust training", config["robust_training"], "Change --robust_training.")
    label = model_label(config["architecture"], True)
    members.append(Member(label, recipe, dataclasses.replace(usual, epochs=config["robust_epochs"]), compared=False))
    rows, checks, figures = robust_or_private(
        run.train,
        run.test,
        run.auxiliary,
        run.workdir,
        members=members,
        robust=[label],
        evaluators=run.evaluators,
        robustness=run.robustness,
        same_classes=run.same_classes,
        methods=config["methods"],
        featured=_class_number(run.train, config["featured"]),
        seeds=run.seeds,
        execution=run.execution,
        **run.select("steps", "samples"),
    )
    reduction = settings.reduction(run.experiment, config)
    advice = "The figures are of this scale and not of the source's; --budget=full is, and needs a GPU."
    scale = Check("published-scale", None if reduction else True, reduction or "the full budget", advice)
    return rows, [*checks, scale], figures


def _class_number(data: Dataset, name: str) -> int:
    if name not in data.class_names:
        raise expected(f"a class among {', '.join(data.class_names)}", repr(name), "Change --featured.")
    return data.class_names.index(name)
