"""The text form of an attack or a method: `pgd(eps=8/255,steps=40,restarts=5)`."""

import ast
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from tfinv.errors import expected


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Parses a spec into its name and arguments.

    Args:
      text: `name` or `name(key=value,...)`. A value is a number, a fraction such as 8/255, True, False, None,
        a quoted string, or a bare word, which is a string; inf is infinity.

    Raises:
      UserError: the text is not such a spec.
    """
    hint = "Write it like pgd(eps=8/255,steps=40)."
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise expected("a spec", repr(text), hint) from error
    if isinstance(node, ast.Name):
        return node.id, {}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)) or node.args:
        raise expected("a name with named arguments", repr(text), hint)
    names = [str(k.arg) for k in node.keywords]
    if len(set(names)) < len(names):
        raise expected("each argument once", repr(text), hint)
    return node.func.id, {name: _value(k.value, text) for name, k in zip(names, node.keywords, strict=True)}


def parse_list(text: str) -> list[str]:
    """Splits `fgsm,pgd(eps=.1,steps=5)` at the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text + ","):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [p for p in parts if p]


def parse_number(text: str) -> float:
    """A number or a fraction: `0.1`, `8/255`."""
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body, text)
    except SyntaxError as error:
        raise expected("a number or a fraction", repr(text)) from error
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise expected("a number or a fraction", repr(text))
    return value


def build(registry: Mapping[str, type], text: str, **defaults: Any) -> Any:
    """Makes the dataclass that `text` names.

    Args:
      registry: name to dataclass.
      text: see `parse`.
      **defaults: values for fields that `text` leaves out; those that the class lacks are ignored.

    Raises:
      UserError: unknown name, unknown argument, a value of another type, or one that the class refuses.
    """
    name, given = parse(text)
    if name not in registry:
        raise expected(f"one of {', '.join(sorted(registry))}", repr(name))
    cls = registry[name]
    fields = {f.name: f.type for f in dataclasses.fields(cls) if f.init}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise expected(f"arguments of {name} among {', '.join(sorted(fields))}", ", ".join(unknown))
    for key, value in given.items():
        kinds = typing.get_args(fields[key]) or (fields[key],)
        if not _fits(value, kinds):
            wanted = " or ".join("None" if k is types.NoneType else k.__name__ for k in kinds)
            raise expected(f"{key} of {name} as {wanted}", repr(value))
    return cls(**{k: v for k, v in defaults.items() if k in fields} | given)


def show(name: str, value: Any) -> str:
    """The text form of a dataclass called `name`, with every field that differs from its default."""
    changed = [
        f"{f.name}={_shown(getattr(value, f.name))}"
        for f in dataclasses.fields(value)
        if f.init and getattr(value, f.name) != f.default
    ]
    return name + (f"({','.join(changed)})" if changed else "")


def _shown(value: Any) -> str:
    """A word as it is, and any other string quoted, so that it is read back."""
    quoted = isinstance(value, str) and (not value.isidentifier() or value in ("None", "True", "False", "inf"))
    return repr(value) if quoted else str(value)


def _fits(value: Any, kinds: tuple[Any, ...]) -> bool:
    if not all(isinstance(k, type) for k in kinds):  # a type that no spec can be checked against
        return True
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _value(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.Name(id="inf"):
            return math.inf
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _value(operand, text)
            if isinstance(positive, (int, float)):
                return -positive
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            top, bottom = _value(left, text), _value(right, text)
            if isinstance(top, (int, float)) and isinstance(bottom, (int, float)) and bottom:
                return top / bottom
    raise expected("a number, a fraction, a word or a quoted string as each value", repr(text))
