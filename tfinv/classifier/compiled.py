"""One compiled function for each classifier and kind of step: a sweep over eps or seeds must not trace again."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any

import tensorflow as tf

from tfinv.classifier import Classifier

_FUNCTIONS: weakref.WeakKeyDictionary[Classifier, dict[Hashable, Callable]] = weakref.WeakKeyDictionary()


def compiled(
    classifier: Classifier, kind: Hashable, make: Callable[[Any], Callable], *arguments: str | tf.TensorSpec
) -> Callable:
    """Returns what `make` made the first time it was asked for this classifier and kind, compiled for any batch size.

    Args:
      classifier: the victim.
      kind: everything that the function's graph depends on, its own name included; numbers that change from run to run are
        better arguments of the function.
      make: takes a weak proxy of the classifier, so that the cache does not keep it alive, and returns a function of tensors.
      *arguments: what the function takes: "images" (b, H, W, C) float32, "labels" (b,) int64, "flags" (b,) bool,
        "numbers" (b,) float32, "counts" (b,) int32, "draws" (b, any) float32, "changes" (b, any, H, W, C) float32,
        "scalar" () float32, "flag" () bool or "count" () int32; or any other specification.
    """
    kinds = _FUNCTIONS.setdefault(classifier, {})
    if kind not in kinds:
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
        function = tf.function(make(weakref.proxy(classifier)), input_signature=signature)
        types = [spec.dtype for spec in signature]
        # Called directly, it is spared the search for a matching trace, which took longer than the step's own arithmetic.
        concrete = function.get_concrete_function()

        def call(*values: Any) -> Any:
            return concrete(*(tf.convert_to_tensor(v, t) for v, t in zip(values, types, strict=True)))

        kinds[kind] = call
    return kinds[kind]
