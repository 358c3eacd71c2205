"""Robust or private, as a curve: from anti-adversarial training through natural to adversarial training over eps.

The claim of Mejia et al. 2019 is that what makes a model robust makes it easier to invert. Here it is a number: the correlation,
over such a sweep, between robust accuracy and what an inversion gets, or how surely members of the training set are told. A recipe
that is robust *and* private would leave the line.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tfinv.comparison.attackers import all_attackers, auxiliary_knowledge, select_attackers
from tfinv.comparison.comparison import Comparison, compare
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.member import Member
from tfinv.comparison.membership.shadowless import ATTACK
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected, from_flag
from tfinv.evaluation.frontier.check import evaluate
from tfinv.evaluation.frontier.leaks import InversionLeak, Leak, MembershipLeak
from tfinv.evaluation.frontier.line import Line, Point, fit_line
from tfinv.evaluation.frontier.points import Plane, points_of
from tfinv.evaluation.inversion.references import START
from tfinv.evaluation.robustness.plan import named_attacks
from tfinv.evaluation.statistics.measurement import BETTER, HELD_OUT, Measurement
from tfinv.evaluation.statistics.pooling import differences
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.reporting import Figure
from tfinv.reporting.figures.scatter import frontier_plot
from tfinv.reporting.results.rows import show_eps
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

Row = dict[str, Any]

# Measures of the y axis that an inversion gives: the title, and the most private value there is.
_INVERSION_AXES = {
    "acc@1": ("Acc@1 of the reconstructions, mean of the evaluators", 0.0),
    "feature_distance": ("feature distance to the nearest training image of the class", None),
}
_GUESSING = "guessing"


@dataclasses.dataclass(frozen=True)
class _Axis:
    """A y axis: what the models give away.

    Attributes:
      measure: its name in rows, files and checks.
      title: of the axis.
      leak: its values.
      lower: whether a lower value is more private.
      floor: the most private value there is, or None.
      levels: named values, to compare with.
      origin: name of the level at which nothing is given away.
    """

    measure: str
    title: str
    leak: Leak
    lower: bool
    floor: float | None
    levels: Mapping[str, float]
    origin: str


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The recipes along the frontier.

    Attributes:
      weights: of anti-adversarial training, the strongest first.
      eps: of adversarial training, the weakest first.
      anti: text form of the anti-adversarial training, with `{weight}` where the weight goes.
      robust: text form of the adversarial training, with `{eps}` where eps goes.
      reversal: text form of the destruction defence that is held against the line, combined with each; "" for none.
    """

    weights: tuple[float, ...]
    eps: tuple[float, ...]
    anti: str
    robust: str
    reversal: str = ""

    def __post_init__(self):
        if "{weight}" not in self.anti:
            raise expected("an anti-adversarial training with {weight} in it", self.anti, "Change --anti_training.")
        if "{eps}" not in self.robust:
            raise expected("an adversarial training with {eps} in it", self.robust, "Change --robust_training.")
        if len(set(self.swept)) < len(self.swept):
            raise expected("each recipe once", ", ".join(self.swept), "Change --anti_weights or --robust_eps.")
        for flags, recipes in (
            ("--anti_weights or --anti_training", self._anti_recipes),
            ("--robust_eps or --robust_training", self._robust_recipes),
            ("--reversal", self.with_reversal),
        ):
            with from_flag(flags):
                for recipe in recipes:
                    defence(recipe)

    @property
    def _anti_recipes(self) -> list[str]:
        return [self.anti.replace("{weight}", str(w)) for w in self.weights]

    @property
    def _robust_recipes(self) -> list[str]:
        return [self.robust.replace("{eps}", str(e)) for e in self.eps]

    @property
    def swept(self) -> list[str]:
        """Text forms from the least robust to the most."""
        return [*self._anti_recipes, "none", *self._robust_recipes]

    @property
    def twins(self) -> dict[str, str]:
        """Swept recipes, each by the one of `with_reversal` that adds the destruction defence to it."""
        return dict(zip(self.with_reversal, self.swept, strict=True)) if self.reversal else {}

    @property
    def with_reversal(self) -> list[str]:
        """The swept recipes with the destruction defence, which are held against the line."""
        if not self.reversal:
            return []
        return [self.reversal if spec == "none" else f"{spec}+{self.reversal}" for spec in self.swept]


