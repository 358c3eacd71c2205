"""The function of a SavedModel that classifies images, chosen among its signatures.

A signature is a function with named inputs and outputs. Its images may be whole numbers, and its batches of a fixed size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tfinv.errors import expected
from tfinv.importing.loaded import Loaded

_DEFAULT = "serving_default"
_AGAIN = "tf.saved_model.save(module, folder, signatures=function), with a function of the tensor of images."
_RANDOM = re.compile(
    r"Random(Uniform(Int)?|StandardNormal|Shuffle|Gamma)|TruncatedNormal|Multinomial|Rng\w+|Stateful[USTF]\w+"
)
_STATELESS_RANDOM = re.compile(r"Stateless(Random|Truncated|Multinomial|ParameterizedT|Shuffle)\w*")
_ASSIGNMENT = re.compile(r"Assign(Add|Sub)?VariableOp")


def classifying_function(signatures: dict[str, Any], path: Any) -> Loaded:
    """Returns the function of the signature serving_default, or else of the one that takes images.

    Where several others take images, it returns the outputs of all of them, by the names SIGNATURE.OUTPUT.

    Args:
      signatures: concrete functions by name.
      path: of the SavedModel, for errors.

    Raises:
      UserError: no signature takes one tensor of images, or several take images of different shapes.
    """
    named = {name: function for name, function in sorted(signatures.items()) if not name.startswith("__")}
    inputs = {name: image for name, function in named.items() if (image := _image_input(function))}
    mapped = {name for name, (_, spec) in inputs.items() if spec.shape.rank > 2}
    # Flat images, which are numbers in a row, are those of a model that takes no others.
    usable = {name: named[name] for name in inputs if name in mapped or not mapped}
    if _DEFAULT in usable:
        usable = {_DEFAULT: usable[_DEFAULT]}
    if not usable:
        raise _refusal(named, path)
    shapes = {name: tuple(inputs[name][1].shape[1:]) for name in usable}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} of {shape}" for name, shape in shapes.items())
        raise expected(
            "a SavedModel of images of one shape", f"{path} with the signatures {listed}", f"Save one: {_AGAIN}"
        )
    notes = [] if _DEFAULT in usable else [f"signature {' and '.join(usable)}"]
    functions = {}
    for name, function in usable.items():
        functions[name], more = _as_function_of_floats(function)
        notes += [note for note in (*more, *_state_notes(function)) if note not in notes]
    whole = all(inputs[name][1].dtype.is_integer for name in usable)
    notes += ["pixels from 0 to 255 where --bounds says no others, since its input is whole numbers"] * whole
    bounds = (0.0, 255.0) if whole else None
    return Loaded(call=_joined(functions), input_shape=next(iter(shapes.values())), notes=tuple(notes), bounds=bounds)


def _image_input(function: Any) -> tuple[str, tf.TensorSpec] | None:
    """Returns name and specification of the only input, if it is numbers in a row, or with a height and a width; else None."""
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        return None
    ((name, spec),) = inputs.items()
    numeric = spec.dtype.is_floating or spec.dtype.is_integer
    return (name, spec) if numeric and spec.shape.rank in (2, 3, 4) else None


def _refusal(named: dict[str, Any], path: Any) -> Exception:
    if not named:
        return expected(
            f"a SavedModel with the signature {_DEFAULT}", f"{path} without signatures", f"Save it: {_AGAIN}"
        )
    inputs = {name: function.structured_input_signature[1] for name, function in named.items()}
    described = {
        name: ", ".join(f"{spec.dtype.name} {spec.shape}" for spec in specs.values()) for name, specs in inputs.items()
    }
    listed = "; ".join(f"{name} of {text or 'nothing'}" for name, text in described.items())
    strings = any(spec.dtype == tf.string for specs in inputs.values() for spec in specs.values())
    why = ". Strings are files or serialised examples, through which no pixel can be changed" if strings else ""
    return expected(
        "a SavedModel with a signature of one tensor of images (batch, height, width, channels)",
        f"{path} with the signatures {listed}{why}",
        f"Save it once more: {_AGAIN}",
    )


def _as_function_of_floats(function: Any) -> tuple[Callable[[Any], Any], list[str]]:
    """Returns a function from float32 images in a batch of any size to named outputs, and notes."""
    name, spec = _image_input(function)  # type: ignore[misc]  # it was chosen for having one
    notes = []
    call: Callable[[Any], Any]
    twin = float_twin(function) if spec.dtype.is_integer else None
    if twin is not None:
        call = twin
        notes.append(f"input of {spec.dtype.name} taken as floats, so that gradients flow")
    elif spec.dtype.is_integer:
        call = lambda x: function(**{name: tf.cast(tf.round(x), spec.dtype)})  # noqa: E731
        notes.append(f"pixels rounded to {spec.dtype.name}, through which no gradient flows")
    else:
        call = lambda x: function(**{name: tf.cast(x, spec.dtype)})  # noqa: E731
    # Labels and names of classes are no scores.
    scores = [key for key, value in function.structured_outputs.items() if value.dtype.is_floating]
    scores = scores or list(function.structured_outputs)

    def of_scores(x: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = call(x)
        return {key: outputs[key] for key in scores}

    if spec.shape[0] is None:
        return of_scores, notes
    notes.append(f"images given to it in batches of {spec.shape[0]}, as it was saved")
    kinds = {key: function.structured_outputs[key].dtype for key in scores}
    return _in_batches(of_scores, spec.shape[0], kinds), notes


def _in_batches(call: Callable[[Any], Any], size: int, kinds: dict[str, tf.DType]) -> Callable[[Any], Any]:
    """Returns the function for batches of any size, of one that takes batches of one size."""

    def mapped(x: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(x)[0]
        padded = tf.concat([x, tf.repeat(x[-1:], -count % size, axis=0)], 0)
        parts = tf.reshape(padded, (-1, size, *x.shape[1:]))
        outputs = tf.map_fn(call, parts, fn_output_signature=kinds)
        return {key: tf.reshape(y, tf.concat([[-1], tf.shape(y)[2:]], 0))[:count] for key, y in outputs.items()}

    return mapped


def float_twin(function: Any) -> Callable[[Any], Any] | None:
    """Returns the same function of float images, with constants for its variables, of one of whole numbers.

    Its first operation on the images has to be a cast to floats, which is left out: a cast has no gradient.

    Returns:
      None if it begins with another operation, or if the two differ.
    """
    spec = _image_input(function)[1]  # type: ignore[index]
    try:
        frozen = convert_to_constants.convert_variables_to_constants_v2(function)
        graph = frozen.graph.as_graph_def()
        source = frozen.inputs[0].op.name
        users = list(_users(graph, source))
        kinds = {node.name: tf.as_dtype(node.attr["DstT"].type) for node in users if node.op == "Cast"}
        if (
            not kinds
            or {node.op for node in users} - {"Cast", "Shape"}
            or not all(k.is_floating for k in kinds.values())
        ):
            return None

        def restored(x: tf.Tensor) -> list[tf.Tensor]:
            replaced = {f"{name}:0": tf.cast(x, kind) for name, kind in kinds.items()}
            replaced[f"{source}:0"] = tf.cast(x, spec.dtype)  # for its shape
            return tf.graph_util.import_graph_def(graph, replaced, [tensor.name for tensor in frozen.outputs], name="")

        wrapped = tf.compat.v1.wrap_function(restored, [tf.TensorSpec(spec.shape, tf.float32)])

        def twin(x: tf.Tensor) -> Any:
            return tf.nest.pack_sequence_as(function.structured_outputs, wrapped(x), expand_composites=True)

        shape = [size or fallback for size, fallback in zip(spec.shape, (2, 64, 64, 3), strict=False)]
        images = np.random.default_rng(0).integers(0, 127, shape)
        exact, copied = function(tf.cast(images, spec.dtype)), twin(tf.cast(images, tf.float32))
    except Exception:  # a graph of any kind may fail in any way, and is then used itself
        return None
    pairs = zip(keras.tree.flatten(exact), keras.tree.flatten(copied), strict=True)
    return twin if all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs if a.dtype.is_floating) else None


def _users(graph: Any, source: str) -> Iterator[Any]:
    """Yields the operations that take the output of one, also through the identity."""
    for node in graph.node:
        if source in (name.split(":")[0] for name in node.input):
            if node.op == "Identity":
                yield from _users(graph, node.name)
            else:
                yield node


def _joined(functions: dict[str, Callable[[Any], dict[str, Any]]]) -> Callable[[Any], Any]:
    """Returns one function for those of several signatures; its single output, or a dictionary of them."""

    def call(x: tf.Tensor) -> Any:
        if len(functions) == 1:
            (outputs,) = (function(x) for function in functions.values())
        else:
            outputs = {f"{name}.{key}": y for name, function in functions.items() for key, y in function(x).items()}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    return call


def _state_notes(function: Any) -> Iterator[str]:
    """Yields notes on a function that draws at random, or that goes on learning, while it serves."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    operations = {node.op for node in nodes}
    assigned = {tf.as_dtype(node.attr["dtype"].type).is_floating for node in nodes if _ASSIGNMENT.fullmatch(node.op)}
    # Keras draws by a seed and counts it up, which assigns a whole number; a fixed seed always gives the same.
    counted = False in assigned and any(_STATELESS_RANDOM.fullmatch(operation) for operation in operations)
    if counted or any(_RANDOM.fullmatch(operation) for operation in operations):
        yield "it draws at random while it serves, as where augmentation was saved with it"
    if True in assigned:
        yield "it changes its variables while it serves, as batch norm in training does"
