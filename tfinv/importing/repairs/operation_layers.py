"""Layers that Keras 2 made of TensorFlow's operations: Keras's own layers where there are such, else `TensorFlowOperation`."""

from __future__ import annotations

from typing import Any

from tfinv.importing.repairs.context import Context, Unrepairable, plain_name
from tfinv.importing.repairs.operations import PACKAGE, TensorFlowOperation, resolve

Config = dict[str, Any]

_OPERATIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
# As layers, so that a softmax can be cut off, and a residual's sum is seen as one.
_LAYERS: dict[str, tuple[str, Config]] = {
    "nn.softmax": ("Softmax", {"axis": -1}),
    "nn.relu": ("ReLU", {}),
    "nn.relu6": ("ReLU", {"max_value": 6.0}),
    "nn.sigmoid": ("Activation", {"activation": "sigmoid"}),
    "math.sigmoid": ("Activation", {"activation": "sigmoid"}),
    "sigmoid": ("Activation", {"activation": "sigmoid"}),
    "raw.Softmax": ("Softmax", {"axis": -1}),
    "raw.Sigmoid": ("Activation", {"activation": "sigmoid"}),
}
_OF_TWO = {
    "math.add": "Add",
    "add": "Add",
    "__operators__.add": "Add",
    "raw.AddV2": "Add",
    "raw.Add": "Add",
    "math.multiply": "Multiply",
    "multiply": "Multiply",
    "__operators__.mul": "Multiply",
    "raw.Mul": "Multiply",
}


def is_operation(class_name: str) -> bool:
    """Whether Keras 2 made layers of this class of TensorFlow's operations."""
    return class_name in _OPERATIONS


def convert(class_name: str, config: Config, nodes: list[Config], context: Context) -> tuple[Config, list[Config]]:
    """Returns the layer that stands for an operation, and its calls.

    Args:
      class_name: one of those of `is_operation`.
      config: the layer's arguments.
      nodes: its calls, as `args` and `kwargs`.
      context: collects notes.

    Raises:
      Unrepairable: the operation is in no table, or is called more than once.
    """
    if len(nodes) != 1:
        raise Unrepairable(f"the operation {config.get('name')} with {len(nodes)} calls")
    name, (call,) = _function(class_name, config), nodes
    keyword = {key: value for key, value in call["kwargs"].items() if key != "name"}
    positional = list(call["args"])
    if class_name == "TensorFlowOpLayer":
        positional, keyword = _with_constants(config, positional), {}
    resolve(name)
    if name not in context.operations:
        context.operations.append(name)
    tensors: list[Config] = []
    positional = [_lifted(value, tensors) for value in positional]
    keyword = {key: _lifted(value, tensors) for key, value in keyword.items()}
    if not tensors:
        raise Unrepairable(f"the operation {name} of constants alone")
    call = {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": {}}
    label = plain_name(config["name"])
    if name in _LAYERS and len(tensors) == 1 and positional == [{"tensor": 0}] and keyword.get("axis", -1) == -1:
        layer, arguments = _LAYERS[name]
        return _entry("keras.layers", layer, {**arguments, "name": label}), [call]
    if name in _OF_TWO and len(tensors) == 2 and len(positional) + len(keyword) == 2:
        # Keras's operation, which broadcasts as TensorFlow's does; the layer of the same name does not.
        entry = _entry("keras.src.ops.numpy", _OF_TWO[name], {"name": label})
        return {**entry, "registered_name": _OF_TWO[name]}, [{"args": tensors, "kwargs": {}}]
    arguments = {"function": name, "positional": positional, "keyword": keyword, "name": label}
    entry = _entry(TensorFlowOperation.__module__, TensorFlowOperation.__name__, arguments)
    return {**entry, "registered_name": f"{PACKAGE}>{TensorFlowOperation.__name__}"}, [call]


def _entry(module: str, class_name: str, config: Config) -> Config:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def _function(class_name: str, config: Config) -> str:
    if class_name == "TensorFlowOpLayer":
        definition = config.get("node_def")
        if not isinstance(definition, dict):
            raise Unrepairable("a TensorFlowOpLayer whose definition is not text")
        return f"raw.{definition.get('op')}"
    return str(config.get("function", "__operators__.getitem"))


def _with_constants(config: Config, positional: list[Any]) -> list[Any]:
    """The inputs of a definition in order, constants at their places."""
    tensors = positional[0] if isinstance(positional[0], list) else positional
    constants = {int(place): value for place, value in (config.get("constants") or {}).items()}
    rest = iter(tensors)
    return [constants[i] if i in constants else next(rest) for i in range(len(constants) + len(tensors))]


def _lifted(value: Any, tensors: list[Config]) -> Any:
    """The argument with place holders for its tensors, which are appended to the list."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            tensors.append(value)
            return {"tensor": len(tensors) - 1}
        if value.get("class_name") == "__ellipsis__":
            return "..."
        if value.get("type") == "ndarray":
            return value.get("value")
        return {key: _lifted(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_lifted(item, tensors) for item in value]
    return value
