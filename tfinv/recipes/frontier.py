"""Robust or private, as a curve: from anti-adversarial training through natural to adversarial training over eps.

The claim of Mejia et al. 2019 is that what makes a model robust makes it easier to invert. Here it is a number: the correlation,
over such a sweep, between robust accuracy and what an inversion gets. A recipe that is robust *and* private would leave the line.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected
from tfinv.evaluation.check import Check
from tfinv.evaluation.frontier import Line, Point, fit_line, leaves
from tfinv.evaluation.intervals import mean_interval
from tfinv.evaluation.measurement import BETTER, EQUAL
from tfinv.recipes.attackers import all_attackers, chosen, known_of
from tfinv.recipes.comparison import Member, compare
from tfinv.recipes.judging import Judging
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.reporting.scatter import frontier_plot
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

Row = dict[str, Any]

# What is held against robust accuracy, and how the axis is called.
_AXES = {
    "acc@1": "Acc@1 of the reconstructions, mean of the evaluators",
    "feature_distance": "feature distance to the nearest training image of the class",
}


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The recipes along the frontier.

    Attributes:
      weights: of anti-adversarial training, the strongest first.
      eps: of adversarial training, the weakest first.
      robust: text form of the adversarial training, with `{eps}` where eps goes.
      reversal: text form of the destruction defence that is held against the line, combined with each; "" for none.
    """

    weights: tuple[float, ...] = (0.8, 0.08)
    eps: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    robust: str = "adversarial(eps={eps},steps=7,ramp=.5)"
    reversal: str = "reversal"

    def __post_init__(self):
        if "{eps}" not in self.robust:
            raise expected("an adversarial training with {eps} in it", self.robust, "Change --robust_training.")
        for spec in (*self.swept, *self.held):
            defence(spec)

    @property
    def swept(self) -> list[str]:
        """Text forms from the least robust to the most."""
        against = [f"atat(weight={w:g})" for w in self.weights]
        return [*against, "none", *(self.robust.replace("{eps}", f"{e:g}") for e in self.eps)]

    @property
    def held(self) -> list[str]:
        """The same with the destruction defence."""
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
    judging: Judging,
    robustness: Robustness,
    same_classes: bool = True,
    attack: str = "gradient",
    samples: int = 4,
    steps: int = 200,
    seeds: Sequence[int] = (0,),
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[Row], list[Check], list[Figure]]:
    """Trains the sweep, attacks and inverts every model, and draws one against the other; see `comparison.compare`.

    Args:
      train: the victims' training split.
      test: held-out images.
      auxiliary: what the attacker has, with labels; no image of it should be in `train`.
      workdir: keeps every stage.
      sweep: the recipes.
      schedule: how all are trained.
      judging: evaluators and fresh decoders.
      robustness: one attack at one eps is x; with several, the last at the largest.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      attack: one of `all_attackers`, whose reconstructions are y.
      samples: reconstructions a class.
      steps: of the inversion.
      seeds: a training, an evaluation and an inversion each.
      verbose: Keras's, for the trainings.
      progress: is told what begins.
    """
    attackers = all_attackers(steps, steps, samples, str(workdir.path / "models" / "attackers"))
    rows, checks, figures = compare(
        train,
        test,
        workdir,
        # Robustness costs accuracy, so these are not held to equal accuracy.
        members=[Member(spec, defence(spec), schedule, compared=False) for spec in (*sweep.swept, *sweep.held)],
        attackers=[dataclasses.replace(a, convergence=None) for a in chosen(attackers, [attack])],
        judging=judging,
        known=known_of(auxiliary, same_classes),
        defended=(),
        undefended=(),
        robustness=robustness,
        seeds=seeds,
        verbose=verbose,
        progress=progress,
    )
    name, eps = robustness.attacks[-1], max(robustness.eps)
    for measure in _AXES:
        points = points_of(rows, sweep, attack=name, eps=eps, method=attack, measure=measure)
        lower = BETTER[measure] == "higher"  # what gives away more when it is higher is private when it is low
        line, check = judge(points, lower=lower)
        checks.append(dataclasses.replace(check, name=f"{check.name} ({measure})"))
        if not points:  # such as features, which no evaluator may have
            continue
        path = f"figures/frontier-{measure.replace('@', '')}.png"
        frontier_plot(
            points, workdir.path / path, x=f"robust accuracy under {name} at eps {eps:.3g}", y=_AXES[measure], line=line
        )
        figures.insert(
            0, Figure(f"frontier-{measure.replace('@', '')}", f"Robust or private: {measure}", check.evidence, path)
        )
    return rows, checks, figures


