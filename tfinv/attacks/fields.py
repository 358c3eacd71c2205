"""Checks of an attack's hyper-parameters."""

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any

from tfinv.errors import expected


def check_positive(attack: Any, *names: str) -> None:
    """Raises UserError unless the named fields are finite and positive; fields of type int must be integers."""
    for field in dataclasses.fields(attack):
        if field.name not in names:
            continue
        value = getattr(attack, field.name)
        integer = field.type is int
        if integer and (not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1):
            raise expected(f"{field.name} of at least 1", value, f"Change the argument `{field.name}`.")
        if not integer and not (isinstance(value, numbers.Real) and 0 < float(value) < math.inf):
            raise expected(f"a positive {field.name}", value, f"Change the argument `{field.name}`.")


def check_number(attack: Any, condition: str, predicate: Callable[[float], bool], *names: str) -> None:
    """Raises UserError unless the named fields are finite numbers that satisfy the predicate; `condition` names it."""
    for name in names:
        value = getattr(attack, name)
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and predicate(float(value))):
            raise expected(f"{name} {condition}", value, f"Change the argument `{name}`.")
