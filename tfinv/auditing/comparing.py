"""Comparison of two audits of the same images: before and after a defence, a quantisation or a release."""

import csv
import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv import paths
from tfinv.auditing.records import CSV
from tfinv.errors import expected
from tfinv.evaluation.statistics.paired import Difference, bootstrap_medians, mcnemar, unpaired
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import show_eps
from tfinv.reporting.results.summary import interval

# Settings of which a difference would make another comparison; and what is of the model itself.
_SAME = ("eps", "budget", "split", "seed")
_OF_THE_MODEL = "model_contents"


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """One audit.

    Attributes:
      results: of its folder.
      records: columns of its table of images, as texts, by (split, index).
    """

    results: Results
    records: Mapping[tuple[str, str], Mapping[str, str]]

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "Side":
        """Reads a folder.

        Raises:
          UserError: it is not of an audit, or its table of images is missing.
        """
        results = Results.read(folder)
        if results.command != "audit":
            raise expected("the workdir of an audit", f"{folder} of tfinv {results.command}", "Change the folder.")
        try:
            with open(paths.expand(folder) / CSV, encoding="utf-8", newline="") as file:
                lines = list(csv.DictReader(file))
        except OSError as error:
            raise expected(f"an audit's {CSV}", f"{folder} without it", "Run the audit again.") from error
        return cls(results, {(line.get("split", ""), line.get("index", "")): line for line in lines})

    @property
    def grades(self) -> dict[str, dict[str, Any]]:
        """Rows of kind "grade" by rule."""
        return {row["rule"]: row for row in self.results.rows_of("grade")}


def compare(a: str | os.PathLike, b: str | os.PathLike) -> Results:
    """Compares two audits, rule by rule, and image by image where the table of images has the answer.

    Clean and robust accuracy have McNemar's exact test, the smallest eps a paired bootstrap of the medians. The other rules have
    the difference of two figures with intervals, as if they were of other images, which is wider than need be.

    Args:
      a: workdir of the earlier audit.
      b: of the later one.

    Returns:
      Results with rows of kind "audit difference" (question, rule, text, a, b, difference, ci95, p, n, test, better, format,
      comparisons, reason), and the failed checks of both.

    Raises:
      UserError: a folder is not of an audit, or the two have other images, eps, budget, split or seed.
    """
    before, after = Side.read(a), Side.read(b)
    _check_same(before.results.config, after.results.config)
    rows = [row for rule in before.grades if (row := _rule_row(rule, before, after)) is not None]
    rows += _eps_row(before, after)
    comparisons = sum(row["p"] is not None for row in rows)
    config = {"a": os.fspath(a), "b": os.fspath(b)}
    for side, letter in ((before, "a"), (after, "b")):
        config |= {f"{key} of {letter}": side.results.config.get(key) for key in ("model", _OF_THE_MODEL, "policy")}
    config |= {key: before.results.config.get(key) for key in ("dataset", *_SAME)}
    checks = [
        dataclasses.replace(check, name=f"{check.name} ({letter})")
        for side, letter in ((before, "a"), (after, "b"))
        for check in side.results.checks
        if check.passed is False
    ]
    return Results("compare", config, [row | {"comparisons": comparisons} for row in rows], checks)