def points_of(rows: Sequence[Row], sweep: Sweep, *, attack: str, eps: float, method: str, measure: str) -> list[Point]:
    """One point a recipe: the mean over its seeds, and over evaluators, with intervals over seeds, or of the one run's n.

    Args:
      rows: of kinds "accuracy" and "inversion".
      sweep: which recipes, and which of them are swept.
      attack: of the accuracy.
      eps: of the accuracy.
      method: of the inversion.
      measure: of the inversion.
    """
    points = []
    for spec in (*sweep.swept, *sweep.held):
        robust = [
            r
            for r in rows
            if r["kind"] == "accuracy" and (r["experiment"], r["attack"], r["eps"]) == (spec, attack, eps)
        ]
        judged: dict[int, list[Row]] = {}
        for r in rows:
            own = r["kind"] == "inversion" and (r["experiment"], r["method"], r["budget"]) == (spec, method, EQUAL)
            if own and r["measure"] == measure and isinstance(r["seed"], int):
                judged.setdefault(r["seed"], []).append(r)
        if not robust or not judged:
            continue
        x, x_interval = _summary([[r] for r in robust], "accuracy")
        y, y_interval = _summary(list(judged.values()), "value")
        points.append(Point(spec, x, y, x_interval, y_interval, swept=spec in sweep.swept))
    return points


def judge(points: Sequence[Point], *, lower: bool) -> tuple[Line | None, Check]:
    """The line through the swept points, and whether a recipe held against it is robust and leaves it on the private side.

    Robust is one whose accuracy under attack is beyond doubt above that of training as usual: a model that is neither robust nor
    accurate leaves the line too. The level of the prediction is 95 % for all of them together (Bonferroni).

    Args:
      points: the models, among them "none".
      lower: whether a lower y is more private.
    """
    advice = (
        "No robust recipe held against the sweep gives away less than its robust accuracy lets expect. Choose on the line what "
        "you need more, or look for another defence."
    )
    try:
        line = fit_line(points)
    except UserError as error:
        return None, Check("some-recipe-is-robust-and-private", None, str(error), advice)
    interval = "" if line.r_interval is None else f" (95 %: {line.r_interval[0]:.2f} to {line.r_interval[1]:.2f})"
    said = f"r = {line.r:.2f}{interval}, rank correlation {line.rho:.2f}, over {line.n} swept models"
    # Intervals of 95 % that don't touch: as careful as several recipes need.
    usual = max((p.x_interval or (p.x, p.x))[1] for p in points if p.label == "none")
    held = [p for p in points if not p.swept and (p.x_interval or (p.x, p.x))[0] > usual]
    off = [p.label for p in held if leaves(line, p, lower=lower, level=1 - 0.05 / len(held))]
    if held:
        said += f"; beyond the line on the private side: {', '.join(off) or 'none'} of {len(held)} robust ones held against it"
    return line, Check("some-recipe-is-robust-and-private", bool(off) if held else None, said, advice)


def _summary(runs: list[list[Row]], key: str) -> tuple[float, tuple[float, float] | None]:
    """The mean of the runs' means; its interval over runs, or of the single row."""
    means = [float(np.mean([r[key] for r in members])) for members in runs]
    if len(means) > 1:
        return float(np.mean(means)), mean_interval(np.array(means))
    # Several evaluators judge the same images: the widest of their intervals is none too wide.
    bounds = [r["ci95"] for r in runs[0] if r.get("ci95")]
    widest = max(bounds, key=lambda b: b[1] - b[0], default=None)
    if widest is None:
        return means[0], None
    half = (widest[1] - widest[0]) / 2
    return means[0], (means[0] - half, means[0] + half)
