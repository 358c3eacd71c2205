"""Checks of a robustness evaluation that need its rows only (Carlini et al. 2019; Athalye et al. 2018).

Each function takes the rows of one experiment and seed and returns one check; docs/reading-a-report.md has a heading for each.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv import attacks
from tfinv.errors import UserError
from tfinv.evaluation.check import Check, percent

Row = dict[str, Any]

# A budget, as a fraction of the bounds' width, at which every known model loses some images.
_LARGE = 0.2
# Number of images of which a robust model, too, loses some at that budget: of fewer it may well lose none.
_FEWEST = 150
# Queries of Square from which on it comes near to an attack with gradients in L-inf: AutoAttack's number (Croce and Hein 2020).
_MANY_QUERIES = 5000
# docs/reading-a-report.md has the command of these figures, and the intervals.
_WITNESS = "How weak a witness that can be: of 200 digits at eps .15, 75.0 % stand under 200 queries of Square and 21.5 % under PGD"


def accuracy_falls(rows: Sequence[Row]) -> Check:
    """Checks that the lowest accuracy under any attack never rises as eps grows, and that it falls on the way to a large eps.

    At each eps the strongest attack counts: a saturated one may rise beside it. Norms are judged apart, and noise not at all.
    Curves that were bisected, or that come from one run for the smallest perturbation, cannot rise, and where there are no others
    only flatness is checked. A large eps is defined for L-inf alone; curves in other norms, and those of few images, are checked
    for rises only.
    """
    problems, descriptions = [], []
    clean = [r for r in rows if r["attack"] == "none"]
    attacked = [r for r in rows if r["attack"] != "none" and family(r) != "noise"]
    for norm in dict.fromkeys(r.get("norm", "linf") for r in attacked):
        curve = [r for r in attacked if r.get("norm", "linf") == norm]
        strongest = [
            min((r for r in curve if r["eps"] == eps), key=lambda r: r["accuracy"])
            for eps in sorted({r["eps"] for r in curve})
        ]
        points = clean + strongest
        values = [r["accuracy"] for r in points]
        can_rise = any(r.get("curve", "independent") == "independent" for r in curve)
        must_fall = norm == "linf" and points[0]["n"] >= _FEWEST
        if not (can_rise or must_fall):
            continue
        names = list(dict.fromkeys(r["attack"] for r in curve))
        name = names[0] if len(names) == 1 else f"lowest of {', '.join(names)}"
        only = "" if can_rise and must_fall else f" (judged for {'rises' if can_rise else 'flatness'} only)"
        descriptions.append(f"{name}: " + " / ".join(percent(v) for v in values) + only)
        eps = [r["eps"] for r in strongest]
        if can_rise and any(b > a + _noise(points) for a, b in itertools.pairwise(values)):
            problems.append(f"{name} rises")
        first, last = strongest[0]["accuracy"], strongest[-1]["accuracy"]
        # A robust model's accuracy may stay the same between small budgets, or two that are close, but not up to a large one.
        if must_fall and 2 * eps[0] <= eps[-1] >= _LARGE and 0.05 < first <= last:
            problems.append(f"{name} stays flat from eps {eps[0]:g} to {eps[-1]:g}")
    return Check(
        "accuracy-falls-with-eps",
        None if not descriptions else not problems,
        ("; ".join(problems) + ". " if problems else "") + "; ".join(descriptions),
        "A larger budget holds every smaller one, so a curve that rises or stays flat means that the attacks fail, not that the "
        "model is robust. See whether the perturbation has the size it should, and try more steps, restarts and another loss.",
    )


def pgd_at_least_fgsm(rows: Sequence[Row]) -> Check:
    """Checks that an iterative attack is not weaker than a single step."""
    return _stronger(
        rows,
        _of_family("pgd"),
        _of_family("fgsm"),
        "pgd-at-least-fgsm",
        "A single step is one of PGD's options. When it does better, the gradient misleads beyond the first step, or PGD's step "
        "size is wrong: try more steps, a smaller step and restarts.",
    )


def noise_weaker_than_fgsm(rows: Sequence[Row]) -> Check:
    """Checks that random noise is not stronger than a gradient step."""
    return _stronger(
        rows,
        _of_family("fgsm"),
        _of_family("noise"),
        "noise-weaker-than-fgsm",
        "Noise knows nothing of the model. When it beats FGSM, the gradient is no guide: look for masked or shattered gradients.",
    )


def white_box_at_least_black_box(rows: Sequence[Row]) -> Check:
    """Checks that attacks with gradients find no less than those with scores, labels, or another model only."""
    return _stronger(
        rows,
        is_white_box,
        is_black_box,
        "white-box-at-least-black-box",
        "An attacker with the gradients can do all that one without them can. When the latter finds more, the gradients mislead: "
        "quote the lower figure, and look for what masks them.",
    )


def not_only_black_box(rows: Sequence[Row]) -> Check:
    """Checks that an attack followed the gradients of the model, or that Square had many queries."""
    attacked = [r for r in rows if r["attack"] != "none" and family(r) != "noise"]
    white, black = ([r for r in attacked if kind(r)] for kind in (is_white_box, is_black_box))
    names = ", ".join(dict.fromkeys(r["attack"] for r in (white or black)))
    queries = max((_query_budget(r) for r in black), default=0)
    passed, evidence = None, "no attack ran"
    if white:
        passed, evidence = True, f"gradients of the model itself: {names}"
    elif black:
        passed = queries >= _MANY_QUERIES
        evidence = (
            f"{names}, and no attack that follows the model's own gradients: at most {queries} queries of its scores an image (at "
            f"least {_MANY_QUERIES}). {_WITNESS}"
        )
    return Check(
        "not-only-black-box",
        passed,
        evidence,
        "Without gradients an attack misses adversarial images that are there, so what stands under it says little of the model. "
        f"Add pgd where there are gradients; else square(queries={_MANY_QUERIES}), and transfer from a model whose gradients can "
        "be had, best of all from the one that this was exported from (--surrogate).",
    )


def zero_gradients(rows: Sequence[Row], most: float = 0.01) -> Check:
    """Checks that hardly any gradient is exactly zero: an attack that follows the gradient can't move such an image."""
    shares = [(r["attack"], r["eps"], r["zero_gradients"]) for r in rows if r.get("zero_gradients") is not None]
    worst = max(shares, key=lambda s: s[2], default=None)
    return Check(
        "zero-gradients",
        None if worst is None else worst[2] <= most,
        "no gradient was taken"
        if worst is None
        else f"{percent(worst[2])} of the gradients of {worst[0]} at eps {worst[1]:g} are exactly zero (at most {percent(most)})",
        "An attack does not move these images, and counts them as robust. Attack the logits rather than probabilities, with a loss "
        "that does not saturate (margin), and look for quantising or non-differentiable steps in the model.",
    )


