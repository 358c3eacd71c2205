"""Configurations of whole models, from those of Keras 1 and 2 to the form that Keras 3 saves.

Every part is rewritten as data: classes get the module that this Keras has them in, whatever module the file names; `calls` does
the arguments of calls.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import keras

from tfinv.importing.repairs import layers, operation_layers
from tfinv.importing.repairs.calls import MODELS, OF_JSON, Calls, label, names
from tfinv.importing.repairs.context import Context, UnknownClass, Unrepairable, plain_name

Config = dict[str, Any]

_POLICIES = ("Policy", "PolicyV1", "DTypePolicy")
_VALUES = {"__numpy__", "__tensor__", "__bytes__", "__slice__", "__ellipsis__"}


def repair(config: Config, context: Context) -> Config:
    """Returns the configuration of a model as Keras 3 saves it.

    Args:
      config: of a file, as JSON values; it is not changed.
      context: names of the caller's classes; collects notes.

    Raises:
      Unrepairable: a part has no counterpart; the text says which.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise Unrepairable("a configuration without a class")
    try:
        return _object(config, context)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise Unrepairable(f"a configuration of an unknown form ({type(error).__name__}: {error})") from error


def _any(value: Any, context: Context) -> Any:
    if isinstance(value, list):
        return [_any(item, context) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "ndarray":
        return value.get("value")
    if "class_name" in value:
        return _object(value, context)
    return {key: _any(item, context) for key, item in value.items()}


def _object(value: Config, context: Context) -> Any:
    name = value["class_name"].split(">")[-1]
    if name in OF_JSON:
        return [_any(item, context) for item in value.get("items", [])]
    if name in _VALUES:
        return {"config": {}, **value}
    if name == "TypeSpec" or name.endswith("TensorSpec") or name == "CompositeTensor":
        return None
    inner: Any = value.get("config")
    if name == "function":
        if not isinstance(inner, str):
            raise Unrepairable("a function without a name")
        return inner  # by its name alone, whatever module the file says
    if context.is_custom(value["class_name"]):
        return _custom(value)
    if name in _POLICIES:
        return inner["name"]
    if name in MODELS:
        return _sequential(inner, context) if name == "Sequential" else _functional(inner, context)
    for module in ("initializers", "regularizers", "constraints"):
        if inspect.isclass(getattr(getattr(keras, module), name, None)) and not hasattr(keras.layers, name):
            return _of_training(module, name, inner or {})
    if not hasattr(keras.layers, name) and _room_of_operation(name):
        return _operation(name, inner, context)
    if operation_layers.is_operation(name):
        raise Unrepairable(f"{name} outside of a functional model")
    return layer(value, context)


def _room_of_operation(name: str) -> str | None:
    """The module of an operation of Keras 3, which its .h5 files leave out; None if there is no such operation."""
    for room in ("numpy", "nn", "core", "math", "image", "linalg"):
        module = importlib.import_module(f"keras.src.ops.{room}")
        operation = vars(module).get(name)
        if inspect.isclass(operation) and issubclass(operation, keras.Operation):
            return module.__name__
    return None


def _operation(name: str, inner: Config, context: Context) -> Config:
    arguments = {key: _any(item, context) for key, item in inner.items()}
    return {"module": _room_of_operation(name), "class_name": name, "config": arguments, "registered_name": name}


def _layer_or_model(value: Any, context: Context) -> Config:
    entry = _any(value, context)
    if not isinstance(entry, dict) or "class_name" not in entry:
        raise Unrepairable(f"{str(value)[:60]} in place of a layer")
    return entry


def layer(value: Config, context: Context) -> Config:
    """Returns the configuration of one layer, without its calls."""
    name = value["class_name"].split(">")[-1]
    try:
        inner = {key: _any(item, context) for key, item in value["config"].items()}
        class_name, inner = layers.repaired(name, inner, context)
    except Unrepairable:
        if context.substitute is None:
            raise
        return context.substitute(value)
    if isinstance(inner.get("name"), str):
        inner["name"] = plain_name(inner["name"])
    return {
        "module": layers.OF_APPLICATIONS.get(class_name, "keras.layers"),
        "class_name": class_name,
        "config": inner,
        "registered_name": None,
    }


def _custom(value: Config) -> Config:
    """The configuration of the caller's class, which knows best what it means."""
    name = value.get("registered_name") or value["class_name"]
    inner = dict(value["config"]) if isinstance(value.get("config"), dict) else value.get("config")
    if isinstance(inner, dict):
        for key in ("batch_input_shape", "input_shape"):
            inner.pop(key, None)
    class_name = value["class_name"].split(">")[-1]
    return {"module": None, "class_name": class_name, "config": inner, "registered_name": name}


def _of_training(module: str, name: str, inner: Config) -> Config | None:
    """An initialiser, a regulariser or a constraint, without arguments of other versions: none of it is of inference."""
    accepted = inspect.signature(getattr(getattr(keras, module), name)).parameters
    arguments = {key: value for key, value in inner.items() if key in accepted and not isinstance(value, (dict, list))}
    return {"module": f"keras.{module}", "class_name": name, "config": arguments, "registered_name": None}


def _sequential(inner: Any, context: Context) -> Config:
    if isinstance(inner, list):  # before Keras 2.2.3
        inner = {"layers": inner}
    stack = inner["layers"]
    if not stack:
        raise Unrepairable("a Sequential without layers")
    shape = _input_shape(stack[0]) or _plain(inner.get("build_input_shape"))
    repaired = [_layer_or_model(item, context) for item in stack]
    if repaired[0]["class_name"] != "InputLayer":
        if shape is None:
            raise Unrepairable("a Sequential whose input shape the file does not say")
        first = repaired[0]["config"].get("name") or "model"
        repaired.insert(0, _input_layer(shape, stack[0], f"{first}_input"))
    config = {
        "name": plain_name(inner.get("name") or "sequential"),
        "trainable": inner.get("trainable", True),
        "layers": repaired,
    }
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def _plain(shape: Any) -> list[int | None] | None:
    """A shape as a list, however the JSON encoder of Keras 2 wrote it."""
    return shape.get("items") if isinstance(shape, dict) else shape


def _input_shape(value: Config) -> list[int | None] | None:
    """The shape of the input that a layer's configuration says, with the batch; None if it says none."""
    inner = value["config"]
    if value["class_name"] in MODELS:
        stack = inner if isinstance(inner, list) else inner["layers"]
        if value["class_name"] == "Sequential":
            shape = None if isinstance(inner, list) else _plain(inner.get("build_input_shape"))
            return _input_shape(stack[0]) or shape
        inputs = names(inner["input_layers"])
        if len(inputs) != 1:
            raise Unrepairable("a Sequential around a model of several inputs")
        return _input_shape(next(item for item in stack if item["config"]["name"] == inputs[0]))
    for key in ("batch_input_shape", "batch_shape"):
        if inner.get(key):
            return _plain(inner[key])
    shape = _plain(inner.get("input_shape"))
    return [None, *shape] if shape else None


def _input_layer(shape: list[int | None], first: Config, name: str) -> Config:
    dtype = first["config"].get("dtype") if isinstance(first["config"], dict) else None
    if not isinstance(dtype, str) or not dtype.startswith(("float", "uint", "int")):
        dtype = "float32"
    config = {"batch_shape": shape, "dtype": dtype, "name": name}
    return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}


