"""Reading of result rows: names of attacks, and the text of an eps."""

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

from tfinv import specs
from tfinv.errors import UserError
from tfinv.reporting.results.results import Results
from tfinv.reporting.results.schema import check_row
from tfinv.reporting.results.summary import Row

T = TypeVar("T", bound=Hashable)

_BUDGET = re.compile(r"(?<=[(,])(eps|step_size)=(0?\.\d{5,})(?=[,)])")


def rows_of(results: Results, kind: str) -> list[dict[str, Any]]:
    """Returns the rows of one kind, each checked against the schema.

    Raises:
      UserError: a row does not follow the schema.
    """
    rows = [r for r in results.rows if r.get("kind") == kind]
    for row in rows:
        check_row(row)
    return rows


def is_artefact(row: Row) -> bool:
    """Returns whether the row reproduces a wrong measurement, and is not the classifier's accuracy."""
    return bool(row.get("artefact")) or "artefact" in str(row["attack"]).partition("(")[0]


def attack_names(rows: Sequence[Row]) -> list[str]:
    """Returns a name for each row's attack; different attacks get different names.

    An attack that ran under several norms has the norm in its name; one with several specs at the same eps has its spec, without
    the eps.
    """
    norms: dict[str, set[str]] = {}
    points: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        norms.setdefault(str(row["attack"]), set()).add(str(row.get("norm")))
        points.setdefault(_point(row), set()).add(_settings(row))
    ambiguous = {point[0] for point, settings in points.items() if len(settings) > 1}
    names = []
    for row in rows:
        attack = str(row["attack"])
        name = _settings(row) if attack in ambiguous else attack
        if attack != "none" and len(norms[attack]) > 1 and row.get("norm"):
            name += f" {row['norm']}"
        names.append("clean" if attack == "none" else name)
    return names


def epsilons(rows: Iterable[Row]) -> list[float]:
    """Returns the distinct eps of the rows, rising."""
    return sorted({r["eps"] for r in rows})


def show_eps(eps: float) -> str:
    """Returns an eps as one would type it: `0.05`, or `8/255` for a whole number of grey levels."""
    levels = eps * 255
    if eps and abs(levels - round(levels)) < 1e-6 and abs(eps * 1000 - round(eps * 1000)) > 1e-6:
        return f"{round(levels)}/255"
    return f"{eps:.4g}" if math.isfinite(eps) else str(eps)


def readable(text: str) -> str:
    """Returns a text with the eps of its specs as one would type them: `fast(eps=8/255)`, not `fast(eps=0.03137254901960784)`."""

    def replacement(match: re.Match[str]) -> str:
        eps = show_eps(float(match[2]))
        return f"{match[1]}={eps}" if "/" in eps else match[0]  # a decimal fraction would be rounded

    return _BUDGET.sub(replacement, text)


def unique(values: Iterable[T]) -> list[T]:
    """Returns the distinct values, in the order of their first appearance."""
    return list(dict.fromkeys(values))


def _point(row: Row) -> tuple[Any, ...]:
    return (str(row["attack"]), row["experiment"], row.get("norm"), row["eps"], row.get("seed"))


def _settings(row: Row) -> str:
    text = row.get("spec")
    if not isinstance(text, str):
        return str(row["attack"])
    try:
        name, arguments = specs.parse(text)
    except UserError:
        return text
    arguments.pop("eps", None)
    settings = ",".join(f"{k}={v}" for k, v in arguments.items())
    return f"{name}({settings})" if settings else name
