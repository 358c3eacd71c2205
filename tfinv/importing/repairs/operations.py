"""TensorFlow's own operations inside Keras 2 models: each by its name from a table, so that a file can name no other.

Keras 2 kept `x / 255.` between layers as a TFOpLambda layer with the function's name, slices as SlicingOpLambda, and before
TensorFlow 2.4 a TensorFlowOpLayer with the operation's definition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfinv.importing.repairs.context import UnknownOperation

PACKAGE = "tfinv"
# As an activation in a configuration.
HARD_SIGMOID = {
    "module": "builtins",
    "class_name": "function",
    "config": f"{PACKAGE}>hard_sigmoid",
    "registered_name": f"{PACKAGE}>hard_sigmoid",
}
# Functions of the public TensorFlow that compute and do nothing else, by the names that Keras 2 saves.
_NAMES = """
abs add add_n argmax broadcast_to cast clip_by_norm clip_by_value concat convert_to_tensor divide equal exp expand_dims
gather greater identity less linalg.l2_normalize linalg.matmul matmul maximum minimum multiply negative norm one_hot ones_like pad
pow rank realdiv reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse round shape sigmoid sign
slice split sqrt square squeeze stack stop_gradient strided_slice subtract tanh tensordot tile transpose truediv unstack where
zeros_like
math.abs math.add math.ceil math.cos math.cumsum math.divide math.divide_no_nan math.equal math.erf math.exp math.floor
math.floordiv math.floormod math.greater math.greater_equal math.l2_normalize math.less math.less_equal math.log math.log1p
math.log_softmax math.maximum math.minimum math.mod math.multiply math.negative math.pow math.reciprocal math.reduce_all
math.reduce_any math.reduce_logsumexp math.reduce_max math.reduce_mean math.reduce_min math.reduce_prod math.reduce_std
math.reduce_sum math.reduce_variance math.round math.rsqrt math.sigmoid math.sign math.sin math.softplus math.sqrt math.square
math.squared_difference math.subtract math.tanh math.top_k math.truediv
nn.avg_pool nn.avg_pool2d nn.bias_add nn.conv2d nn.crelu nn.depth_to_space nn.elu nn.gelu nn.l2_normalize nn.leaky_relu
nn.local_response_normalization nn.log_softmax nn.max_pool nn.max_pool2d nn.moments nn.relu nn.relu6 nn.selu nn.sigmoid nn.silu
nn.softmax nn.softplus nn.softsign nn.space_to_depth nn.swish nn.tanh
image.central_crop image.grayscale_to_rgb image.per_image_standardization image.resize image.rgb_to_grayscale
compat.v1.image.resize_bilinear compat.v1.image.resize_nearest_neighbor compat.v1.transpose compat.v1.nn.softmax compat.v1.squeeze
"""
_OPERATORS = {
    "add": tf.math.add,
    "radd": lambda x, y: tf.math.add(y, x),
    "sub": tf.math.subtract,
    "rsub": lambda x, y: tf.math.subtract(y, x),
    "mul": tf.math.multiply,
    "rmul": lambda x, y: tf.math.multiply(y, x),
    "truediv": tf.math.truediv,
    "rtruediv": lambda x, y: tf.math.truediv(y, x),
    "pow": tf.math.pow,
    "rpow": lambda x, y: tf.math.pow(y, x),
    "neg": tf.math.negative,
    "abs": tf.math.abs,
    "floordiv": tf.math.floordiv,
    "mod": tf.math.floormod,
    "matmul": tf.linalg.matmul,
    "ge": tf.math.greater_equal,
    "gt": tf.math.greater,
    "le": tf.math.less_equal,
    "lt": tf.math.less,
}
# Definitions of a TensorFlowOpLayer: its operations take their inputs in order.
_RAW = {
    "Add": tf.math.add,
    "AddV2": tf.math.add,
    "BiasAdd": tf.nn.bias_add,
    "Elu": tf.nn.elu,
    "Exp": tf.math.exp,
    "Identity": tf.identity,
    "Log": tf.math.log,
    "Maximum": tf.math.maximum,
    "Minimum": tf.math.minimum,
    "Mul": tf.math.multiply,
    "Neg": tf.math.negative,
    "Pow": tf.math.pow,
    "RealDiv": tf.math.truediv,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Reshape": tf.reshape,
    "Sigmoid": tf.math.sigmoid,
    "Softmax": tf.nn.softmax,
    "Softplus": tf.nn.softplus,
    "Sqrt": tf.math.sqrt,
    "Square": tf.math.square,
    "Sub": tf.math.subtract,
    "Tanh": tf.math.tanh,
    "Transpose": tf.transpose,
}


def _public(name: str) -> Callable[..., Any]:
    value: Any = tf
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _getitem(x: Any, slice_spec: Any) -> Any:
    """x[...] of a specification as JSON: numbers, None, "...", and {"start", "stop", "step"}."""
    items = slice_spec if isinstance(slice_spec, (list, tuple)) else [slice_spec]
    return x[tuple(_index(item) for item in items)]


def _index(item: Any) -> Any:
    if isinstance(item, dict):
        return slice(*(item.get(key) for key in ("start", "stop", "step")))
    return ... if item == "..." else item


def resolve(name: str) -> Callable[..., Any]:
    """Returns the function of a name that Keras 2 saves, or of "raw." and the name of an operation's definition.

    Raises:
      UnknownOperation: it is not in the table.
    """
    package, _, rest = name.rpartition(".")
    if package == "raw" and rest in _RAW:
        return _RAW[rest]
    if package == "__operators__":
        if rest == "getitem":
            return _getitem
        if rest in _OPERATORS:
            return _OPERATORS[rest]
    elif name in _NAMES.split():
        return _public(name)
    raise UnknownOperation(name)


@keras.saving.register_keras_serializable(package=PACKAGE, name="hard_sigmoid")
def hard_sigmoid(x: Any) -> Any:
    """Keras 2's hard sigmoid, max(0, min(1, .2 x + .5)); that of Keras 3 is max(0, min(1, x / 6 + .5))."""
    return keras.ops.clip(keras.ops.add(keras.ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


@keras.saving.register_keras_serializable(package=PACKAGE, name="TensorFlowOperation")
class TensorFlowOperation(keras.layers.Layer):
    """A function of TensorFlow as a layer of its tensors.

    Args:
      function: its name, as Keras 2 saves it.
      positional: its arguments in order; {"tensor": k} stands for the k-th input.
      keyword: those by name.
    """

    def __init__(self, function: str, positional: list[Any], keyword: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.function, self.positional, self.keyword = function, positional, keyword
        self._compute = resolve(function)

    def call(self, inputs: Any) -> Any:
        """The function of one tensor, or of a list of tensors."""
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        positional = [_fill(value, tensors) for value in self.positional]
        keyword = {name: _fill(value, tensors) for name, value in self.keyword.items()}
        return self._compute(*positional, **keyword)

    def get_config(self) -> dict[str, Any]:
        """The name and the arguments."""
        arguments = {"positional": list(self.positional), "keyword": dict(self.keyword)}
        return super().get_config() | {"function": self.function} | arguments


def _fill(value: Any, tensors: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return tensors[value["tensor"]]
        return {key: _fill(item, tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fill(item, tensors) for item in value]
    return value
