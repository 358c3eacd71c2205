"""Rows and scores of membership attacks, made by hand."""

import numpy as np

from tfinv.reporting.results.scores import Scores

# Members come first. AUC 13/16; TPR .5 at an FPR of 0, .75 at .25, 1 at .5.
LIRA = (0.9, 0.8, 0.7, 0.2, 0.75, 0.3, 0.1, 0.1)
# Ties: no threshold between FPRs of 0 and .5.
GAP = (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0)
MEMBERS = (True,) * 4 + (False,) * 4
LABELS = (0, 1, 0, 1, 0, 1, 0, 1)


def row(measure, value, low=None, high=None, **keys):
    """A row of one attack on one target."""
    shared = {"kind": "membership", "experiment": "model", "attack": "lira", "seed": 0, "target": "model"}
    sizes = {"n": 3000, "members": 1000, "nonmembers": 2000}
    ci95 = None if low is None else [low, high]
    return shared | sizes | {"measure": measure, "value": value, "ci95": ci95} | keys


def attack_rows(attack="lira", shift=0.0, **keys):
    """All measures of an attack, and those of a target whose figures lie `shift` higher."""
    keys = {"attack": attack} | keys
    curve, shadows = ({"threshold": t} for t in ("curve", "shadows"))
    rows = [
        row("auc", 0.8125 + shift, 0.79, 0.83, interval="DeLong"),
        row("advantage", 0.5 + shift, 0.45, 0.55, interval="Kolmogorov-Smirnov"),
        row("tpr@1%", 0.205 + shift, 0.18, 0.23, fpr=0.01, interval="bootstrap", **curve),
        row("precision@1%", 0.9535, 0.9474, 0.9583, fpr=0.01, prior=0.5, **curve),
        row("precision@1%", 0.1716, 0.1538, 0.1885, fpr=0.01, prior=0.01, **curve),
        row("tpr@1%", 0.198, 0.175, 0.224, fpr=0.01, realised_fpr=0.0123, fpr_ci95=[0.0086, 0.0184], **shadows),
        row("tpr@0.1%", 0.0067 + shift, 0.001, 0.0142, fpr=0.001, interval="order statistics", **curve),
        row("tpr@0%", 0.004, 0.0011, 0.0102, fpr=0.0, interval="Clopper-Pearson", fpr_bound=0.00149676, **curve),
        row("epsilon", 1.25 + shift, delta=0.0),
    ]
    return [r | keys for r in rows]


def pooled_row(measure, value, low, high, **keys):
    """A row over 34 targets of one seed."""
    keys = {"seed": [0], "targets": 34, "interval": "Student", "members": 34000, "nonmembers": 68000} | keys
    pooled = row(measure, value, low, high, **keys)
    del pooled["target"]
    return pooled


def group_rows():
    """Measures of two classes."""
    keys = {"comparisons": 2, "members": 100, "nonmembers": 200, "seed": 0}
    rows = []
    for name, value in (("cat", 0.9), (7, 0.6)):
        rows += [
            row("auc", value, value - 0.05, value + 0.05, group=name, **keys),
            row("tpr@1%", value / 2, 0.1, 0.5, group=name, fpr=0.01, threshold="group", **keys),
            row("tpr@1%", value / 3, 0.1, 0.4, group=name, fpr=0.01, threshold="curve", **keys),
        ]
    return rows


def single_scores(**fields):
    """Two attacks on one target."""
    values = {"attacks": ("lira", "gap"), "scores": np.array([LIRA, GAP]), "members": np.array(MEMBERS)}
    return Scores(**values | {"labels": np.array(LABELS)} | fields)


def paired_scores(attacks=("lira",), **fields):
    """Attacks on two targets, the second trained on the others, whose members score as those of the first."""
    members = np.array([MEMBERS, MEMBERS[::-1]])
    scores = np.array([[LIRA, LIRA[::-1]]] * len(attacks))
    return Scores(attacks, scores, members, np.array(LABELS), **fields)


def images():
    """Grey images, of the levels 0, .1, ..., .7, but for the last, which is that of the first."""
    levels = np.array([0, 1, 2, 3, 4, 5, 6, 0], np.float32) / 10
    return np.broadcast_to(levels[:, None, None, None], (8, 4, 4, 1)).copy()
