"""Hand-made results of an audit: every question answered, with figures that are easy to grade."""

from tfinv.evaluation.check import Check
from tfinv.reporting import Results

EPS = 8 / 255
ATTACK = "apgdt(steps=30)"


def check(name, passed=True):
    return Check(name, passed, f"evidence of {name}", f"advice of {name}")


def question(name, state="asked", reason=None):
    return {
        "kind": "question",
        "experiment": "model",
        "question": name,
        "state": state,
        "reason": reason,
        "seconds": 1.0,
    }


def accuracy(value, attack="none", eps=0.0, n=200, **keys):
    row = {
        "kind": "accuracy",
        "experiment": "model",
        "attack": attack,
        "eps": eps,
        "accuracy": value,
        "n": n,
        "seed": 0,
    }
    return row | {"ci95": [max(0.0, value - 0.05), min(1.0, value + 0.05)]} | keys


def calibration(value, measure="ece"):
    row = {"kind": "calibration", "experiment": "model", "measure": measure, "value": value, "n": 200, "seed": 0}
    return row | {"ci95": [value - 0.02, value + 0.02]}


def corruption(value, name="noise", severity=1):
    row = {"kind": "corruption", "experiment": "model", "corruption": name, "severity": severity, "accuracy": value}
    return row | {"n": 200, "seed": 0, "ci95": [value - 0.05, value + 0.05]}


def inversion(value, evaluator, method="gradient", measure="acc@1"):
    row = {
        "kind": "inversion",
        "experiment": "model",
        "method": method,
        "budget": "steps",
        "measure": measure,
        "seed": 0,
    }
    return row | {"value": value, "n": 20, "evaluator": evaluator, "ci95": [max(0, value - 0.1), min(1, value + 0.1)]}


def membership(value, measure="auc", attack="loss", **keys):
    row = {
        "kind": "membership",
        "experiment": "model",
        "target": "model",
        "attack": attack,
        "measure": measure,
        "seed": 0,
    }
    return row | {"value": value, "n": 10_000, "ci95": [value - 0.002, value + 0.002], "threshold": "curve"} | keys


def audit(*changes, checks=(), without=()):
    """Returns results of a model that is good at everything; `changes` are rows in addition, `without` kinds to leave out."""
    rows = [
        *map(question, ("accuracy", "calibration", "corruptions", "robustness", "inversion", "membership")),
        accuracy(0.91, chance=0.1, n=1000),
        calibration(0.01),
        *(corruption(value, severity=k + 1) for k, value in enumerate((0.9, 0.86))),
        accuracy(0.7, ATTACK, EPS),
        accuracy(0.3, "pgd", 2 * EPS),
        *(inversion(value, name, measure=m) for name, a, b in (("cnn", 0.3, 0.25), ("mlp", 0.4, 0.4))
          for m, value in (("acc@1", a), ("start_acc@1", b))),
        membership(0.51),
        membership(0.012, "tpr@1%", fpr=0.01),
        membership(0.002, "tpr@0.1%", fpr=0.001),
    ]  # fmt: skip
    rows = [row for row in rows if row["kind"] not in without]
    passed = [check(name) for name in ("losses-agree", "zero-gradients", "members-disjoint", "null-target-at-chance")]
    failing = {c.name for c in checks}
    config = {
        "model": "model.keras",
        "dataset": "digits",
        "split": "test",
        "eps": EPS,
        "budget": "quick",
        "policy": "p",
    }
    results = Results("audit", config, [*rows, *changes], [*(c for c in passed if c.name not in failing), *checks])
    results.environment["classes"] = list("0123456789")
    return results
