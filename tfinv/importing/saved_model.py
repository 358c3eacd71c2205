"""Loads a SavedModel folder as a function, after a check of the operations in its graph.

A SavedModel is a program. Most operations only compute; a few read and write files, run Python or use the network. The check
reads the file itself, before TensorFlow loads (and so initialises) anything.
"""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from tfinv.errors import expected
from tfinv.importing.loaded import UNSAFE_HINT, Loaded, ReadOptions, damaged
from tfinv.importing.signatures import classifying_function

# Operations with side effects are refused unless they are listed here as harmless: variables, control flow, random numbers.
_HARMLESS = re.compile(
    r"VarHandleOp|VarIsInitializedOp|VariableShape|ReadVariableOp|Assign(Add|Sub)?VariableOp|DisableCopyOnRead|"
    r"DestroyResourceOp|ResourceGather(Nd)?|StatefulPartitionedCall|If|While|Case|Assert|Empty|CheckNumerics(V2)?|"
    r"Random(Uniform(Int)?|StandardNormal|Shuffle|Gamma)|TruncatedNormal|Multinomial|Rng(ReadAndSkip|Skip)|"
    r"Stateful(Uniform(FullInt|Int)?|StandardNormal(V2)?|TruncatedNormal)|StatelessRandomGetAlg|TensorArray\w*V3|"
    r"CudnnRNN(V2|V3)?|CudnnRNNBackprop(V2|V3)?|HashTableV2|LookupTable(Find|Import|Size)V2|"
    r"Variable(V2)?|Assign(Add|Sub)?|IsVariableInitialized"
)
# Stateless for TensorFlow, but they read files, run Python or write dumps.
_HARMFUL = re.compile(r"File|PyFunc|Reader|Debug|Dump|Dataset|ImmutableConst|ProtoV2|CustomCall|Checkpoint|Summary")
# Operations that Keras and TensorFlow add to every SavedModel to save and restore variables; inference does not run them.
_SAVER = re.compile(r"SaveV2|RestoreV2|MergeV2Checkpoints|ShardedFilename")


def read(path: pathlib.Path, options: ReadOptions) -> Loaded:
    """Reads the serving function of a SavedModel.

    Args:
      path: a folder with saved_model.pb.
      options: whether to load it without the check.

    Raises:
      UserError: the SavedModel is damaged, contains suspicious operations, or serves no function of images.
    """
    model = parse(path)
    if not options.unsafe:
        operations = suspicious_operations(model)
        if operations:
            raise _refusal(path, operations)
    try:
        with _without_optimizers(path, model) as folder:
            loaded = tf.saved_model.load(folder, tags=_tags(model))
    except Exception as error:  # a damaged SavedModel fails in many ways
        raise damaged("a whole SavedModel", path, error) from error
    function = classifying_function(loaded.signatures, path)
    function.call.keep_alive = loaded  # type: ignore[union-attr]  # a function does not keep its model's variables alive
    return function


def parse(path: pathlib.Path) -> Any:
    """Returns the protocol buffer in a SavedModel.

    Raises:
      UserError: it is damaged.
    """
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
    except (DecodeError, OSError) as error:
        raise damaged("a whole SavedModel", path, error) from error
    if not model.meta_graphs:
        raise expected("a whole SavedModel", f"{path}, which is empty", "Save it again.")
    return model


def _refusal(path: pathlib.Path, operations: list[str]) -> Exception:
    """Returns the error for a SavedModel with suspicious operations."""
    if operations == ["XlaCallModule"]:
        received = f"{path} with the operation XlaCallModule, a compiled program such as JAX stores, which can't be looked into"
    else:
        received = f"{path} with the operations {', '.join(operations)}, which may reach files, Python or the network"
    return expected("a SavedModel that only computes", received, UNSAFE_HINT)


def _tags(model: Any) -> list[str] | None:
    """Returns the tags of the graph that serves, where there are several graphs."""
    return ["serve"] if len(model.meta_graphs) > 1 else None


