"""What each row of the results must hold: held to when results are read, and again by each view."""

from collections.abc import Mapping
from typing import Any

from tfinv.errors import expected
from tfinv.reporting.summary import interval, is_pooled, number

_TEXTS = {
    "accuracy": ("experiment", "attack"),
    "inversion": ("experiment", "method", "measure"),
    "training": ("experiment", "metric"),
    "course": ("experiment", "method"),
}
_NUMBERS = {"accuracy": ("eps",), "course": ("step",)}
_OPTIONAL_TEXTS = {"inversion": ("budget", "evaluator", "better", "knowledge", "of"), "course": ("budget",)}


def check_row(row: Any) -> None:
    """Holds one row to the schema; a row of a kind that no view shows is left alone.

    Args:
      row: as described in `tfinv.reporting.results`.

    Raises:
      UserError: it lacks what its kind needs, or has it in another form.
    """
    if not isinstance(row, Mapping) or not isinstance(row.get("kind"), str):
        raise expected("rows with a text as 'kind'", repr(row))
    kind = row["kind"]
    texts, numbers = _TEXTS.get(kind, ()), _NUMBERS.get(kind, ())
    lacking = [k for k in (*texts, *numbers) if row.get(k) is None]
    if lacking:
        raise expected(f"{', '.join(lacking)} in each row of kind {kind!r}", f"a row with {', '.join(map(str, row))}")
    told = [k for k in _OPTIONAL_TEXTS.get(kind, ()) if row.get(k) is not None]
    for key in (*texts, *told):
        if not isinstance(row[key], str):
            raise expected(f"a text as {key!r} of each row", repr(row[key]))
    for key in numbers:
        number(row, key)
    if kind == "course":
        _check_course(row)
    if kind in ("inversion", "course"):
        _check_seed(row.get("seed"))


def _check_course(row: Mapping[str, Any]) -> None:
    if row["step"] < 0:
        raise expected("a step of at least 0 in each row of kind 'course'", row["step"])
    for key in ("cost", "confidence"):
        number(row, key)
    interval(row)


def _check_seed(seed: Any) -> None:
    one = seed is None or (isinstance(seed, int) and not isinstance(seed, bool))
    several = isinstance(seed, (list, tuple)) and seed and all(isinstance(s, int) for s in seed)
    if not one and not several and not is_pooled({"seed": seed}):
        raise expected("a whole number, a list of them, or 'all' as 'seed' of each row", repr(seed))
    if isinstance(seed, (list, tuple)) and not several:
        raise expected("whole numbers in a list as 'seed' of each row", repr(seed))
