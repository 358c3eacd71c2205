"""Arguments of single layers: renamed, dropped where they say nothing, or refused.

An argument that this Keras does not know is dropped only if it can't change what the layer computes at inference: it is unset,
has the value that stands for its absence, or is of training alone. Any other one is refused, since the model would be another.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import keras

from tfinv.importing.repairs import keras1
from tfinv.importing.repairs.context import Context, UnknownClass, Unrepairable
from tfinv.importing.repairs.operations import HARD_SIGMOID

_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
# Layers of keras.applications, by their modules.
OF_APPLICATIONS = {"LayerScale": "keras.src.applications.convnext"}
# Augmentation that this Keras has no more. At inference it hands its input on.
_AUGMENTATION = ("RandomHeight", "RandomWidth")
_TRAINING = ("_initializer", "_regularizer", "_constraint")
_IGNORED = """
rng_type fused implementation renorm_clipping renorm_momentum input_shape batch_input_shape input_dtype input_dim input_length
trainable_weights activity_regularizer query_shape key_shape value_shape dynamic stateful autocast consume_less optimize_memory
"""
# The value that stands for an argument's absence.
_ABSENT: dict[str, Any] = {
    "groups": 1,
    "renorm": False,
    "sparse": False,
    "ragged": False,
    "time_major": False,
    "zero_output_for_mask": False,
    "softmax_robust_masking": False,
}
_ACTIVATIONS = {"softmax_v2": "softmax", "relu_v2": "relu", "sigmoid_v2": "sigmoid"}
_INACTIVE = ("Random", "GaussianNoise", "GaussianDropout", "SpatialDropout", "Dropout", "AlphaDropout")


def repaired(class_name: str, config: dict[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
    """Returns the class and the arguments of a layer as this Keras has them.

    Args:
      class_name: without a package.
      config: its arguments, whose nested objects are repaired already.
      context: collects notes.

    Raises:
      Unrepairable: an argument that matters is unknown, or the class is.
    """
    if class_name == "FixedDropout":  # of the package efficientnet, for Keras before 2.3
        context.note("FixedDropout taken for Dropout")
        class_name = "Dropout"
    class_name, config = keras1.modern(_RENAMED.get(class_name, class_name), config)
    if class_name in _AUGMENTATION:
        context.note(f"{class_name} left out, which only augments")
        return "Identity", {"name": config.get("name")}
    if class_name == "ThresholdedReLU":
        return "ReLU", {"threshold": config.get("theta", 1.0), "name": config.get("name")}
    if class_name in OF_APPLICATIONS:
        return class_name, config
    if not inspect.isclass(getattr(keras.layers, class_name, None)):
        raise UnknownClass(class_name)
    config = {name: _value(name, value, context) for name, value in config.items()}
    _of_class(class_name, config)
    if class_name == "Lambda":
        _lambda(config, context)
    accepted = _arguments(class_name)
    inactive = class_name.startswith(_INACTIVE)
    fitting = {}
    for name, value in config.items():
        if name in accepted:
            fitting[name] = value
        elif not (inactive or _says_nothing(name, value)):
            raise Unrepairable(f"{name}={value!r} of the layer {class_name}")
    return class_name, fitting


def _of_class(class_name: str, config: dict[str, Any]) -> None:
    """Changes the arguments of layers whose meaning or default changed."""
    if class_name == "InputLayer":
        shape = config.pop("batch_input_shape", None)
        if shape is not None:
            config["batch_shape"] = shape
    elif class_name == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    elif class_name == "BatchNormalization":
        axis = config.get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            config["axis"] = axis[0]
    elif class_name == "GRU":
        config.setdefault("reset_after", False)
    elif class_name == "DepthwiseConv2D":
        for name in ("filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            config.pop(name, None)


def _lambda(config: dict[str, Any], context: Context) -> None:
    """A function by its name, which is the caller's; code was refused before, or was allowed."""
    for argument in ("module", "function_type", "output_shape_type", "output_shape_module"):
        config.pop(argument, None)
    name = config.get("function")
    if isinstance(name, str):
        if not context.is_custom(name):
            raise UnknownClass(name)
        config["function"] = _function(name)


def _function(name: str) -> dict[str, Any]:
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _value(name: str, value: Any, context: Context) -> Any:
    if name.endswith("activation") and isinstance(value, str):
        value = _ACTIVATIONS.get(value, value)
        if value == "hard_sigmoid":
            context.note("hard_sigmoid as Keras 2 defined it")
            return dict(HARD_SIGMOID)
        if not (hasattr(keras.activations, value) or context.is_custom(value)):
            raise UnknownClass(value)
        if context.is_custom(value):
            return _function(value)
    return value


def _says_nothing(name: str, value: Any) -> bool:
    if value is None or name in _IGNORED.split() or name.endswith(_TRAINING):
        return True
    return name in _ABSENT and value == _ABSENT[name]


@functools.cache
def _arguments(class_name: str) -> frozenset[str]:
    """Names of the arguments that the constructor of a layer takes, those of its bases included."""
    names = {"name", "trainable", "dtype"}
    for base in getattr(keras.layers, class_name).__mro__:
        if base is keras.layers.Layer:
            break
        parameters = inspect.signature(base.__init__).parameters
        names |= set(parameters)
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            break  # it hands nothing on
    return frozenset(names - {"self", "kwargs", "args"})
