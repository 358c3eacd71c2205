"""Checks of an attack's hyper-parameters."""

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any

from tfinv.errors import expected


def check_positive(attack: Any, *names: str) -> None:
    """Raises UserError unless the named fields are finite numbers above 0, and whole if their default is."""
    for field in dataclasses.fields(attack):
        if field.name not in names:
            continue
        value = getattr(attack, field.name)
        whole = field.type is int
        if whole and (not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1):
            raise expected(f"{field.name} of at least 1", value, f"Change the argument `{field.name}`.")
        if not whole and not (isinstance(value, numbers.Real) and 0 < float(value) < math.inf):
            raise expected(f"a positive {field.name}", value, f"Change the argument `{field.name}`.")


def check_number(attack: Any, wanted: str, allowed: Callable[[float], bool], *names: str) -> None:
    """Raises UserError unless the named fields are finite numbers of which `allowed` is true; `wanted` says it in words."""
    for name in names:
        value = getattr(attack, name)
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and allowed(float(value))):
            raise expected(f"{name} {wanted}", value, f"Change the argument `{name}`.")
