"""Required keys of result rows: checked when results are read, and again by each view."""

from collections.abc import Mapping
from typing import Any

from tfinv.errors import expected
from tfinv.reporting.results.summary import interval, is_pooled, number

_TEXTS = {
    "accuracy": ("experiment", "attack"),
    "inversion": ("experiment", "method", "measure"),
    "training": ("experiment", "metric"),
    "course": ("experiment", "method"),
    "membership": ("experiment", "attack", "measure"),
    "membership difference": ("experiment", "than", "attack", "measure"),
    "calibration": ("experiment", "measure"),
    "reliability": ("experiment",),
    "corruption": ("experiment", "corruption"),
    "grade": ("experiment", "question", "rule", "text", "state"),
    "audit difference": ("experiment", "question", "rule", "text"),
}
_NUMBERS = {
    "accuracy": ("eps",),
    "course": ("step",),
    "reliability": ("low", "high"),
    "corruption": ("severity",),
}
_OPTIONAL_TEXTS = {
    "inversion": ("budget", "evaluator", "better", "knowledge", "of"),
    "course": ("budget",),
    "membership": ("target", "threshold", "interval"),
    "grade": ("format", "better", "grade", "reason"),
}
_OPTIONAL_NUMBERS = {
    "membership": ("value", "fpr", "fpr_bound", "realised_fpr", "prior", "delta", "targets"),
    "membership difference": ("value", "targets"),
    "calibration": ("value", "n"),
    "reliability": ("confidence", "accuracy", "n"),
    "corruption": ("accuracy", "n"),
    "grade": ("value", "n", "good", "fair"),
    "audit difference": ("a", "b", "difference", "p", "n", "comparisons"),
}
_LISTS = ("spans", "checks", "tags")  # of kind "grade"


def check_row(row: Any) -> None:
    """Checks one row against the schema; rows of kinds that no view shows always pass.

    Args:
      row: as described in `tfinv.reporting.results.results`.

    Raises:
      UserError: a key of its kind is missing, or its value is of another type.
    """
    if not isinstance(row, Mapping) or not isinstance(row.get("kind"), str):
        raise expected("rows with a text as 'kind'", repr(row))
    kind = row["kind"]
    texts, numbers = _TEXTS.get(kind, ()), _NUMBERS.get(kind, ())
    missing = [k for k in (*texts, *numbers) if row.get(k) is None]
    if missing:
        raise expected(f"{', '.join(missing)} in each row of kind {kind!r}", f"a row with {', '.join(map(str, row))}")
    optional_texts = [k for k in _OPTIONAL_TEXTS.get(kind, ()) if row.get(k) is not None]
    for key in (*texts, *optional_texts):
        if not isinstance(row[key], str):
            raise expected(f"a text as {key!r} of each row", repr(row[key]))
    for key in (*numbers, *_OPTIONAL_NUMBERS.get(kind, ())):
        number(row, key)
    if kind == "course":
        _check_course(row)
    if kind == "membership":
        _check_membership(row)
    if kind in ("membership difference", "calibration", "reliability", "corruption", "grade", "audit difference"):
        interval(row)
    if kind == "grade":
        _check_grade(row)
    if kind in ("inversion", "course", "membership"):
        _check_seed(row.get("seed"))


def _check_course(row: Mapping[str, Any]) -> None:
    if row["step"] < 0:
        raise expected("a step of at least 0 in each row of kind 'course'", row["step"])
    for key in ("cost", "confidence"):
        number(row, key)
    interval(row)


def _check_membership(row: Mapping[str, Any]) -> None:
    interval(row)
    if row.get("fpr_ci95") is not None:
        interval({"ci95": row["fpr_ci95"]})
    if "targets" not in row and row.get("target") is None:
        raise expected("a target, or the number of targets, in each row of kind 'membership'", "neither")


def _check_grade(row: Mapping[str, Any]) -> None:
    for key in _LISTS:
        if not isinstance(row.get(key) or [], (list, tuple)):
            raise expected(f"a list as {key!r} of each row of kind 'grade'", repr(row[key]))


def _check_seed(seed: Any) -> None:
    single = seed is None or (isinstance(seed, int) and not isinstance(seed, bool))
    several = isinstance(seed, (list, tuple)) and seed and all(isinstance(s, int) for s in seed)
    if not single and not several and not is_pooled({"seed": seed}):
        raise expected("a whole number, a list of them, or 'all' as 'seed' of each row", repr(seed))
    if isinstance(seed, (list, tuple)) and not several:
        raise expected("whole numbers in a list as 'seed' of each row", repr(seed))
