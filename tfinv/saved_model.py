"""Runs a SavedModel folder as a function, after a look at what its graph may do.

A SavedModel is a program. Most of its operations compute; a few read and write files, run Python or reach the network, and
those are found in the file itself, before TensorFlow loads (and so initialises) anything.
"""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from tfinv import heads
from tfinv.errors import expected

# Operations with effects are refused unless they are known to be harmless: variables, control flow, random numbers.
_HARMLESS = re.compile(
    r"VarHandleOp|VarIsInitializedOp|VariableShape|ReadVariableOp|Assign(Add|Sub)?VariableOp|DisableCopyOnRead|"
    r"DestroyResourceOp|ResourceGather(Nd)?|StatefulPartitionedCall|If|While|Case|Assert|Empty|CheckNumerics(V2)?|"
    r"Random(Uniform(Int)?|StandardNormal|Shuffle|Gamma)|TruncatedNormal|Multinomial|Rng(ReadAndSkip|Skip)|"
    r"Stateful(Uniform(FullInt|Int)?|StandardNormal(V2)?|TruncatedNormal)|StatelessRandomGetAlg|TensorArray\w*V3|"
    r"CudnnRNN(V2|V3)?|CudnnRNNBackprop(V2|V3)?"
)
# Without effects as TensorFlow counts them, but they read files, run Python or write dumps.
_HARMFUL = re.compile(r"File|PyFunc|Reader|Debug|Dump|Dataset|ImmutableConst|ProtoV2|CustomCall|Checkpoint|Summary")
# What Keras and TensorFlow add to every SavedModel to save and restore variables; inference does not run it.
_SAVER = re.compile(r"SaveV2|RestoreV2|MergeV2Checkpoints|ShardedFilename")


def load(path: pathlib.Path, unsafe: bool = False) -> tuple[Any, tuple[int | None, ...]]:
    """Returns the function of a SavedModel that is served, and its input's shape without the batch.

    Args:
      path: a folder with saved_model.pb.
      unsafe: whether to load it whatever its operations are.

    Raises:
      UserError: it is damaged, holds suspicious operations, or serves no function of one tensor.
    """
    if not unsafe:
        found = suspicious_operations(path)
        if found:
            raise expected(
                "a SavedModel that only computes",
                f"{path} with the operations {', '.join(found)}, which may reach files, Python or the network",
                "If you trust its author, pass --allow_unsafe_deserialization.",
            )
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # a damaged program fails in many ways
        raise expected("a whole SavedModel", f"{path} ({first_line(error)})", "Export it again.") from error
    function = loaded.signatures.get("serving_default")
    if function is None:
        raise expected(
            "a SavedModel with the signature serving_default",
            f"{path} with {', '.join(sorted(loaded.signatures)) or 'none'}",
            "Export it with model.export().",
        )
    arguments = function.structured_input_signature[1]
    if len(arguments) != 1:
        raise expected("a SavedModel with one input", f"{path} with {len(arguments)}", "Export it with one.")
    ((name, spec),) = arguments.items()
    if spec.shape.rank != 4:
        raise expected("a SavedModel of images (batch, height, width, channels)", f"{path} with {spec.shape}")

    def call(x: tf.Tensor) -> tf.Tensor:
        return heads.only_output(function(**{name: tf.cast(x, spec.dtype)}))

    call.keep_alive = loaded  # type: ignore[attr-defined]  # a function does not hold its model's variables
    return call, tuple(spec.shape.as_list()[1:])


def suspicious_operations(path: pathlib.Path) -> list[str]:
    """The names of the operations in a SavedModel that may do more than compute.

    Raises:
      UserError: saved_model.pb is damaged.
    """
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
    except (DecodeError, OSError) as error:
        raise expected("a whole SavedModel", f"{path} ({first_line(error)})", "Export it again.") from error
    if not model.meta_graphs:
        raise expected("a whole SavedModel", f"{path}, which is empty", "Export it again.")
    found: set[str] = set()
    for meta in model.meta_graphs:
        savers = _saver_functions(meta)
        functions = meta.graph_def.library.function
        own = {function.signature.name for function in functions}
        for function in functions:
            for node in function.node_def:
                if function.signature.name in savers and _SAVER.fullmatch(node.op):
                    continue
                if node.op not in own and _is_suspicious(node.op):
                    found.add(node.op)
        # TensorFlow 2 runs only functions; a file without its object graph is of TensorFlow 1, whose graph runs as it is.
        for node in meta.graph_def.node:
            saver = meta.HasField("object_graph_def") and _SAVER.fullmatch(node.op)
            if not saver and node.op not in own and _is_suspicious(node.op):
                found.add(node.op)
    return sorted(found)


def _is_suspicious(operation: str) -> bool:
    definition = op_def_registry.get(operation)
    if definition is None or _HARMFUL.search(operation):
        return True
    return definition.is_stateful and not _HARMLESS.fullmatch(operation)


def _saver_functions(meta: Any) -> set[str]:
    """The functions that only the saver calls, so that no other function can hide behind their names."""
    saver_nodes = {meta.saver_def.save_tensor_name.split(":")[0], meta.saver_def.restore_op_name}
    called = {name for node in meta.graph_def.node if node.name in saver_nodes for name in _callees(node)}
    elsewhere = set(meta.object_graph_def.concrete_functions)
    elsewhere |= {name for node in meta.graph_def.node if node.name not in saver_nodes for name in _callees(node)}
    elsewhere |= {name for f in meta.graph_def.library.function for node in f.node_def for name in _callees(node)}
    return called - elsewhere


def _callees(node: Any) -> Iterator[str]:
    yield node.op  # a function may be called by its own name
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)


def first_line(error: Exception) -> str:
    """What an error says, short enough for one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
