"""Compiled functions, and a cache of them by classifier and kind of step: a sweep over eps or seeds must not retrace."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from tfinv.classifier.classifier import Classifier

_FUNCTIONS: weakref.WeakKeyDictionary[Classifier, dict[Hashable, Callable]] = weakref.WeakKeyDictionary()


def compiled(
    classifier: Classifier, kind: Hashable, make: Callable[[Any], Callable], *arguments: str | tf.TensorSpec
) -> Callable:
    """Returns the compiled function for this classifier and kind, and creates it on the first call. It takes any batch size.

    Args:
      classifier: the target model.
      kind: the cache key: the function's name and everything that its graph depends on. Numbers that change from run to run
        are better arguments of the function.
      make: takes a weak proxy of the classifier, so that the cache does not keep it alive, and returns a function of tensors.
      *arguments: specifications of the function's arguments: "images" (b, H, W, C) float32, "labels" (b,) int64, "flags" (b,) bool,
        "numbers" (b,) float32, "counts" (b,) int32, "draws" (b, any) float32, "changes" (b, any, H, W, C) float32,
        "scalar" () float32, "flag" () bool or "count" () int32; or any `tf.TensorSpec`.
    """
    functions = _FUNCTIONS.setdefault(classifier, {})
    if kind not in functions:
        specs = {
            "images": tf.TensorSpec((None, *classifier.input_shape), tf.float32),
            "labels": tf.TensorSpec((None,), tf.int64),
            "flags": tf.TensorSpec((None,), tf.bool),
            "numbers": tf.TensorSpec((None,), tf.float32),
            "counts": tf.TensorSpec((None,), tf.int32),
            "draws": tf.TensorSpec((None, None), tf.float32),
            "changes": tf.TensorSpec((None, None, *classifier.input_shape), tf.float32),
            "scalar": tf.TensorSpec((), tf.float32),
            "flag": tf.TensorSpec((), tf.bool),
            "count": tf.TensorSpec((), tf.int32),
        }
        signature = [specs[a] if isinstance(a, str) else a for a in arguments]
        types = [spec.dtype for spec in signature]
        concrete = concrete_function(make(weakref.proxy(classifier)), signature)

        def call(*values: Any) -> Any:
            return concrete(*(tf.convert_to_tensor(v, t) for v, t in zip(values, types, strict=True)))

        functions[kind] = call
    return functions[kind]


def concrete_function(function: Callable, signature: Sequence[tf.TensorSpec]) -> Any:
    """Compiles a function of tensors without running it.

    Calling what it returns skips the search for a matching trace, which took longer than the arithmetic of a small network's step.

    Args:
      function: of TensorFlow operations; a layer of a user's own inside it may branch on tensors.
      signature: specifications of its arguments.
    """
    try:
        # Ours have no Python control flow on tensors, and its translation took longer than all else in tracing.
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    except tf.errors.OperatorNotAllowedInGraphError:
        return tf.function(function, input_signature=signature).get_concrete_function()
