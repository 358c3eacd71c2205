"""The gradient of the input, the only one that is taken outside of training.

TensorFlow's gradient of a convolution has two parts, that of the input and that of the filters, and an eager tape computes both,
whichever is asked for. A crash in the part that nobody needs then ends the process, and it costs as much time as the other. Here
all is compiled, and the needless part is never made.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfinv.classifier.compiled import concrete_function
from tfinv.classifier.convolutions import input_alone


def input_gradient(fn: Callable[[tf.Tensor], Any], x: tf.Tensor) -> tuple[Any, Any]:
    """Returns the value of a function and its gradient with respect to its input, and computes no gradient of weights.

    Called within a compiled function, it becomes part of it; called elsewhere, it compiles a function of its own for this call.

    Args:
      fn: from a tensor to a tensor, or to a tuple of which the first part is differentiated.
      x: float32, of any shape.

    Returns:
      What `fn` returned, and the gradient of the sum of that tensor, shaped as `x`; None if none flows.

    Raises:
      LookupError: an operation has no registered gradient.
    """
    if tf.executing_eagerly():
        x = tf.convert_to_tensor(x)
        return concrete_function(lambda x: input_gradient(fn, x), [tf.TensorSpec(x.shape, x.dtype)])(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        outputs = fn(x)
    with input_alone():
        return outputs, tape.gradient(outputs[0] if isinstance(outputs, tuple) else outputs, x)


def input_gradients(fn: Callable[[tf.Tensor], Any], x: tf.Tensor) -> tuple[Any, list[Any]]:
    """Returns as `input_gradient` does, for a function to a tuple whose first part is a list of tensors: a gradient for each."""
    if tf.executing_eagerly():
        x = tf.convert_to_tensor(x)
        return concrete_function(lambda x: input_gradients(fn, x), [tf.TensorSpec(x.shape, x.dtype)])(x)
    # A persistent tape also prepares for gradients of gradients: only where there are several.
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        outputs = fn(x)
    with input_alone():
        return outputs, [tape.gradient(value, x) for value in outputs[0]]


def has_input_gradient(fn: Callable[[tf.Tensor], Any], shape: tuple[int, ...]) -> bool:
    """Whether a gradient flows from a function's output to its input, found without running it.

    Args:
      fn: from a float32 tensor to a tensor.
      shape: of one example, without the batch.
    """
    gradients = []

    def trace(x):
        outputs, gradient = input_gradient(fn, x)
        gradients.append(gradient)
        return outputs

    try:
        concrete_function(trace, [tf.TensorSpec((None, *shape), tf.float32)])
    except LookupError:  # an operation without a registered gradient
        return False
    return gradients[-1] is not None