def _check_same(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    contents = sorted({key for key in (*a, *b) if key.endswith("_contents") and key != _OF_THE_MODEL})
    for key in (*contents, *_SAME):
        if a.get(key) != b.get(key):
            name = key.removesuffix("_contents").replace("_", " ")
            values = "other contents" if key in contents else f"{a.get(key)} and {b.get(key)}"
            raise expected(f"two audits of the same {name}", values, "Audit both with the same flags but for --model.")


def _rule_row(rule: str, before: Side, after: Side) -> dict[str, Any] | None:
    rows = [side.grades.get(rule) for side in (before, after)]
    first, second = rows
    if first is None or second is None:
        return None
    head = _head(first, rule, first["text"])
    doubts = [f"{name}: {row['reason']}" for name, row in (("a", first), ("b", second)) if row["state"] != "graded"]
    if doubts:
        return head | _values(None, None, None, "; ".join(doubts))
    paired = _paired(first, before, after)
    if paired is not None:
        text, hits = paired
        return head | {"text": text} | _values(float(hits[0].mean()), float(hits[1].mean()), mcnemar(*hits), None)
    bounds = [interval(row) for row in (first, second)]
    difference = unpaired((first["value"], bounds[0]), (second["value"], bounds[1]))
    n = min((row["n"] for row in (first, second) if row.get("n")), default=None)
    return head | _values(first["value"], second["value"], dataclasses.replace(difference, n=n), None)


def _paired(row: Mapping[str, Any], before: Side, after: Side) -> tuple[str, tuple[np.ndarray, np.ndarray]] | None:
    """The text of the count, and for each image whether it was right, in both audits; None for a rule that has no such count."""
    split, eps = str(before.results.config.get("split")), before.results.config.get("eps")
    if row["question"] == "accuracy":
        columns = _columns(before, after, split, ("label", "prediction"))
        hits = [np.array([label == prediction for label, prediction in side], bool) for side in columns]
        text = "accuracy on clean images"
    elif row["question"] == "robustness" and isinstance(eps, (int, float)):
        columns = _columns(before, after, split, ("smallest_eps", "fooled_by"))
        hits = [np.array([_number(value) > eps * (1 + 1e-6) for value, _ in side], bool) for side in columns]
        text = f"images that withstand every attack at eps {show_eps(eps)}"
    else:
        return None
    return (text, (hits[0], hits[1])) if len(hits[0]) else None


def _eps_row(before: Side, after: Side) -> list[dict[str, Any]]:
    split = str(before.results.config.get("split"))
    rules = [side.grades.get("robust-accuracy") for side in (before, after)]
    if any(row is None or row["state"] != "graded" for row in rules):
        return []
    columns = _columns(before, after, split, ("smallest_eps",))
    a, b = (np.array([_number(value) for (value,) in side], float) for side in columns)
    difference = bootstrap_medians(a, b) if len(a) else None
    if difference is None:
        return []
    text = "median of the smallest eps that fools an image, by any attack"
    row = {"question": "robustness", "better": "higher", "format": "number"}
    return [_head(row, "smallest-eps", text) | _values(float(np.median(a)), float(np.median(b)), difference, None)]


def _columns(before: Side, after: Side, split: str, names: tuple[str, ...]) -> list[list[tuple[str, ...]]]:
    """The columns of both for the images that both have, in one order. Those that a question did not reach are left out."""

    def has(side: Side, key: tuple[str, str]) -> bool:
        line = side.records.get(key, {})
        # A question that says nothing of an image leaves its label empty or -1; those under attack are the first of the split.
        answered = all(line.get(name, "") not in ("", "-1") for name in ("label", "prediction"))
        return answered and all(name in line for name in names)

    keys = [key for key in before.records if key[0] == split and has(before, key) and has(after, key)]
    if "smallest_eps" in names:
        keys = keys[: min(_attacked(side) for side in (before, after))]
    return [[tuple(side.records[key][name] for name in names) for key in keys] for side in (before, after)]


def _attacked(side: Side) -> int:
    """Number of images under attack, the first of the split."""
    rows = [r for r in side.results.rows_of("accuracy") if r["attack"] != "none"]
    return max((int(r["n"]) for r in rows), default=0)


def _number(text: str) -> float:
    """A number of the table; an empty field, of an image that withstood everything, is infinite."""
    return float(text) if text else math.inf


def _head(row: Mapping[str, Any], rule: str, text: str) -> dict[str, Any]:
    keys = {key: row.get(key) for key in ("question", "better", "format")}
    return {"kind": "audit difference", "experiment": "b less a", "rule": rule, "text": text, **keys}


def _values(a: float | None, b: float | None, difference: Difference | None, reason: str | None) -> dict[str, Any]:
    if difference is None:
        return {"a": a, "b": b, "difference": None, "ci95": None, "p": None, "n": None, "test": None, "reason": reason}
    ci95 = None if difference.ci95 is None else list(difference.ci95)
    values = {
        "difference": difference.value,
        "ci95": ci95,
        "p": difference.p,
        "n": difference.n,
        "test": difference.test,
    }
    return {"a": a, "b": b, **values, "reason": reason}
