"""Figures of membership attacks on several trainings of the same halves, and their scores as a file beside the results."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.evaluation.frontier.line import Point
from tfinv.evaluation.frontier.points import robust_accuracy
from tfinv.evaluation.robustness.plan import named_attacks
from tfinv.reporting import Figure
from tfinv.reporting.figures import canvas
from tfinv.reporting.figures.membership import draw_roc
from tfinv.reporting.figures.scatter import frontier_plot
from tfinv.reporting.results.rows import show_eps
from tfinv.reporting.results.scores import Scores
from tfinv.reporting.results.summary import is_pooled


def draw(
    results: Mapping[str, Sequence[AttackScores]],
    rows: Sequence[Mapping[str, Any]],
    examples: Dataset,
    folder: pathlib.Path,
    robustness: Robustness | None,
    *,
    attack: str,
) -> list[Figure]:
    """Writes scores.npz, the ROC curves of one attack by training, and its AUC over robust accuracy where that was measured.

    Args:
      results: by training, each attack on each target, all trainings with the same attacks and targets in the same order.
      rows: of kinds "membership", with those that pool the targets, and "accuracy".
      examples: the n examples.
      folder: of the results.
      robustness: the adversarial attacks; None for none.
      attack: text form of the membership attack that is drawn.
    """
    _all_scores(results, examples).write(folder, examples.images)
    path = "figures/membership-roc.png"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    canvas.write(draw_roc(_by_training(results, examples, attack)), folder / path)
    caption = (
        f"True-positive over false-positive rate of {attack}, both on logarithmic axes: one line a training, the mean over its "
        "targets; the band reaches from the lowest to the highest."
    )
    figures = [Figure("membership-roc", f"Who was in: {attack}, by training", caption, path)]
    points = [] if robustness is None else _points(results, rows, robustness, attack)
    if robustness is None or not points:
        return figures
    name, eps = _strongest(robustness)
    x = f"robust accuracy under {name} at eps {show_eps(eps)}"
    path = "figures/membership-robustness.png"
    guessing = {"guessing": 0.5}
    frontier_plot(points, folder / path, x=x, y=f"AUC of {attack}", marks=guessing, legend="trainings")
    caption = f"Each training at its {x} (of images in no training set) and the AUC of {attack}, with 95 % intervals."
    return [Figure("membership-robustness", "Robust accuracy and membership", caption, path), *figures]


def _by_attack(results: Sequence[AttackScores]) -> dict[str, np.ndarray]:
    """Scores (t, n) of each attack."""
    names = dict.fromkeys(result.attack for result in results)
    return {name: np.stack([r.scores for r in results if r.attack == name]) for name in names}


def _members(results: Mapping[str, Sequence[AttackScores]]) -> np.ndarray:
    """(t, n) bool, the same for all trainings and attacks."""
    scores = next(iter(results.values()))
    return np.stack([r.members for r in scores if r.attack == scores[0].attack])


def _all_scores(results: Mapping[str, Sequence[AttackScores]], examples: Dataset) -> Scores:
    lines = [(label, *line) for label, group in results.items() for line in _by_attack(group).items()]
    experiments, attacks, scores = zip(*lines, strict=True)
    names = examples.class_names
    return Scores(attacks, np.stack(scores), _members(results), examples.labels, experiments, names)


def _by_training(results: Mapping[str, Sequence[AttackScores]], examples: Dataset, attack: str) -> Scores:
    """Scores of one attack, of which each training is a line."""
    scores = np.stack([_by_attack(group)[attack] for group in results.values()])
    return Scores(tuple(results), scores, _members(results), examples.labels, (attack,) * len(scores))


def _strongest(robustness: Robustness) -> tuple[str, float]:
    """The last of the adversarial attacks and the largest eps, as on a frontier."""
    return named_attacks(robustness.attacks[-1:])[0][0], max(robustness.eps)


def _points(results, rows, robustness, attack) -> list[Point]:
    points = []
    for label in results:
        of_training = [row for row in rows if row.get("experiment") == label]
        accuracies = [row for row in of_training if row["kind"] == "accuracy"]
        runs = [row for row in accuracies if (row["attack"], row["eps"]) == _strongest(robustness)]
        areas = [r for r in of_training if r["kind"] == "membership" and (r["attack"], r["measure"]) == (attack, "auc")]
        if runs and areas:
            x, x_interval = robust_accuracy(runs)
            (area,) = filter(is_pooled, areas)
            points.append(Point(label, x, area["value"], x_interval, tuple(area["ci95"])))
    return points
