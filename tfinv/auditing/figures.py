"""Figures of an audit: the value, interval and size that a rule reads from the rows."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfinv.auditing.rule import CLEAN_IMAGES, JUDGED, STRONGEST, Rule
from tfinv.evaluation.statistics.measurement import REFERENCE
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import is_artefact, show_eps
from tfinv.reporting.results.summary import Row, interval, number
from tfinv.reporting.tables.membership import curve_rows

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Figure:
    """Value of a rule.

    Attributes:
      value: in the unit of the thresholds.
      ci95: its interval, or None.
      n: number of examples.
      words: what stands in braces in the rule's text.
      limit: why a good figure says less than it could, as a clause; None for no reason.
    """

    value: float
    ci95: Interval | None
    n: int | None
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    limit: str | None = None


def figure(rule: Rule, results: Results) -> Figure | None:
    """Returns the figure that a rule reads, or None where no row has it.

    Of several attacks the most alarming counts, for an attacker chooses; this leans towards the worse grade by chance, too.

    Args:
      rule: of a policy.
      results: of an audit.
    """
    return _READERS[rule.kind](rule, results)


def _accuracy(rule: Rule, results: Results) -> Figure | None:
    rows = [row for row in results.rows_of("accuracy") if not is_artefact(row) and number(row, "accuracy") is not None]
    row, words = _clean(rows), dict[str, str]()
    if rule.attack != CLEAN_IMAGES:
        eps = results.config.get("eps") if rule.eps == JUDGED else rule.eps
        if not isinstance(eps, (int, float)):
            return None
        rows = [r for r in rows if r["attack"] != CLEAN_IMAGES and math.isclose(r["eps"], eps, rel_tol=1e-6)]
        row = _chosen(rule, rows, "accuracy")
        words = {"eps": show_eps(eps), "attack": "" if row is None else str(row["attack"])}
    if row is None:
        return None
    value = Figure(row["accuracy"], interval(row), row.get("n"), words)
    if rule.over == "chance":
        return _over_chance(value, _guess(row, results))
    return _share(value, _clean(results.rows_of("accuracy"))) if rule.over == "clean" else value


def _calibration(rule: Rule, results: Results) -> Figure | None:
    rows = [row for row in results.rows_of("calibration") if row["measure"] == rule.measure]
    return _of_row(_worst(rule, rows, "value"))


def _corruption(rule: Rule, results: Results) -> Figure | None:
    rows = [row for row in results.rows_of("corruption") if number(row, "accuracy") is not None]
    if not rows:
        return None
    # All rows are of the same images, so the mean of their intervals is the widest that the mean's can be.
    bounds = [b for row in rows if (b := interval(row)) is not None]
    low, high = (statistics.fmean(end) for end in zip(*bounds, strict=True)) if len(bounds) == len(rows) else (0.0, 1.0)
    mean = Figure(statistics.fmean(row["accuracy"] for row in rows), (low, high), rows[0].get("n"))
    return _share(mean, _clean(results.rows_of("accuracy"))) if rule.over == "clean" else mean


def _inversion(rule: Rule, results: Results) -> Figure | None:
    """The value of each method is that of its second most convinced evaluator: a single one may be deceived."""
    rows = [row for row in results.rows_of("inversion") if row["method"] != REFERENCE]
    starts = {_key(row): row for row in rows if row["measure"] == f"start_{rule.measure}"}
    by_method: dict[str, list[Figure]] = {}
    for row in rows:
        value = _of_row(row) if row["measure"] == rule.measure else None
        if rule.over == "start" and value is not None:
            start = _of_row(starts.get(_key(row)))
            value = start and _difference(value, start)
        if value is not None and rule.attack in (STRONGEST, row["method"]):
            by_method.setdefault(row["method"], []).append(value)
    seconds = [
        dataclasses.replace(sorted(values, key=lambda v: -v.value)[:2][-1], words={"attack": method})
        for method, values in by_method.items()
    ]
    return max(seconds, key=lambda v: v.value, default=None)


def _membership(rule: Rule, results: Results) -> Figure | None:
    rows = curve_rows(results.rows_of("membership"))
    if rule.measure == "tpr":
        rows = [r for r in rows if r["measure"].startswith("tpr@") and math.isclose(r.get("fpr") or 0, rule.fpr or 0)]
    else:
        rows = [r for r in rows if r["measure"] == rule.measure]
    row = _chosen(rule, rows, "value")
    value = _of_row(row)
    if row is None or value is None:
        return None
    weak = any(r.get("shadows") == 0 for r in rows)
    limit = "no attack had shadow models, and those that have find more" if weak else None
    return dataclasses.replace(value, words={"attack": str(row["attack"])}, limit=limit)


_READERS: Mapping[str, Callable[[Rule, Results], Figure | None]] = {
    "accuracy": _accuracy,
    "calibration": _calibration,
    "corruption": _corruption,
    "inversion": _inversion,
    "membership": _membership,
}


def _chosen(rule: Rule, rows: Sequence[Row], key: str) -> Row | None:
    """The row of the rule's attack: the one with the most alarming value, or that of a name."""
    return _worst(rule, [row for row in rows if rule.attack in (STRONGEST, str(row["attack"]))], key)


def _worst(rule: Rule, rows: Sequence[Row], key: str) -> Row | None:
    sign = 1 if rule.better == "higher" else -1
    return min((r for r in rows if number(r, key) is not None), key=lambda r: sign * r[key], default=None)


def _of_row(row: Row | None) -> Figure | None:
    value = None if row is None else number(row, "value")
    return None if row is None or value is None else Figure(value, interval(row), row.get("n"))


def _clean(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row["attack"] == CLEAN_IMAGES), None)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(repr(row.get(key)) for key in ("experiment", "method", "evaluator", "seed", "budget"))


def _guess(row: Row, results: Results) -> float:
    """Accuracy of guessing: the share of the most frequent class, or one in so many classes where that is not known."""
    classes = results.environment.get("classes")
    return number(row, "chance") or (1 / len(classes) if isinstance(classes, list) and len(classes) > 1 else 0.0)


def _over_chance(value: Figure, chance: float) -> Figure | None:
    if chance >= 1:
        return None
    return _mapped(value, lambda share: (share - chance) / (1 - chance))


def _share(value: Figure, clean: Row | None) -> Figure | None:
    """A share of the accuracy on clean images; the ends of its interval take both as independent, at their worst."""
    whole = None if clean is None else number(clean, "accuracy")
    if clean is None or not whole:
        return None
    bounds = interval(clean)
    ci95 = None
    if value.ci95 is not None and bounds is not None and bounds[0] > 0:
        ci95 = value.ci95[0] / bounds[1], value.ci95[1] / bounds[0]
    return dataclasses.replace(value, value=value.value / whole, ci95=ci95)


def _difference(value: Figure, start: Figure) -> Figure:
    """A difference of two rates, with Newcombe's interval (1998, method 10), which takes them as independent."""
    gap, ci95 = value.value - start.value, None
    if value.ci95 is not None and start.ci95 is not None:
        low = gap - math.hypot(value.value - value.ci95[0], start.ci95[1] - start.value)
        high = gap + math.hypot(value.ci95[1] - value.value, start.value - start.ci95[0])
        ci95 = low, high
    return dataclasses.replace(value, value=gap, ci95=ci95)


def _mapped(value: Figure, function: Callable[[float], float]) -> Figure:
    ci95 = None if value.ci95 is None else (function(value.ci95[0]), function(value.ci95[1]))
    return dataclasses.replace(value, value=function(value.value), ci95=ci95)
