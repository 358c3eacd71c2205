"""Gradients of convolutions without that of the filters, where nobody needs it; and convolutions that lack a kernel of their own.

TensorFlow computes both gradients whichever is asked for. In a compiled function the needless one is removed before it is run, but
not where the optimiser of graphs gives up, as it does for float8. Without oneDNN, as on processors without AVX-512, it has neither
convolutions of channels first nor the input's gradient of dilated ones: both are computed as their equals that there are.
"""

import contextlib
import contextvars
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

# Whether gradients are those of the input alone, also in functions within the function that is differentiated.
_INPUT_ALONE: contextvars.ContextVar[bool] = contextvars.ContextVar("input_alone", default=False)
_FILTERS = 1  # place of the filters among the inputs of each of these operations
_COMMON, _TWO_DIMENSIONAL = ("strides", "padding", "data_format", "dilations"), ("explicit_paddings",)
_CUDNN = ("use_cudnn_on_gpu",)
# For each operation: whether its input is the first, as of a convolution, or the last, as of a transposed one; the operation that
# is its gradient with respect to it, and the settings that both have.
_OPERATIONS = {
    "Conv2D": (True, "Conv2DBackpropInput", (*_COMMON, *_TWO_DIMENSIONAL, *_CUDNN)),
    "Conv2DBackpropInput": (False, "Conv2D", (*_COMMON, *_TWO_DIMENSIONAL, *_CUDNN)),
    "DepthwiseConv2dNative": (True, "DepthwiseConv2dNativeBackpropInput", (*_COMMON, *_TWO_DIMENSIONAL)),
    "DepthwiseConv2dNativeBackpropInput": (False, "DepthwiseConv2dNative", (*_COMMON, *_TWO_DIMENSIONAL)),
    "Conv3D": (True, "Conv3DBackpropInputV2", _COMMON),
    "Conv3DBackpropInputV2": (False, "Conv3D", _COMMON),
}

_KERAS = ("conv", "conv_transpose", "depthwise_conv", "separable_conv")


@contextlib.contextmanager
def input_alone() -> Iterator[None]:
    """Within it, no gradient of filters is computed, unless they are made of the input."""
    token = _INPUT_ALONE.set(True)
    try:
        yield
    finally:
        _INPUT_ALONE.reset(token)


def _is_needless(operation: Any) -> bool:
    """Whether nobody needs the gradient of the filters of a convolution."""
    skipped = getattr(operation, "skip_input_indices", None)
    if skipped is not None:  # a tape knows what it watches
        return _FILTERS in skipped
    return _INPUT_ALONE.get() and not _depends_on_arguments(operation.inputs[_FILTERS])


def _depends_on_arguments(tensor: Any) -> bool:
    """Whether a tensor of a function depends on an argument other than a variable."""
    reached, stack = set(), [tensor.op]
    while stack:
        operation = stack.pop()
        if operation in reached:
            continue
        reached.add(operation)
        if operation.type.startswith("Placeholder") and operation.outputs[0].dtype != tf.resource:
            return True
        stack.extend(value.op for value in operation.inputs)
    return False


def _without_filters(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the gradient function of an operation that leaves out that of the filters where it is needless."""
    is_first, inverse, settings = _OPERATIONS[name]

    def gradient(operation: Any, upstream: tf.Tensor) -> Any:
        if not _is_needless(operation):
            return original(operation, upstream)
        options = {setting: operation.get_attr(setting) for setting in settings}
        filters = operation.inputs[_FILTERS]
        if is_first:
            if name == "Conv2D" and max(options["dilations"]) > 1 and not _dilates():
                filters, options["dilations"] = _dilate(filters, options), [1, 1, 1, 1]
            sizes = tf.shape(operation.inputs[0])
            inverse_operation = getattr(tf.raw_ops, inverse)
            return [
                inverse_operation(input_sizes=sizes, filter=filters, out_backprop=upstream, **_texts(options)),
                None,
            ]
        return [None, None, getattr(tf.raw_ops, inverse)(input=upstream, filter=filters, **_texts(options))]

    return gradient


@functools.cache
def _dilates() -> bool:
    """Whether TensorFlow has the input's gradient of a dilated convolution: on CPUs only its oneDNN kernels do."""
    with tf.init_scope():
        upstream, filters = tf.zeros((1, 1, 1, 1)), tf.zeros((2, 2, 1, 1))
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=[1, 3, 3, 1],
                filter=filters,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding="VALID",
                dilations=[1, 2, 2, 1],
            )
        except tf.errors.InvalidArgumentError:
            return False
    return True


