"""Calls of the layers in a functional model: what each gets as arguments, in the form of Keras 1 and 2 and in that of Keras 3.

Keras 2 counted the calls of a nested model from 1, Keras 3 counts them from 0 where they are arguments, and from 1 where they are
outputs and the nested model is functional.
"""

from __future__ import annotations

from typing import Any

from tfinv.importing.repairs.context import plain_name

Config = dict[str, Any]

MODELS = ("Sequential", "Functional", "Model")
OF_JSON = {"__tuple__", "TensorShape"}  # lists, as the JSON encoder of Keras 2 wrote them


def label(value: Config) -> str:
    """The name of a layer."""
    return value.get("name") or value["config"]["name"]


def names(references: Any) -> list[str]:
    """Names of the layers in a nest of [name, call, output]."""
    if _is_reference(references):
        return [references[0]]
    items = references.values() if isinstance(references, dict) else references
    return [name for item in items for name in names(item)]


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(item, int) for item in value[1:3])
    )


class Calls:
    """The numbers of the calls of a functional model's layers, and calls in the form of Keras 3."""

    def __init__(self, inner: Config):
        self.kinds = {label(item): item["class_name"].split(">")[-1] for item in inner["layers"]}
        numbers: dict[str, set[int]] = {name: set() for name in self.kinds}
        self._collect([item.get("inbound_nodes", []) for item in inner["layers"]], numbers)
        self._collect(inner["output_layers"], numbers)
        # A nested model was born with a call, to which nothing refers.
        nested = {name for name, kind in self.kinds.items() if kind in MODELS}
        self.first = {name: int(name in nested and 0 not in numbers[name]) for name in self.kinds}

    def _collect(self, value: Any, numbers: dict[str, set[int]]) -> None:
        if _is_reference(value) and value[0] in numbers:
            numbers[value[0]].add(value[1])
            value = value[3:]
        if isinstance(value, (list, tuple)):
            for item in value:
                self._collect(item, numbers)
        elif isinstance(value, dict):
            for item in value.values():
                self._collect(item, numbers)

    def tensor(self, name: str, number: int, output: int) -> Config:
        """An argument that is an output of another layer; the shape is a place holder."""
        history = [plain_name(name), number - self.first[name], output]
        config = {"shape": [None], "dtype": "float32", "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}

    def value(self, value: Any) -> Any:
        """An argument: a tensor, a constant, or a nest of these."""
        if _is_reference(value):
            if value[0] == "_CONSTANT_VALUE":
                return value[2]
            if value[0] in self.kinds:
                return self.tensor(*value[:3])
        if isinstance(value, (list, tuple)):
            if len(value) in (3, 4) and value[0] == "_CONSTANT_VALUE":
                return value[2]
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            if value.get("class_name") in OF_JSON:
                return [self.value(item) for item in value.get("items", [])]
            return {key: self.value(item) for key, item in value.items()}
        return value

    def call(self, node: Any, keeps_lists: bool) -> Config:
        """A call as arguments in order and by name.

        Args:
          node: as Keras 1 and 2 save it, or already as Keras 3 does.
          keeps_lists: whether a list of one stays one; else it is its tensor.
        """
        if isinstance(node, dict) and set(node) >= {"args", "kwargs"}:
            return node
        keyword = {key: self.value(item) for key, item in _keywords(node).items() if item is not None}
        first = self.value(node)
        if isinstance(first, list) and len(first) == 1 and not keeps_lists:
            first = first[0]
        return {"args": [first], "kwargs": keyword}

    def outputs(self, value: Any) -> Any:
        """References to outputs of the model, single ones without a list around them."""
        if _is_reference(value):
            name, number, output = value[:3]
            functional = self.kinds[name] in ("Functional", "Model")
            return [plain_name(name), number - self.first[name] + int(functional), output]
        if isinstance(value, dict):
            return {key: self.outputs(item) for key, item in value.items()}
        return self.outputs(value[0]) if len(value) == 1 else [self.outputs(item) for item in value]


def _keywords(node: Any) -> Config:
    """Arguments by name, which Keras 2 keeps beside the first reference of a call."""
    if isinstance(node, dict):
        return next((part for item in node.values() if (part := _keywords(item))), {})
    if not isinstance(node, (list, tuple)) or not node:
        return {}
    if isinstance(node[0], str):
        return node[3] if len(node) == 4 and isinstance(node[3], dict) else {}
    return next((part for item in node if (part := _keywords(item))), {})
