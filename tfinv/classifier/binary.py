"""Models of one unit, which tell two classes apart: logits (0, z), where z is the log-odds of class 1.

Columns log p and log(1 - p) would be a wrong choice: where p rounds to 1, the other loses its digits and its gradient.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier import graphs
from tfinv.classifier.activations import Ending
from tfinv.classifier.outputs import Head, as_float, sample_outputs, within_unit
from tfinv.errors import UserError, expected

SATURATES = "log-odds of a probability: gradients vanish where it saturates"
_READ = "its output is read as the log-odds of class 1, and as a probability only with --outputs=probabilities"
COLUMNS = "logits (0, z)"
_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(1 - np.finfo(np.float32).epsneg)
# Above the log-odds of `_MOST`, and below those of `_LEAST`, a probability is rounded to 1 or 0.
_ROUNDED = 16.6
# The images and these multiples of them tell a probability, which stays within [0, 1], from a logit.
_FACTORS = (1.0, -1.0, 10.0, -10.0, 1000.0, -1000.0)


def check_threshold(threshold: float | None, columns: int) -> float:
    """Returns the log-odds of the probability from which a model says class 1, 0 for None.

    Raises:
      UserError: it isn't between 0 and 1, or the model has more than one unit.
    """
    if threshold is None:
        return 0.0
    if columns != 1:
        raise expected("a model of one unit for a threshold", f"{columns} classes", "Leave out --threshold.")
    if not 0 < threshold < 1:
        raise expected("a threshold between 0 and 1", threshold, "Change threshold= or --threshold.")
    return math.log(threshold) - math.log1p(-threshold)


def is_rounded(logits: np.ndarray) -> np.ndarray:
    """Whether a probability behind each row of log-odds, (n, K), is rounded to 0 or 1."""
    return (logits.max(axis=1) >= _ROUNDED) | (logits.min(axis=1) <= math.log(_LEAST))


def find_logits(
    function: graphs.Function,
    graph: graphs.Graph | None,
    ending: Ending,
    images: np.ndarray,
    declared: str | None,
    threshold: float | None,
) -> Head:
    """Finds the logits (0, z) of a model of one unit.

    Args:
      function: from images to (n, 1).
      graph: of the function, or None.
      ending: the activation at its end.
      images: (n, H, W, C) float32 samples.
      declared: "logits", "probabilities", or None to detect which.
      threshold: probability of class 1 from which the model says 1; None for .5.

    Raises:
      UserError: the output differs from what was declared, or is the same for all images.
    """
    shift = check_threshold(threshold, 1)
    head = _unit(function, graph, ending, images, declared)
    note = f"one unit: class 1 where its probability is above {0.5 if threshold is None else threshold:g}"
    return dataclasses.replace(_with_two_columns(head, shift), notes=(*head.notes, note))


def check_ending(ending: Ending) -> None:
    """Raises UserError if a model of one unit ends in a softmax."""
    if ending.name == "softmax":
        hint = "Train it with a sigmoid, or with two units."
        raise expected("scores that differ", "a softmax of one unit, which is 1 for every image", hint)


def _unit(
    function: graphs.Function, graph: graphs.Graph | None, ending: Ending, images: np.ndarray, declared: str | None
) -> Head:
    """The log-odds, (n, 1)."""
    if ending.head is not None:
        if declared == "logits":
            raise expected(
                f"logits of one unit, as declared, whose sign decides; a {ending.name} is cut off",
                f"outputs of a {ending.name}",
                "Leave out outputs= or --outputs.",
            )
        return _doubled(ending.head) if ending.name == "tanh" else ending.head
    parts = (graph,) if graph is not None else ()
    linear = ending.name == "linear"
    probabilities = _is_probability(function, images)
    if declared == "probabilities" and not within_unit(sample_outputs(function, images)):
        raise expected(
            "a probability of class 1, between 0 and 1", "an output beyond these", "Leave out outputs= or --outputs."
        )
    if declared == "probabilities" or (declared is None and probabilities and not linear):
        return Head(lambda x: log_odds(as_float(function(x))), 2, SATURATES)
    if declared == "logits":
        doubt = ", though it looks like a probability" if probabilities else ""
        return Head(function, 2, f"one unit declared to be a logit{doubt}", parts)
    if linear:
        return Head(function, 2, "linear head of one unit", parts, (_READ,))
    return Head(function, 2, "one unit taken for a logit, since it leaves [0, 1]", parts, (_READ,))


def _is_probability(function: graphs.Function, images: np.ndarray) -> bool:
    """Whether a unit stays within [0, 1], also for images far beyond the bounds."""
    for factor in _FACTORS:
        try:
            if not within_unit(sample_outputs(function, images * np.float32(factor))):
                return False
        except UserError:  # beyond its bounds, a model may do anything
            continue
    return True


def log_odds(p: tf.Tensor) -> tf.Tensor:
    """Returns log p - log(1 - p) of float32 probabilities, finite also where they are rounded to 0 or 1."""
    p = tf.clip_by_value(p, _LEAST, _MOST)
    return tf.math.log(p) - tf.math.log1p(-p)


def _doubled(head: Head) -> Head:
    """Log-odds of (1 + tanh z) / 2, which are 2 z."""
    return _with_part(head, lambda z: 2.0 * z)


def _with_two_columns(head: Head, shift: float) -> Head:
    """The logits (0, z - shift) of log-odds z."""

    def columns(z: Any) -> Any:
        return keras.ops.concatenate([keras.ops.zeros_like(z), z - shift], axis=-1)

    source = head.source if head.source == SATURATES else f"{head.source}: {COLUMNS}"
    return dataclasses.replace(_with_part(head, columns), num_classes=2, source=source)


def _with_part(head: Head, step: graphs.Function) -> Head:
    """The head with a step after it, a function of keras.ops from (n, 1) float32."""
    parts = head.parts
    if parts:
        symbol = keras.Input(batch_shape=(None, 1), dtype=parts[-1].output.dtype)
        parts = (*parts, graphs.Graph(symbol, step(keras.ops.cast(symbol, "float32"))))
    return dataclasses.replace(head, logits=graphs.chain(head.logits, lambda z: step(as_float(z))), parts=parts)