def _dilate(filters: tf.Tensor, options: dict[str, Any]) -> tf.Tensor:
    """Returns filters (h, w, in, out) with the zeros between their rows and columns that dilation means."""
    is_channels_first = options["data_format"] in (b"NCHW", "NCHW")
    by_row, by_column = options["dilations"][2:] if is_channels_first else options["dilations"][1:3]
    height, width, before, after = (filters.shape[i] or tf.shape(filters)[i] for i in range(4))
    apart = tf.reshape(filters, (height, 1, width, 1, before, after))
    apart = tf.pad(apart, [[0, 0], [0, by_row - 1], [0, 0], [0, by_column - 1], [0, 0], [0, 0]])
    apart = tf.reshape(apart, (height * by_row, width * by_column, before, after))
    return apart[: (height - 1) * by_row + 1, : (width - 1) * by_column + 1]


@functools.cache
def _takes_channels_first() -> bool:
    """Whether TensorFlow has convolutions of images with channels first: on CPUs only oneDNN's kernels do."""
    with tf.init_scope():
        try:
            tf.nn.conv2d(tf.zeros((1, 1, 2, 2)), tf.zeros((1, 1, 1, 1)), 1, "VALID", data_format="NCHW")
        except tf.errors.UnimplementedError:
            return False
    return True


def _with_channels_last(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a convolution of Keras that turns images with channels first around where there is no kernel for them."""

    signature = inspect.signature(original)

    @functools.wraps(original)
    def convolve(*args: Any, **options: Any) -> Any:
        call = signature.bind(*args, **options).arguments
        data_format = call.get("data_format") or keras.config.image_data_format()
        if data_format != "channels_first" or len(call["inputs"].shape) != 4 or _takes_channels_first():
            return original(*args, **options)
        turned = call | {"inputs": tf.transpose(call["inputs"], [0, 2, 3, 1]), "data_format": "channels_last"}
        return tf.transpose(original(**turned), [0, 3, 1, 2])

    return convolve


def _broadcasting(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns Keras's addition without a mistake: a bias (1, C, 1, 1) of images (n, C, H, W) is added along W where W is C."""

    @functools.wraps(original)
    def add(x1: Any, x2: Any) -> Any:
        shapes: list[Any] = [getattr(x, "shape", ()) for x in (x1, x2)]
        along = [axis for axis, size in enumerate(shapes[1]) if size != 1]
        is_bias = len(shapes[0]) == len(shapes[1]) and len(along) == 1 and along[0] < len(shapes[1]) - 1
        if is_bias and shapes[1][along[0]] == shapes[0][-1] and x1.dtype == x2.dtype:
            return tf.add(x1, x2)
        return original(x1, x2)

    return add


def _texts(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in options.items()}


def _install() -> None:
    # TensorFlow has no public way to change a gradient that is registered. Elsewhere than in `input_alone`, all gradients that
    # are asked for are as before.
    for name in _OPERATIONS:
        entry = ops.gradient_registry._registry[name]
        entry["type"] = _without_filters(name, entry["type"])
    # Nor has Keras one to change an operation of its backend.
    backend: Any = importlib.import_module("keras.src.backend.tensorflow.nn")
    for name in _KERAS:
        setattr(backend, name, _with_channels_last(getattr(backend, name)))
    arithmetic: Any = importlib.import_module("keras.src.backend.tensorflow.numpy")
    arithmetic.add = _broadcasting(arithmetic.add)


_install()