def frontier(
    train: Dataset,
    test: Dataset,
    auxiliary: Dataset,
    workdir: Workdir,
    *,
    sweep: Sweep,
    schedule: Schedule,
    evaluators: Evaluators,
    robustness: Robustness,
    same_classes: bool = True,
    method: str = "gradient",
    samples: int = 4,
    steps: int = 200,
    members: int = 2000,
    seeds: Sequence[int] = (0,),
    execution: Execution = SILENT,
) -> Report:
    """Trains the sweep, attacks and inverts every model, and draws one against the other; see `comparison.compare`.

    Args:
      train: the victims' training split.
      test: held-out images.
      auxiliary: the attacker's images, with labels; no image of it should be in `train`.
      workdir: keeps every stage.
      sweep: the recipes.
      schedule: architecture and optimisation of all models.
      evaluators: evaluators and fresh decoders.
      robustness: one attack at one eps is x; with several, the last at the largest.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      method: name of the inversion whose reconstructions are y, see `all_attackers`.
      samples: reconstructions a class.
      steps: of the inversion; see `all_attackers` for those that have their own.
      members: so many training images, and as many test images, at most, whose membership is asked: y, too.
      seeds: a training, an evaluation and an inversion each.
      execution: processes and progress.
    """
    attackers = all_attackers(steps, steps, samples, str(workdir.path / "models" / "attackers"))
    comparison = compare(
        Splits(train, test),
        workdir,
        # Robustness costs accuracy, so these are not held to equal accuracy.
        members=[
            Member(spec, defence(spec), schedule, compared=False) for spec in (*sweep.swept, *sweep.with_reversal)
        ],
        protocol=Protocol(
            [dataclasses.replace(a, convergence=None) for a in select_attackers(attackers, [method])],
            auxiliary_knowledge(auxiliary, same_classes),
            evaluators,
            robustness,
            members,
            seeds=seeds,
        ),
        execution=execution,
    )
    rows, checks, figures = comparison.report
    (name, _), eps = named_attacks(robustness.attacks[-1:])[0], max(robustness.eps)
    pairs = (differences(comparison.measurements, variant, twin) for variant, twin in sweep.twins.items())
    rows += [d.row() for pair in pairs for d in pair if d.measure in _INVERSION_AXES and d.method == method]
    chance = float(np.bincount(test.labels).max() / len(test))
    for axis in _axes(comparison, method):
        plane = Plane(name, eps, axis.leak, chance)
        points_at = partial(
            points_of, comparison.rows, sweep.swept, sweep.twins, plane, unsound=comparison.failed_checks
        )
        points = points_at(seeds=seeds)
        seed_lines = _fit_lines(points_at(seeds=[seed]) for seed in seeds)
        verdict = evaluate(
            points,
            lower=axis.lower,
            floor=axis.floor,
            start=axis.levels.get(axis.origin),
            origin="the inversion's start" if axis.origin == START else axis.origin,
            seed_lines=seed_lines,
        )
        check = dataclasses.replace(verdict.check, name=f"{verdict.check.name} ({axis.measure})")
        checks.append(check)
        rows += _frontier_rows(verdict.line, seed_lines, axis.measure, seeds)
        if not points:  # such as features, which no evaluator may have
            continue
        stem = f"frontier-{axis.measure.replace('@', '')}"
        path = f"figures/{stem}.png"
        frontier_plot(
            points,
            workdir.path / path,
            x=f"robust accuracy under {name} at eps {show_eps(eps)}",
            y=axis.title,
            line=verdict.line,
            level=verdict.level,
            marks=axis.levels,
        )
        figures.insert(0, Figure(stem, f"Robust or private: {axis.measure}", check.evidence, path))
    return rows, checks, figures


def _axes(comparison: Comparison, method: str) -> list[_Axis]:
    """The y axes: measures of the inversion, and who was in the training set."""
    axes = list[_Axis]()
    for measure, (title, floor) in _INVERSION_AXES.items():
        leak = InversionLeak(comparison.measurements, method, measure)
        levels = _levels(comparison.references, method, measure)
        # What gives away more when it is higher is private when it is low.
        axes.append(_Axis(measure, title, leak, BETTER[measure] == "higher", floor, levels, START))
    title, areas = f"AUC of membership by {ATTACK}, without shadow models", MembershipLeak(comparison.rows, ATTACK)
    return [*axes, _Axis("membership_auc", title, areas, True, 0.5, {_GUESSING: 0.5}, _GUESSING)]


def _levels(references: Sequence[Measurement], method: str, measure: str) -> Mapping[str, float]:
    """Returns the measure of the inversion's starts, and that of real images of the classes."""
    levels = {}
    for name, key, value in ((START, "of", method), (HELD_OUT, "experiment", HELD_OUT)):
        values = [v for m in references if m.keys.get(key) == value for v in m.values if v.measure == measure]
        if values:
            levels[name] = float(np.mean([v.values.mean() for v in values]))
    return levels


def _fit_lines(sweeps: Iterable[Sequence[Point]]) -> list[Line]:
    """Fits a line to each sweep that has one."""
    lines = []
    for points in sweeps:
        with contextlib.suppress(UserError):
            lines.append(fit_line(points))
    return lines


def _frontier_rows(line: Line | None, seed_lines: Sequence[Line], measure: str, seeds: Sequence[int]) -> list[Row]:
    """The correlations as rows: of the means over all seeds, and of each seed alone."""
    if line is None:
        return []
    rows = []
    alone = zip(seed_lines, seeds, strict=True) if len(seed_lines) == len(seeds) > 1 else ()
    for of, seed in [(line, list(seeds)), *alone]:
        values = {"r": of.r, "rho": of.rho, "slope": of.slope, "intercept": of.intercept}
        rows.append({"kind": "frontier", "measure": measure, "seed": seed, "n": of.n, **values})
    return rows


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce frontier`."""
    assert run.auxiliary is not None
    config = run.config
    if len(config["methods"]) != 1:
        raise expected("one inversion for a frontier", ", ".join(config["methods"]), "Change --methods.")
    return frontier(
        run.train,
        run.test,
        run.auxiliary,
        run.workdir,
        sweep=Sweep(
            tuple(config["anti_weights"]),
            tuple(config["robust_eps"]),
            config["anti_training"],
            config["robust_training"],
            config["reversal"],
        ),
        schedule=run.schedule,
        evaluators=run.evaluators,
        robustness=run.robustness,
        same_classes=run.same_classes,
        method=config["methods"][0],
        seeds=run.seeds,
        execution=run.execution,
        **run.select("steps", "samples"),
    )
