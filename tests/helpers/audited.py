"""Results of an audit of a made-up model: grades of every state, calibration, corruptions, attacks, pictures, scores."""

import numpy as np

import inverted
import membership_rows
from tfinv.reporting import Check, Figure, Results
from tfinv.reporting.figures.fragile import fragile_grid

N = 1000
ATTACKED = 200
TAGS = {
    "robustness": ["OWASP AISVS 11.1.3", "MITRE ATLAS AML.T0015"],
    "inversion": ["MITRE ATLAS AML.T0024.001"],
    "membership": ["OWASP AISVS 11.2.5", "MITRE ATLAS AML.T0024.000"],
}
CORRUPTIONS = {
    "gaussian_noise": 0.12,
    "motion_blur": 0.07,
    "fog": 0.09,
    "jpeg": 0.03,
    "contrast": 0.05,
    "brightness": 0.02,
}


def grade(question, rule, value, grade, **fields):
    """A graded rule; `fields` replace what it has by default."""
    row = {
        "kind": "grade",
        "experiment": "model",
        "question": question,
        "rule": rule,
        "text": rule.replace("-", " "),
        "value": value,
        "ci95": None if value is None else [value - 0.02, value + 0.02],
        "n": N,
        "format": "percent",
        "better": "higher",
        "good": 0.9,
        "fair": 0.7,
        "grade": grade,
        "spans": [] if grade is None else [grade],
        "state": "graded",
        "reason": None,
        "checks": [],
        "tags": TAGS.get(question, []),
        "gate": False,
    }
    return row | fields


def grades():
    """Rules of all six questions: good, fair, poor, not to be believed and not asked."""
    inversion = {"better": "lower", "good": 0.1, "fair": 0.3, "n": 20}
    disbelieved = {"state": "disbelieved", "reason": "not to be believed, because losses-agree failed"}
    return [
        grade("accuracy", "clean-accuracy", 0.941, "good", text="accuracy on clean images"),
        grade("calibration", "calibration-error", 0.062, "fair", better="lower", good=0.05, fair=0.15)
        | {"text": "expected calibration error", "spans": ["good", "fair"]},
        grade("corruptions", "mean-corruption", 0.823, "fair", text="mean accuracy under corruptions"),
        grade("robustness", "robust-accuracy", None, None, checks=["losses-agree"], good=0.5, fair=0.3, **disbelieved),
        grade("inversion", "recognised", 0.45, "poor", gate=True, **inversion)
        | {"text": "reconstructions that an evaluator recognises, over the start's"},
        grade("inversion", "start", 0.05, "good", **inversion),
        grade("membership", "membership-auc", None, None, state="not asked", reason="not asked: pass --members"),
    ]


def _accuracy(attack, eps, value):
    row = {"kind": "accuracy", "experiment": "model", "attack": attack, "eps": eps, "accuracy": value, "seed": 0}
    return row | {"n": N if attack == "none" else ATTACKED, "ci95": [max(0.0, value - 0.03), min(1.0, value + 0.03)]}


def rows():
    """Rows of all kinds that an audit has."""
    result = [_accuracy("none", 0.0, 0.941)]
    for attack, values in {"noise": (0.94, 0.93, 0.92), "fgsm": (0.7, 0.4, 0.2), "pgd": (0.6, 0.2, 0.01)}.items():
        result += [_accuracy(attack, eps, v) for eps, v in zip((2 / 255, 4 / 255, 8 / 255), values, strict=True)]
    measures = {"ece": 0.062, "overconfidence": 0.055, "brier": 0.11, "nll": 0.31}
    keys = {"experiment": "model", "seed": 0}
    for measure, value in measures.items():
        ci95 = [value * 0.8, value * 1.2]
        result.append({"kind": "calibration", "measure": measure, "value": value, "n": N, "ci95": ci95, **keys})
    for k in range(10):
        n, sure = (20, 50, 930)[(k >= 5) + (k >= 9)] if k else 0, k / 10 + 0.06
        right = max(0.0, sure - 0.08)
        bounds = {"low": k / 10, "high": (k + 1) / 10, "confidence": sure if n else None, "n": n}
        ci95 = [max(0.0, right - 0.1), min(1.0, right + 0.1)] if n else None
        result.append({"kind": "reliability", **bounds, "accuracy": right if n else None, "ci95": ci95, **keys})
    for name, loss in CORRUPTIONS.items():
        for severity in range(1, 6):
            value = 0.94 - loss * severity
            interval = {"n": ATTACKED, "ci95": [value - 0.05, min(1.0, value + 0.05)]}
            result.append(
                {"kind": "corruption", "corruption": name, "severity": severity, "accuracy": value, **interval, **keys}
            )
    result += [
        r for r in inverted.make_rows() if r["kind"] != "training" and r["experiment"] not in ("reversal", "shuffled")
    ]
    return [*result, *membership_rows.attack_rows(), *membership_rows.group_rows(), *grades()]


CHECKS = [
    Check(
        "losses-agree",
        False,
        "8 of 22 images fall to another loss; 22 % stood; now 14 %",
        "Run the audit with autoattack.",
    ),
    Check("input-range-and-dtype", True, "float32 from 0 to 1 in bounds 0 to 1", "Scale the images."),
    Check("scores-not-tied", None, "not run", "Pass --members."),
]


def make_results(workdir):
    """Returns the results, and writes their pictures and scores into the folder."""
    *_, images, _ = inverted.arrays()
    results = inverted.make_results(workdir)
    changed = np.clip(images + 0.1, 0, 1)
    answers = ["digit 1, 98 %"] * 4
    fragile_grid(
        images[:4], changed[:4], [f"no. {k}" for k in range(4)], answers, answers, workdir / "figures/fragile.png"
    )
    scores = membership_rows.single_scores(classes=("cat", "dog"))
    scores.write(workdir, membership_rows.images())
    fragile = Figure("fragile", "The images that fall first", "Image, perturbation, result.", "figures/fragile.png")
    config = {
        "model": "model.keras",
        "dataset": "images",
        "budget": "quick",
        "left_out": ["200 images under attack in place of 1,000"],
    }
    return Results("audit", config, rows(), list(CHECKS), [fragile, *results.figures], 240.0)
