"""The rules of a sound evaluation (Carlini et al. 2019; Athalye et al. 2018), held against the rows.

Each function takes the rows of one experiment and seed and returns one check; docs/reading-a-report.md has a heading for each.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.attacks import PGD
from tfinv.classifier import Classifier
from tfinv.evaluation.check import Check

Row = dict[str, Any]

# A budget, as a fraction of the bounds' width, on the way to which every known model loses some images.
_LARGE = 0.2


def accuracy_falls(rows: Sequence[Row]) -> Check:
    """Accuracy must rise at no step as eps grows, and must fall on the way to a large eps."""
    problems, judged = [], []
    for attack, curve in _curves(rows, skip=("noise",)).items():
        clean = [r for r in rows if r["attack"] == "none"]
        points = sorted(clean + curve, key=lambda r: r["eps"])
        values = [r["accuracy"] for r in points]
        judged.append(f"{attack}: " + " / ".join(_percent(v) for v in values))
        eps = [r["eps"] for r in curve]
        if any(b > a + _noise(points) for a, b in itertools.pairwise(values)):
            problems.append(f"{attack} rises")
        attacked = [v for r, v in zip(points, values, strict=True) if r["attack"] != "none"]
        # A robust model may stand still between small budgets; on its way to a large one nothing does.
        if min(eps) < max(eps) >= _LARGE and attacked[0] > 0.05 and attacked[0] <= attacked[-1]:
            problems.append(f"{attack} stays flat from eps {min(eps):g} to {max(eps):g}")
    return Check(
        "accuracy-falls-with-eps",
        None if not judged else not problems,
        ("; ".join(problems) + ". " if problems else "") + "; ".join(judged),
        "A larger budget holds every smaller one, so a curve that rises or stays flat means that the attack fails, not that the "
        "model is robust. See whether the perturbation has the size it should, and try more steps, restarts and another loss.",
    )


def unbounded_reaches_zero(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, *, seed: int = 0, batch_size: int = 256
) -> Check:
    """With no budget at all, PGD must bring the accuracy to 0."""
    low, high = classifier.bounds
    attack = PGD(eps=high - low, steps=60, restarts=3)
    result = attack(classifier, images, labels, seed=seed, batch_size=batch_size)
    left = float(np.mean(~result.success))
    return Check(
        "unbounded-attack-reaches-zero",
        left == 0.0,
        f"{_percent(left)} of {len(images)} images withstand PGD ({attack.steps} steps, {attack.restarts} restarts) that may "
        "change every pixel to anything",
        "Any image can become one of another class when every pixel may change, so what is left withstands because the gradient "
        "does not lead there. Report no robust accuracy until a stronger attack (more steps, another loss, black-box) agrees.",
    )


def pgd_at_least_fgsm(rows: Sequence[Row]) -> Check:
    """An iterative attack must not be weaker than a single step."""
    return _stronger(
        rows,
        "pgd",
        "fgsm",
        "pgd-at-least-fgsm",
        "A single step is one of PGD's options. When it does better, the gradient misleads beyond the first step, or PGD's step "
        "size is wrong: try more steps, a smaller step and restarts.",
    )


def noise_weaker_than_fgsm(rows: Sequence[Row]) -> Check:
    """Random noise must not be stronger than a gradient step."""
    return _stronger(
        rows,
        "fgsm",
        "noise",
        "noise-weaker-than-fgsm",
        "Noise knows nothing of the model. When it beats FGSM, the gradient is no guide: look for masked or shattered gradients.",
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
        else f"{_percent(worst[2])} of the gradients of {worst[0]} at eps {worst[1]:g} are exactly zero (at most {_percent(most)})",
        "An attack does not move these images, and counts them as robust. Attack the logits rather than probabilities, with a loss "
        "that does not saturate (margin), and look for quantising or non-differentiable steps in the model.",
    )


def perturbation_uses_budget(rows: Sequence[Row], width: float) -> Check:
    """The largest realised perturbation must reach the budget, and not pass it."""
    problems, judged = [], []
    for row in rows:
        if row["attack"] == "none" or row.get("max_distance") is None:
            continue
        eps, moved = row["eps"] * width, row["max_distance"]
        judged.append((row["attack"], row["eps"], moved / width))
        if moved > eps * (1 + 1e-6):
            problems.append(f"{row['attack']} at eps {row['eps']:g} moved {moved / width:.4g}: outside its budget")
        elif moved < 0.5 * eps and row["accuracy"] > 0.05:
            problems.append(f"{row['attack']} at eps {row['eps']:g} moved at most {moved / width:.4g}")
    shown = "; ".join(f"{a} at {e:g}: {d:.4g}" for a, e, d in judged)
    return Check(
        "perturbation-uses-budget",
        None if not judged else not problems,
        "; ".join(problems) if problems else f"largest realised perturbation, as a fraction of the bounds: {shown}",
        "The attack ran with another eps than the one that is reported. Usual causes: eps in grey levels applied to 0..1 images or "
        "the other way round, a cast to uint8, or a budget that clipping undid.",
    )


def input_range(classifier: Classifier, images: np.ndarray) -> Check:
    """The images must fill the bounds that the classifier was declared with."""
    low, high = classifier.bounds
    least, most = float(images.min()), float(images.max())
    filled = (most - least) / (high - low)
    return Check(
        "input-range-and-dtype",
        filled >= 0.5 and images.dtype == np.float32,
        f"{images.dtype} from {least:.4g} to {most:.4g} in bounds {low:g} to {high:g}",
        "Images that use a small part of the bounds make eps mean something else than it says. Change --bounds to the range that "
        "the model was trained on.",
    )


def robustness_checks(
    rows: Sequence[Row],
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int = 0,
    batch_size: int = 256,
    unbounded_images: int = 200,
) -> list[Check]:
    """All checks of one experiment's rows of kind "accuracy".

    Args:
      rows: of one classifier and seed.
      classifier: that they are of.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      seed: of the unbounded attack.
      batch_size: examples in one compiled call.
      unbounded_images: on how many images the unbounded attack runs.
    """
    low, high = classifier.bounds
    few = slice(unbounded_images)
    return [
        accuracy_falls(rows),
        unbounded_reaches_zero(classifier, images[few], labels[few], seed=seed, batch_size=batch_size),
        pgd_at_least_fgsm(rows),
        noise_weaker_than_fgsm(rows),
        zero_gradients(rows),
        perturbation_uses_budget(rows, high - low),
        input_range(classifier, images),
    ]


def _stronger(rows, strong, weak, name, advice):
    problems, judged = [], []
    by_key: dict[tuple[str, float], Row] = {}
    for row in rows:  # of several variants of an attack the strongest counts
        key = (_family(row), row["eps"])
        if key not in by_key or row["accuracy"] < by_key[key]["accuracy"]:
            by_key[key] = row
    for (attack, eps), row in sorted(by_key.items(), key=lambda item: item[0][1]):
        other = by_key.get((weak, eps))
        if attack != strong or other is None:
            continue
        judged.append(f"eps {eps:g}: {strong} {_percent(row['accuracy'])}, {weak} {_percent(other['accuracy'])}")
        if row["accuracy"] > other["accuracy"] and _significant(row, other):
            problems.append(judged[-1])
    return Check(name, None if not judged else not problems, "; ".join(problems or judged) or "not run", advice)


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
        if row["attack"] != "none" and _family(row) not in skip:
            curves.setdefault(row["attack"], []).append(row)
    return curves


def _family(row):
    """The attack's name without its arguments: a row may be called by its spec."""
    return row["attack"].partition("(")[0]


def _percent(value):
    return f"{100 * value:.2f} %"