def perturbation_uses_budget(rows: Sequence[Row], width: float) -> Check:
    """Checks that the largest perturbation reaches the budget, and does not exceed it.

    Attacks for the smallest perturbation need not reach it. In a bisected curve only the images near their threshold are attacked
    at an eps, and smaller perturbations may suffice for all of them, so one row that reaches its budget is enough for the curve.
    """
    problems, descriptions = [], []
    for attack, curve in _curves(rows).items():
        short = []
        measured = [r for r in curve if r.get("max_distance") is not None]
        for row in measured:
            eps, moved = row["eps"] * width, row["max_distance"]
            descriptions.append(f"{attack} at {row['eps']:g}: {moved / width:.4g}")
            if moved > eps * (1 + 1e-6):
                problems.append(f"{attack} at eps {row['eps']:g} moved {moved / width:.4g}: outside its budget")
            elif moved < 0.5 * eps and row["accuracy"] > 0.05 and not row.get("minimal"):
                short.append(f"{attack} at eps {row['eps']:g} moved at most {moved / width:.4g}")
        if curve[0].get("curve") != "bisected" or len(short) == len(measured):
            problems += short
    return Check(
        "perturbation-uses-budget",
        None if not descriptions else not problems,
        "; ".join(problems)
        or f"largest realised perturbation, as a fraction of the bounds: {'; '.join(descriptions) or 'none'}",
        "The attack ran with another eps than the one that is reported. Usual causes: eps in grey levels applied to 0..1 images or "
        "the other way round, a cast to uint8, or a budget that clipping undid.",
    )


def family(row: Row) -> str:
    """Returns the attack's name without its arguments: a row's attack may be a spec."""
    return row["attack"].partition("(")[0]


def is_white_box(row: Row) -> bool:
    """Returns whether the row's attack follows the gradients of the classifier itself."""
    return row.get("needs") == "gradients"


def is_black_box(row: Row) -> bool:
    """Returns whether the row's attack uses scores or labels only, or another model's gradients; noise does not count."""
    return row.get("needs") in ("scores", "labels") and family(row) != "noise"


def _stronger(rows, strong, weak, name, advice):
    """Checks that no weak attack finds more than the strong ones; of several the strongest at an eps and norm counts."""
    problems, descriptions = [], []
    for key in sorted({(r["eps"], r.get("norm") or "") for r in rows if r["attack"] != "none"}):
        here = [r for r in rows if (r["eps"], r.get("norm") or "") == key and r["attack"] != "none"]
        stronger, weaker = (
            min(filter(kind, here), key=lambda r: r["accuracy"], default=None) for kind in (strong, weak)
        )
        if stronger is None or weaker is None:
            continue
        shown = (f"{family(r)} {percent(r['accuracy'])}" for r in (stronger, weaker))
        descriptions.append(f"eps {key[0]:g}: {', '.join(shown)}")
        if stronger["accuracy"] > weaker["accuracy"] and _significant(stronger, weaker):
            problems.append(descriptions[-1])
    return Check(
        name, None if not descriptions else not problems, "; ".join(problems or descriptions) or "not run", advice
    )


def _query_budget(row):
    """The queries that an attack of scores may take for an image; 0 for those of labels, or of another model."""
    try:
        attack = attacks.attack(row.get("spec", row["attack"]))
    except UserError:  # an attack that is not in the registry
        return 0
    return getattr(attack, "queries", 0) if attack.needs == "scores" else 0


def _of_family(name):
    return lambda row: family(row) == name


def _significant(a, b):
    """Whether two accuracies differ significantly, at 1 % (Fisher's exact test)."""
    table = [[round(r["accuracy"] * r["n"]), r["n"] - round(r["accuracy"] * r["n"])] for r in (a, b)]
    return stats.fisher_exact(table).pvalue < 0.01


def _noise(points):
    """Half a standard error of the clean accuracy: the same images are attacked at each eps, so little is due to chance."""
    n = points[0]["n"]
    return 0.5 * float(np.sqrt(0.25 / n))


def _curves(rows, skip=()):
    curves: dict[str, list[Row]] = {}
    for row in rows:
        if row["attack"] != "none" and family(row) not in skip:
            curves.setdefault(row["attack"], []).append(row)
    return curves
