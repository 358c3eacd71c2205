"""The text form of an attack, a method or an architecture: `pgd(eps=8/255,steps=40,restarts=5)`."""

import ast
import collections.abc
import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from tfinv.errors import expected


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Parses a spec into its name and arguments.

    Args:
      text: `name` or `name(key=value,...)`. A value is a number, a fraction such as 8/255, True, False, None,
        a quoted string, or a bare word, which is a string; inf is infinity. Several of them in parentheses are a tuple.

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


def parse_list(text: str, separator: str = ",") -> list[str]:
    """Splits `fgsm,pgd(eps=.1,steps=5)` at the commas, or another character, outside parentheses.

    Raises:
      UserError: a parenthesis has no other.
    """
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text + separator):
        depth += (c == "(") - (c == ")")
        if depth < 0:
            break
        if c == separator and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    if depth:
        raise expected("as many closing parentheses as opening ones", repr(text), "Check the list.")
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
    name, given = read(registry, text)
    cls = registry[name]
    return cls(**{k: v for k, v in defaults.items() if k in _arguments(cls)} | given)


def read(registry: Mapping[str, Callable[..., Any]], text: str, hint: str = "") -> tuple[str, dict[str, Any]]:
    """Parses a spec and holds it to what it names, which is not called.

    Args:
      registry: name to dataclass or function. What a function has no default for is its caller's to pass, and no argument of
        the spec.
      text: see `parse`.
      hint: what to change, for the errors.

    Returns:
      The name and the arguments that were given.

    Raises:
      UserError: unknown name, unknown argument, or a value of another type.
    """
    name, given = parse(text)
    if name not in registry:
        raise expected(f"one of {', '.join(sorted(registry))}", repr(name), hint)
    known = _arguments(registry[name])
    unknown = sorted(set(given) - set(known))
    if unknown:
        among = f"arguments of {name} among {', '.join(sorted(known))}" if known else f"no arguments of {name}"
        raise expected(among, ", ".join(unknown), hint)
    for key, value in given.items():
        if not _fits(value, known[key].annotation):
            raise expected(f"{key} of {name} as {_wanted(known[key].annotation)}", repr(value), hint)
    return name, given


def normal(registry: Mapping[str, Callable[..., Any]], text: str, hint: str = "") -> str:
    """The shortest form of a spec: no spaces, no argument that has its default, the others in the order of the definition.

    Raises:
      UserError: see `read`.
    """
    name, given = read(registry, text, hint)
    known = _arguments(registry[name])
    return written(name, {k: given[k] for k in known if k in given and given[k] != known[k].default})


def show(name: str, value: Any) -> str:
    """The text form of a dataclass called `name`, with every field that differs from its default."""
    fields = [f for f in dataclasses.fields(value) if f.init]
    return written(name, {f.name: v for f in fields if (v := getattr(value, f.name)) != f.default})


class _Argument(typing.NamedTuple):
    annotation: Any
    default: Any


def _arguments(made: Callable[..., Any]) -> dict[str, _Argument]:
    """What a spec may give, in the order of the definition."""
    if dataclasses.is_dataclass(made):
        return {f.name: _Argument(f.type, f.default) for f in dataclasses.fields(made) if f.init}
    parameters = inspect.signature(made).parameters.values()
    return {p.name: _Argument(p.annotation, p.default) for p in parameters if p.default is not p.empty}


def written(name: str, arguments: Mapping[str, Any]) -> str:
    """The text form of a name with these arguments, all of them."""
    return name + (f"({','.join(f'{k}={_shown(v)}' for k, v in arguments.items())})" if arguments else "")


def _shown(value: Any) -> str:
    """A word as it is, and any other string quoted, so that it is read back."""
    if isinstance(value, tuple):
        return f"({','.join(map(_shown, value))}{',' * (len(value) == 1)})"
    quoted = isinstance(value, str) and (not value.isidentifier() or value in ("None", "True", "False", "inf"))
    return repr(value) if quoted else str(value)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _is_sequence(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, collections.abc.Sequence)


def _fits(value: Any, annotation: Any) -> bool:
    return any(_is(value, kind) for kind in _kinds(annotation))


def _is(value: Any, kind: Any) -> bool:
    if _is_sequence(kind):
        return isinstance(value, tuple) and all(_fits(item, typing.get_args(kind)[0]) for item in value)
    if kind in (Any, inspect.Parameter.empty) or not isinstance(kind, type):  # nothing to check against
        return True
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (isinstance(value, int) and kind is float)


def _wanted(annotation: Any) -> str:
    return " or ".join(
        f"({_wanted(typing.get_args(kind)[0])}, ...)"
        if _is_sequence(kind)
        else "None"
        if kind is types.NoneType
        else kind.__name__
        for kind in _kinds(annotation)
    )


def _value(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.Tuple(elts=items):
            return tuple(_value(item, text) for item in items)
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
    raise expected("a number, a fraction, a word, a quoted string or a tuple of them as each value", repr(text))
