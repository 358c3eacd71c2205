"""Specs, the text form of attacks, methods and architectures: `pgd(eps=8/255,steps=40,restarts=5)`."""

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
        a quoted string, a bare word, which is a string, or inf, which is infinity. Values in parentheses are a tuple.

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
      UserError: the parentheses are unbalanced.
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
    """Parses a number or a fraction: `0.1`, `8/255`."""
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body, text)
    except SyntaxError as error:
        raise expected("a number or a fraction", repr(text)) from error
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise expected("a number or a fraction", repr(text))
    return value


def build(registry: Mapping[str, type], text: str, **defaults: Any) -> Any:
    """Creates an instance of the dataclass that a spec names.

    Args:
      registry: name to dataclass.
      text: see `parse`.
      **defaults: values for fields that `text` leaves out; fields that the class lacks are ignored.

    Raises:
      UserError: unknown name, unknown argument, a value of another type, or a value that the class refuses.
    """
    name, arguments = read(registry, text)
    cls = registry[name]
    return cls(**{k: v for k, v in defaults.items() if k in _parameters(cls)} | arguments)


def read(registry: Mapping[str, Callable[..., Any]], text: str, hint: str = "") -> tuple[str, dict[str, Any]]:
    """Parses a spec and checks its arguments against the signature of the class or function that it names, without calling it.

    Args:
      registry: name to dataclass or function. Parameters of a function without a default are passed by its caller, and are not
        arguments of the spec.
      text: see `parse`.
      hint: what to change, for the errors.

    Returns:
      The name and the arguments in the spec.

    Raises:
      UserError: unknown name, unknown argument, or a value of another type.
    """
    name, arguments = parse(text)
    if name not in registry:
        raise expected(f"one of {', '.join(sorted(registry))}", repr(name), hint)
    parameters = _parameters(registry[name])
    unknown = sorted(set(arguments) - set(parameters))
    if unknown:
        names = ", ".join(sorted(parameters))
        expectation = f"arguments of {name} among {names}" if names else f"no arguments of {name}"
        raise expected(expectation, ", ".join(unknown), hint)
    for key, value in arguments.items():
        annotation = parameters[key].annotation
        if not _has_type(value, annotation):
            raise expected(f"{key} of {name} as {_type_name(annotation)}", repr(value), hint)
    return name, arguments


def canonical(registry: Mapping[str, Callable[..., Any]], text: str, hint: str = "") -> str:
    """Returns the canonical form of a spec, the shortest: without spaces and default values, in the order of the definition.

    Raises:
      UserError: see `read`.
    """
    name, arguments = read(registry, text, hint)
    parameters = _parameters(registry[name])
    changed = {k: arguments[k] for k in parameters if k in arguments and arguments[k] != parameters[k].default}
    return unparse(name, changed)


def show(name: str, value: Any) -> str:
    """Returns the spec of a dataclass called `name`, with every field that differs from its default."""
    fields = [f for f in dataclasses.fields(value) if f.init]
    return unparse(name, {f.name: v for f in fields if (v := getattr(value, f.name)) != f.default})


class _Parameter(typing.NamedTuple):
    annotation: Any
    default: Any


def _parameters(factory: Callable[..., Any]) -> dict[str, _Parameter]:
    """Parameters that a spec may set, in the order of the definition."""
    if dataclasses.is_dataclass(factory):
        return {f.name: _Parameter(f.type, f.default) for f in dataclasses.fields(factory) if f.init}
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: _Parameter(p.annotation, p.default) for p in parameters if p.default is not p.empty}


def unparse(name: str, arguments: Mapping[str, Any]) -> str:
    """Returns the spec of a name with all of these arguments, which `parse` reads back."""
    return name + (f"({','.join(f'{k}={_unparse_value(v)}' for k, v in arguments.items())})" if arguments else "")


def _unparse_value(value: Any) -> str:
    """Text of a value. A word is not quoted, any other string is, so that `parse` reads it back."""
    if isinstance(value, tuple):
        return f"({','.join(map(_unparse_value, value))}{',' * (len(value) == 1)})"
    quoted = isinstance(value, str) and (not value.isidentifier() or value in ("None", "True", "False", "inf"))
    return repr(value) if quoted else str(value)


def _types(annotation: Any) -> tuple[Any, ...]:
    """Members of a union, or the annotation alone."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _is_sequence(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (tuple, collections.abc.Sequence)


def _has_type(value: Any, annotation: Any) -> bool:
    return any(_is_instance(value, expected_type) for expected_type in _types(annotation))


def _is_instance(value: Any, expected_type: Any) -> bool:
    if _is_sequence(expected_type):
        return isinstance(value, tuple) and all(_has_type(item, typing.get_args(expected_type)[0]) for item in value)
    if expected_type in (Any, inspect.Parameter.empty) or not isinstance(
        expected_type, type
    ):  # nothing to check against
        return True
    if isinstance(value, bool):
        return expected_type is bool
    return isinstance(value, expected_type) or (isinstance(value, int) and expected_type is float)


def _type_name(annotation: Any) -> str:
    return " or ".join(
        f"({_type_name(typing.get_args(member)[0])}, ...)"
        if _is_sequence(member)
        else "None"
        if member is types.NoneType
        else member.__name__
        for member in _types(annotation)
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
