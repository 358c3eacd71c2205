"""Reading rows of results: which attack is which, and how an eps is written."""

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

from tfinv import specs
from tfinv.errors import UserError
from tfinv.reporting.results import Results
from tfinv.reporting.schema import check_row
from tfinv.reporting.summary import Row

T = TypeVar("T", bound=Hashable)

_BUDGET = re.compile(r"(?<=[(,])(eps|step_size)=(0?\.\d{5,})(?=[,)])")


def rows_of(results: Results, kind: str) -> list[dict[str, Any]]:
    """The rows of one kind, each held to the schema.

    Raises:
      UserError: a row lacks what the schema says.
    """
    rows = [r for r in results.rows if r.get("kind") == kind]
    for row in rows:
        check_row(row)
    return rows


def is_artefact(row: Row) -> bool:
    """Whether the row shows what a wrong measurement would print, rather than the classifier's accuracy."""
    return bool(row.get("artefact")) or "artefact" in str(row["attack"]).partition("(")[0]


def attack_names(rows: Sequence[Row]) -> list[str]:
    """A name for each row's attack, in which attacks of the same name differ if they are not the same.

    The norm is added where one attack ran under several, the spec without its eps where two specs met at the
    same point.
    """
    norms: dict[str, set[str]] = {}
    points: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        norms.setdefault(str(row["attack"]), set()).add(str(row.get("norm")))
        points.setdefault(_point(row), set()).add(_settings(row))
    several = {point[0] for point, settings in points.items() if len(settings) > 1}
    names = []
    for row in rows:
        attack = str(row["attack"])
        name = _settings(row) if attack in several else attack
        if attack != "none" and len(norms[attack]) > 1 and row.get("norm"):
            name += f" {row['norm']}"
        names.append("clean" if attack == "none" else name)
    return names


def epsilons(rows: Iterable[Row]) -> list[float]:
    """The different eps of the rows, in rising order."""
    return sorted({r["eps"] for r in rows})


def show_eps(eps: float) -> str:
    """An eps as one would type it: `0.05`, or `8/255` where it is a whole number of grey levels."""
    levels = eps * 255
    if eps and abs(levels - round(levels)) < 1e-6 and abs(eps * 1000 - round(eps * 1000)) > 1e-6:
        return f"{round(levels)}/255"
    return f"{eps:.4g}" if math.isfinite(eps) else str(eps)


def readable(text: str) -> str:
    """A text with the grey levels of its text forms as one types them: `fast(eps=8/255)`, not `fast(eps=0.03137254901960784)`."""

    def typed(found: re.Match[str]) -> str:
        eps = show_eps(float(found[2]))
        return f"{found[1]}={eps}" if "/" in eps else found[0]  # else it would be rounded

    return _BUDGET.sub(typed, text)


def unique(values: Iterable[T]) -> list[T]:
    """The different values, in the order in which each first appears."""
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
    shown = ",".join(f"{k}={v}" for k, v in arguments.items())
    return f"{name}({shown})" if shown else name