@contextlib.contextmanager
def _without_optimizers(path: pathlib.Path, model: Any) -> Iterator[str]:
    """Yields a folder with the SavedModel in which an optimizer of Keras 2 is an object like any other.

    TensorFlow restores the slots of such an optimizer through Keras 2, which may not be there. Nothing that is served uses them.
    """
    slotted = False
    for meta in model.meta_graphs:
        for node in meta.object_graph_def.nodes:
            if node.user_object.identifier == "optimizer":
                node.user_object.identifier = "_generic_user_object"
                del node.slot_variables[:]
                slotted = True
    if not slotted:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        for entry in path.iterdir():
            if entry.name not in ("saved_model.pb", "fingerprint.pb"):
                os.symlink(entry.absolute(), os.path.join(folder, entry.name))
        pathlib.Path(folder, "saved_model.pb").write_bytes(model.SerializeToString())
        yield folder


def suspicious_operations(model: Any) -> list[str]:
    """Returns the names of the operations in a SavedModel, as a protocol buffer, that may do more than compute."""
    suspicious: set[str] = set()
    for meta in model.meta_graphs:
        savers = _saver_functions(meta)
        functions = meta.graph_def.library.function
        function_names = {function.signature.name for function in functions}
        for function in functions:
            for node in function.node_def:
                if function.signature.name in savers and _SAVER.fullmatch(node.op):
                    continue
                if node.op not in function_names and _is_suspicious(node.op):
                    suspicious.add(node.op)
        # Only functions of an object graph are run. Without one, as of TensorFlow 1, or beside others, the graph itself is.
        objects = meta.HasField("object_graph_def") and len(model.meta_graphs) == 1
        idle = {node.name for node in meta.graph_def.node} if objects else _idle_savers(meta)
        for node in meta.graph_def.node:
            saver = node.name in idle and _SAVER.fullmatch(node.op)
            if not saver and node.op not in function_names and _is_suspicious(node.op):
                suspicious.add(node.op)
    return sorted(suspicious)


def _is_suspicious(operation: str) -> bool:
    definition = op_def_registry.get(operation)
    if definition is None or _HARMFUL.search(operation):
        return True
    return definition.is_stateful and not _HARMLESS.fullmatch(operation)


def _saver_functions(meta: Any) -> set[str]:
    """Returns the functions that only the saver calls; operations of other functions are checked as usual."""
    saver_nodes = {meta.saver_def.save_tensor_name.split(":")[0], meta.saver_def.restore_op_name}
    called = {name for node in meta.graph_def.node if node.name in saver_nodes for name in _callees(node)}
    elsewhere = set(meta.object_graph_def.concrete_functions)
    elsewhere |= {name for node in meta.graph_def.node if node.name not in saver_nodes for name in _callees(node)}
    elsewhere |= {name for f in meta.graph_def.library.function for node in f.node_def for name in _callees(node)}
    return called - elsewhere


def _idle_savers(meta: Any) -> set[str]:
    """Returns the operations of a graph of TensorFlow 1 that save it, and are not run, or that restore it from its own folder."""
    inputs = {node.name: [name.lstrip("^").split(":")[0] for name in node.input] for node in meta.graph_def.node}
    saver = meta.saver_def
    restoring = _ancestors({saver.restore_op_name}, inputs)
    run = _ancestors(_results(meta), inputs)
    file_name = saver.filename_tensor_name.split(":")[0]
    restorers = {
        node.name for node in meta.graph_def.node if node.op == "RestoreV2" and inputs[node.name][:1] == [file_name]
    }
    return inputs.keys() - run - (restoring - restorers)


def _results(meta: Any) -> set[str]:
    """Returns the operations whose results TensorFlow may ask for: outputs, initialisers and the start values of variables."""
    names = {tensor.name for signature in meta.signature_def.values() for tensor in signature.outputs.values()}
    for collection in meta.collection_def.values():
        names.update(collection.node_list.value)
        for content in collection.bytes_list.value:
            with contextlib.suppress(DecodeError):
                variable = variable_pb2.VariableDef.FromString(content)
                names |= {variable.initial_value_name, variable.initializer_name, variable.snapshot_name}
    return {name.lstrip("^").split(":")[0] for name in names}


def _ancestors(names: set[str], inputs: dict[str, list[str]]) -> set[str]:
    """Returns operations, and all those that they need."""
    reached: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack.extend(inputs.get(name, ()))
    return reached


def _callees(node: Any) -> Iterator[str]:
    yield node.op  # a function may be called by its own name
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
