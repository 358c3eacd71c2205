"""Robust or private, as a curve: from anti-adversarial training through natural to adversarial training over eps.

The claim of Mejia et al. 2019 is that what makes a model robust makes it easier to invert. Here it is a number: the correlation,
over such a sweep, between robust accuracy and what an inversion gets. A recipe that is robust *and* private would leave the line.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.frontier import Line, Point, fit_line
from tfinv.evaluation.frontier_check import judge
from tfinv.evaluation.frontier_points import points_of
from tfinv.evaluation.measurement import BETTER, HELD_OUT, Measurement
from tfinv.evaluation.pooling import differences
from tfinv.evaluation.references import START
from tfinv.evaluation.robustness import named_attacks
from tfinv.recipes.attackers import all_attackers, chosen, known_of
from tfinv.recipes.comparison import compare
from tfinv.recipes.judging import Judging
from tfinv.recipes.meeting import Member
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.reporting.rows import show_eps
from tfinv.reporting.scatter import frontier_plot
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

Row = dict[str, Any]

# What is held against robust accuracy, how the axis is called, and the most private value there is.
_AXES = {
    "acc@1": ("Acc@1 of the reconstructions, mean of the evaluators", 0.0),
    "feature_distance": ("feature distance to the nearest training image of the class", None),
}


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
            ("--anti_weights or --anti_training", self._against),
            ("--robust_eps or --robust_training", self._towards),
            ("--reversal", self.held),
        ):
            with from_flag(flags):
                for recipe in recipes:
                    defence(recipe)

    @property
    def _against(self) -> list[str]:
        return [self.anti.replace("{weight}", str(w)) for w in self.weights]

    @property
    def _towards(self) -> list[str]:
        return [self.robust.replace("{eps}", str(e)) for e in self.eps]

    @property
    def swept(self) -> list[str]:
        """Text forms from the least robust to the most."""
        return [*self._against, "none", *self._towards]

    @property
    def twins(self) -> dict[str, str]:
        """Of each held against the line, the swept one that it adds the destruction defence to."""
        return dict(zip(self.held, self.swept, strict=True)) if self.reversal else {}

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
    workers: int = 1,
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
      steps: of the inversion; see `all_attackers` for those that have their own.
      seeds: a training, an evaluation and an inversion each.
      workers: processes that share the trainings, and then the models after the first.
      verbose: Keras's, for the trainings.
      progress: is told what begins.
    """
    attackers = all_attackers(steps, steps, samples, str(workdir.path / "models" / "attackers"))
    found = compare(
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
        workers=workers,
        verbose=verbose,
        progress=progress,
    )
    rows, checks, figures = found.shown
    (name, _), eps = named_attacks(robustness.attacks[-1:])[0], max(robustness.eps)
    pairs = (differences(found.measured, held, twin) for held, twin in sweep.twins.items())
    rows += [d.row() for pair in pairs for d in pair if d.measure in _AXES and d.method == attack]
    for measure, (title, floor) in _AXES.items():
        points_at = partial(
            points_of,
            found.rows,
            found.measured,
            sweep.swept,
            sweep.twins,
            attack=name,
            eps=eps,
            method=attack,
            measure=measure,
            chance=float(np.bincount(test.labels).max() / len(test)),
            unsound=found.unsound,
        )
        points = points_at(seeds=seeds)
        levels = _levels(found.references, attack, measure)
        alone = _lines(points_at(seeds=[seed]) for seed in seeds)
        lower = BETTER[measure] == "higher"  # what gives away more when it is higher is private when it is low
        verdict = judge(points, lower=lower, floor=floor, start=levels.get(START), alone=alone)
        check = dataclasses.replace(verdict.check, name=f"{verdict.check.name} ({measure})")
        checks.append(check)
        rows += _frontier_rows(verdict.line, alone, measure, seeds)
        if not points:  # such as features, which no evaluator may have
            continue
        path = f"figures/frontier-{measure.replace('@', '')}.png"
        frontier_plot(
            points,
            workdir.path / path,
            x=f"robust accuracy under {name} at eps {show_eps(eps)}",
            y=title,
            line=verdict.line,
            level=verdict.level,
            marks=levels,
        )
        figures.insert(
            0, Figure(f"frontier-{measure.replace('@', '')}", f"Robust or private: {measure}", check.evidence, path)
        )
    return rows, checks, figures


def _levels(references: Sequence[Measurement], method: str, measure: str) -> Mapping[str, float]:
    """What the inversion began with, and what real images of the classes give, by the same measure."""
    found = {}
    for name, key, wanted in ((START, "of", method), (HELD_OUT, "experiment", HELD_OUT)):
        of = [v for m in references if m.keys.get(key) == wanted for v in m.values if v.measure == measure]
        if of:
            found[name] = float(np.mean([v.values.mean() for v in of]))
    return found


def _lines(sweeps: Iterable[Sequence[Point]]) -> list[Line]:
    """Those of the sweeps through which there is one."""
    lines = []
    for points in sweeps:
        with contextlib.suppress(UserError):
            lines.append(fit_line(points))
    return lines


def _frontier_rows(line: Line | None, alone: Sequence[Line], measure: str, seeds: Sequence[int]) -> list[Row]:
    """The correlations as rows: of the means over all seeds, and of each seed alone."""
    if line is None:
        return []
    rows = []
    for of, seed in [(line, list(seeds)), *(zip(alone, seeds, strict=True) if len(alone) == len(seeds) > 1 else ())]:
        values = {"r": of.r, "rho": of.rho, "slope": of.slope, "intercept": of.intercept}
        rows.append({"kind": "frontier", "measure": measure, "seed": seed, "n": of.n, **values})
    return rows
