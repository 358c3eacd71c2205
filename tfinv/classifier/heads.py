"""Finds the logits of a model: removes the softmax or sigmoid at its end, without changing the model.

Gradients through a softmax vanish where it saturates, and a gradient attack then fails for a reason that is not robustness.
The logits z before p = softmax(z) can be recovered as log p = z - logsumexp(z), but only up to rounding.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier import activations, binary, graphs
from tfinv.classifier.activations import Ending
from tfinv.classifier.outputs import (
    Head,
    are_probabilities,
    as_float,
    as_rows,
    choose,
    has_outputs,
    named_outputs,
    rows_notes,
    sample_outputs,
    within_unit,
)
from tfinv.errors import expected

_HINT = 'Change outputs= or --outputs ("logits" or "probabilities").'
_TINY = float(np.finfo(np.float32).tiny)
SATURATES = "log of the probabilities: gradients vanish where they saturate"

# Logarithm of a probability of 1, up to rounding: with some processors the softmax of a large batch ends at .99999994.
_ROUNDED = float(np.log1p(-2 * np.finfo(np.float32).epsneg))


def saturated(source: str, logits: np.ndarray) -> np.ndarray | None:
    """Whether the probabilities behind each row of logits are rounded to 0 or 1; None if these are no probabilities' logarithms.

    Args:
      source: `logits_source` of a classifier.
      logits: (n, K) of it.
    """
    if source == binary.SATURATES:
        return binary.is_rounded(logits)
    return logits.max(axis=1) >= _ROUNDED if source == SATURATES else None


def find_logits(
    model: keras.Model, images: np.ndarray, declared: str | None = None, threshold: float | None = None
) -> Head:
    """Finds the logits by the model's structure, or else by its outputs for a few images.

    Args:
      model: from images to (batch, K), or (batch, 1) for two classes.
      images: (n, H, W, C) float32 samples.
      declared: "logits", "probabilities", or None to detect which.
      threshold: probability of class 1 from which a model of one unit says 1; None for .5.

    Raises:
      UserError: the output is not that of a classifier, or differs from what was declared.
    """
    graph = graphs.trace(model, images.shape[1:])
    ending = activations.find_ending(graph) if graph else Ending("")
    if graph is not None and graph.output.shape[-1] == 1:
        binary.check_ending(ending)
    function: graphs.Function
    if graph is not None and graphs.is_functional(model):
        # The model itself, without dictionaries around its input and output.
        function = graphs.view(graph, graph.output)
    else:
        function = lambda x: _only_rows(model(x, training=False))  # noqa: E731
    outputs = sample_outputs(function, images)
    # A subclass of a functional model may override `call`, and then differs from its graph.
    if graph is not None and not has_outputs(graphs.view(graph, graph.output), images, outputs):
        graph, ending = None, Ending("")
    parts = () if graph is None else (graph,)
    # The comparison detects a layer that does more after its `activation`.
    if ending.head is not None and not has_outputs(ending.outputs, images, outputs):
        ending = Ending("")
    if outputs.shape[1] == 1:
        return binary.find_logits(function, graph, ending, images, declared, threshold)
    binary.check_threshold(threshold, outputs.shape[1])
    if declared != "logits":
        if ending.head is not None:
            return dataclasses.replace(ending.head, notes=_class_notes(ending))
        if ending.name == "linear" and declared is None and not are_probabilities(outputs):
            return Head(function, outputs.shape[1], "linear head", parts)
    head = from_outputs(function, images, declared)
    return dataclasses.replace(head, parts=parts) if head.logits is function else head


def _only_rows(structure: Any) -> Any:
    """The rows of scores in a structure of outputs."""
    outputs = named_outputs(structure)
    return as_rows(outputs[choose(outputs, None)])


def _class_notes(ending: Ending) -> tuple[str, ...]:
    return () if ending.name == "softmax" else (f"one {ending.name} a class: the largest decides",)


def from_function(
    fn: graphs.Function,
    images: np.ndarray,
    declared: str | None,
    *,
    output: str | int | None = None,
    threshold: float | None = None,
    num_classes: int | None = None,
) -> Head:
    """Interprets the outputs of a function as declared, or else detects whether they are logits or probabilities.

    Args:
      fn: from images to (n, K), (n, 1) for two classes, or a structure of such.
      images: (n, H, W, C) float32 samples.
      declared: "logits", "probabilities", or None to detect which.
      output: name or place of the output that classifies; None if there is only one.
      threshold: as in `find_logits`.
      num_classes: K if it is known.

    Raises:
      UserError: there are several outputs, or they do not match `num_classes` or what was declared.
    """
    notes: dict[str, None] = {}  # in their order, each once

    def scores(x: Any) -> Any:
        outputs = named_outputs(fn(x))
        name = choose(outputs, output)
        if len(outputs) > 1:
            notes[f"output {name} of {', '.join(outputs)}"] = None
        notes.update(dict.fromkeys(rows_notes(outputs[name])))
        return as_rows(outputs[name])

    columns = sample_outputs(scores, images).shape[1]
    if columns == 1 and num_classes in (None, 2):
        head = binary.find_logits(scores, None, Ending(""), images, declared, threshold)
    else:
        binary.check_threshold(threshold, columns)
        head = from_outputs(scores, images, declared, num_classes)
    return dataclasses.replace(head, notes=(*notes, *head.notes))


def from_outputs(fn: graphs.Function, images: np.ndarray, declared: str | None, num_classes: int | None = None) -> Head:
    """Interprets rows of several scores as declared, or else detects whether they are logits or probabilities.

    Raises:
      UserError: the outputs do not match `num_classes` or what was declared.
    """
    outputs = sample_outputs(fn, images)
    classes = outputs.shape[1]
    if num_classes not in (None, classes):
        raise expected(f"outputs for {num_classes} classes", f"{classes} columns", "Change num_classes=.")
    probabilities = are_probabilities(outputs)
    if declared == "logits":
        note = ", though they look like probabilities" if probabilities else ""
        return Head(fn, classes, f"outputs declared to be logits{note}")
    if probabilities:
        return Head(lambda x: _logarithm(as_float(fn(x))), classes, SATURATES)
    if declared == "probabilities":
        return _independent(fn, outputs)
    if are_probabilities(np.exp(np.minimum(outputs, 1))):
        return Head(fn, classes, "log-softmax, whose outputs are logits")
    doubt = "outputs between 0 and 1, read as they are: declare probabilities (--outputs) if each is one of its own"
    notes = (doubt,) if within_unit(outputs) else ()
    return Head(fn, classes, "outputs taken for logits, since their rows do not sum to one", notes=notes)


def _logarithm(p: tf.Tensor) -> tf.Tensor:
    """Logarithms by way of float64. TensorFlow's of float32 may differ for equal numbers, by their place in the tensor.

    A quantised model has ties, and the first of equal classes is its prediction wherever it stands in a batch.
    """
    return tf.cast(tf.math.log(tf.cast(tf.maximum(p, _TINY), tf.float64)), tf.float32)


def _independent(fn: graphs.Function, outputs: np.ndarray) -> Head:
    """The log-odds of outputs that are declared to be probabilities, and don't sum to one: one of its own a class."""
    if not within_unit(outputs):
        low, high = outputs.min(), outputs.max()
        expectation = "probabilities, which sum to one, or one between 0 and 1 a class"
        raise expected(expectation, f"outputs from {low:g} to {high:g}", _HINT)
    notes = ("probabilities that do not sum to one, one of its own a class: the largest decides",)
    return Head(lambda x: binary.log_odds(as_float(fn(x))), outputs.shape[1], binary.SATURATES, notes=notes)
