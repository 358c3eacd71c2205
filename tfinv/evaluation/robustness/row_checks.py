"""The rules of a sound evaluation that the rows alone can break (Carlini et al. 2019; Athalye et al. 2018).

Each function takes the rows of one experiment and seed and returns one check; docs/reading-a-report.md has a heading for each.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.evaluation.check import Check, percent

Row = dict[str, Any]

# A budget, as a fraction of the bounds' width, on the way to which every known model loses some images.
_LARGE = 0.2
# Images of which a robust model, too, loses some on that way: of fewer it may well lose none.
_FEWEST = 150


def accuracy_falls(rows: Sequence[Row]) -> Check:
    """Accuracy must rise at no step as eps grows, and must fall on the way to a large eps.

    A curve that was bisected, or that comes of one run for the smallest perturbation, cannot rise, and is judged for the second.
    What a large eps is we know in L-inf alone; other curves, and those of few images, are judged for the first.
    """
    problems, judged = [], []
    for attack, curve in _curves(rows, skip=("noise",)).items():
        clean = [r for r in rows if r["attack"] == "none"]
        points = sorted(clean + curve, key=lambda r: r["eps"])
        values = [r["accuracy"] for r in points]
        free = all(r.get("curve", "independent") == "independent" for r in curve)
        flat = all(r.get("norm", "linf") == "linf" for r in curve) and points[0]["n"] >= _FEWEST
        if not (free or flat):
            continue
        only = "" if free and flat else f" (judged for {'rises' if free else 'flatness'} only)"
        judged.append(f"{attack}: " + " / ".join(percent(v) for v in values) + only)
        eps = [r["eps"] for r in curve]
        if free and any(b > a + _noise(points) for a, b in itertools.pairwise(values)):
            problems.append(f"{attack} rises")
        attacked = [v for r, v in zip(points, values, strict=True) if r["attack"] != "none"]
        # A robust model may stand still between small budgets, or two that are near; on its way to a large one nothing does.
        if flat and 2 * min(eps) <= max(eps) >= _LARGE and attacked[0] > 0.05 and attacked[0] <= attacked[-1]:
            problems.append(f"{attack} stays flat from eps {min(eps):g} to {max(eps):g}")
    return Check(
        "accuracy-falls-with-eps",
        None if not judged else not problems,
        ("; ".join(problems) + ". " if problems else "") + "; ".join(judged),
        "A larger budget holds every smaller one, so a curve that rises or stays flat means that the attack fails, not that the "
        "model is robust. See whether the perturbation has the size it should, and try more steps, restarts and another loss.",
    )


def pgd_at_least_fgsm(rows: Sequence[Row]) -> Check:
    """An iterative attack must not be weaker than a single step."""
    return _stronger(
        rows,
        _is("pgd"),
        _is("fgsm"),
        "pgd-at-least-fgsm",
        "A single step is one of PGD's options. When it does better, the gradient misleads beyond the first step, or PGD's step "
        "size is wrong: try more steps, a smaller step and restarts.",
    )


def noise_weaker_than_fgsm(rows: Sequence[Row]) -> Check:
    """Random noise must not be stronger than a gradient step."""
    return _stronger(
        rows,
        _is("fgsm"),
        _is("noise"),
        "noise-weaker-than-fgsm",
        "Noise knows nothing of the model. When it beats FGSM, the gradient is no guide: look for masked or shattered gradients.",
    )


def white_box_at_least_black_box(rows: Sequence[Row]) -> Check:
    """Who sees the gradients must find no less than who sees scores, labels, or another model."""
    return _stronger(
        rows,
        is_white_box,
        is_black_box,
        "white-box-at-least-black-box",
        "An attacker with the gradients can do all that one without them can. When the latter finds more, the gradients mislead: "
        "quote the lower figure, and look for what masks them.",
    )


def zero_gradients(rows: Sequence[Row], most: float = 0.01) -> Check:
    """Images whose gradient is exactly zero cannot be attacked by following it."""
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
    """The largest realised perturbation must reach the budget, and not pass it.

    Attacks for the smallest perturbation need not reach it. In a bisected curve only the images near their threshold are attacked
    at an eps, and may all give in early there, so one row that reaches its budget stands for the curve.
    """
    problems, judged = [], []
    for attack, curve in _curves(rows).items():
        short = []
        measured = [r for r in curve if r.get("max_distance") is not None]
        for row in measured:
            eps, moved = row["eps"] * width, row["max_distance"]
            judged.append(f"{attack} at {row['eps']:g}: {moved / width:.4g}")
            if moved > eps * (1 + 1e-6):
                problems.append(f"{attack} at eps {row['eps']:g} moved {moved / width:.4g}: outside its budget")
            elif moved < 0.5 * eps and row["accuracy"] > 0.05 and not row.get("minimal"):
                short.append(f"{attack} at eps {row['eps']:g} moved at most {moved / width:.4g}")
        if curve[0].get("curve") != "bisected" or len(short) == len(measured):
            problems += short
    return Check(
        "perturbation-uses-budget",
        None if not judged else not problems,
        "; ".join(problems)
        or f"largest realised perturbation, as a fraction of the bounds: {'; '.join(judged) or 'none'}",
        "The attack ran with another eps than the one that is reported. Usual causes: eps in grey levels applied to 0..1 images or "
        "the other way round, a cast to uint8, or a budget that clipping undid.",
    )


def family(row: Row) -> str:
    """The attack's name without its arguments: a row may be called by its spec."""
    return row["attack"].partition("(")[0]


def is_white_box(row: Row) -> bool:
    """Whether the row's attack follows the gradients of the classifier itself."""
    return row.get("needs") == "gradients"


def is_black_box(row: Row) -> bool:
    """Whether the row's attack asks for scores or labels, or attacks another model; noise asks for too little to be one."""
    return row.get("needs") in ("scores", "labels") and family(row) != "noise"


def _stronger(rows, strong, weak, name, advice):
    """Of several attacks that are `strong` or `weak` the strongest at an eps and norm counts."""
    problems, judged = [], []
    for key in sorted({(r["eps"], r.get("norm") or "") for r in rows if r["attack"] != "none"}):
        here = [r for r in rows if (r["eps"], r.get("norm") or "") == key and r["attack"] != "none"]
        one, other = (min(filter(is_one, here), key=lambda r: r["accuracy"], default=None) for is_one in (strong, weak))
        if one is None or other is None:
            continue
        judged.append(
            f"eps {key[0]:g}: {family(one)} {percent(one['accuracy'])}, {family(other)} {percent(other['accuracy'])}"
        )
        if one["accuracy"] > other["accuracy"] and _significant(one, other):
            problems.append(judged[-1])
    return Check(name, None if not judged else not problems, "; ".join(problems or judged) or "not run", advice)


def _is(name):
    return lambda row: family(row) == name


def _significant(a, b):
    """Whether two accuracies differ by more than chance would make two samples differ, at 1 %."""
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