def _functional(inner: Config, context: Context) -> Config:
    if "layers" not in inner or "input_layers" not in inner:
        raise UnknownClass("Model, whose code the file does not have")
    calls = Calls(inner)
    repaired = []
    for item in inner["layers"]:
        kind = item["class_name"].split(">")[-1]
        operation = operation_layers.is_operation(kind) and not context.is_custom(item["class_name"])
        nodes = [calls.call(node, keeps_lists=operation) for node in item.get("inbound_nodes", [])]
        if operation:
            entry, nodes = operation_layers.convert(kind, item["config"], nodes, context)
        elif _is_of_keras_3(item) and "trainable" not in item["config"] and _room_of_operation(kind):
            entry = _operation(kind, item["config"], context)  # some have the names of layers
        else:
            entry = _layer_or_model(_untied(item), context)
        repaired.append({**entry, "name": plain_name(label(item)), "inbound_nodes": nodes})
    config = {
        "name": plain_name(inner.get("name") or "model"),
        "trainable": inner.get("trainable", True),
        "layers": repaired,
        "input_layers": calls.outputs(inner["input_layers"]),
        "output_layers": calls.outputs(inner["output_layers"]),
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }


def _is_of_keras_3(item: Config) -> bool:
    return any(isinstance(node, dict) and "args" in node for node in item.get("inbound_nodes", []))


def _untied(item: Config) -> Config:
    """A layer without its calls."""
    return {key: value for key, value in item.items() if key not in ("inbound_nodes", "name")}
