"""Reads an .onnx file as a black box, run by ONNX Runtime on the processor.

The file is read as data first: operations that need a library of their own are refused, and so are weights outside of its folder.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from tfinv.errors import expected
from tfinv.importing.deployed import black_box
from tfinv.importing.deployed.description import describe, literal_names
from tfinv.importing.loaded import Loaded, ReadOptions, damaged, innermost

# Domains of the operations that ONNX Runtime has itself, and those among them that name a file or run Python.
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_REACHING = ("EPContext", "PythonOp", "PythonOpGrad", "ATen")
_CLASS_NAMES = ("names", "class_names", "classes", "labels", "id2label")
# Image.NominalPixelRange of the metadata that ONNX describes, in lower case.
_RANGES = {
    "nominalrange_0_255": (0.0, 255.0),
    "normalized_0_1": (0.0, 1.0),
    "normalized_1_1": (-1.0, 1.0),
    "nominalrange_16_235": (16.0, 235.0),
}
_OPERATIONS = {"sigmoid": "logistic", "logsoftmax": "log_softmax"}
_FORMS = ("cast", "dequantizelinear", "flatten", "identity", "quantizelinear", "reshape", "squeeze")
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    **{f"tensor({name})": np.dtype(name).type for name in ("uint8", "int8", "uint16", "int16", "int32", "int64")},
}
_EXPORT = "Export it again as one .onnx file."


def read(path: pathlib.Path, options: ReadOptions) -> Loaded:
    """Reads an .onnx file, with the files of its weights beside it, if it has any.

    Args:
      path: the file.
      options: not needed, since the file can hold no code.

    Raises:
      UserError: onnx or ONNX Runtime isn't installed; the file is damaged, has operations or weights elsewhere, or more than one
        input.
    """
    onnx = black_box.runtime("onnx", "onnx", "onnx", path)
    runtime = black_box.runtime("onnxruntime", "onnxruntime", "onnx", path)
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise damaged("a whole .onnx file", path, error, _EXPORT) from error
    if not model.graph.output:
        raise expected("a whole .onnx file", f"{path}, which has no graph", _EXPORT)
    _check_operations(model, path)
    folder = _check_weights(model, path)
    runner = _Runner(runtime, model, path, folder)
    return _describe(model, runner)


def _describe(model: Any, runner: _Runner) -> Loaded:
    """The model as its file describes it, with the function that predicts."""
    texts = {entry.key: entry.value for entry in model.metadata_props}
    source, class_names = next(
        ((key, names) for key in _CLASS_NAMES if (names := literal_names(texts.get(key, "")))), ("", None)
    )
    pixels = {key.lower(): value.lower() for key, value in texts.items() if key.lower().startswith("image.")}
    notes = black_box.rounding_notes(runner.dtype)
    if pixels.get("image.bitmappixelformat", "").startswith("bgr"):
        notes.append("its metadata says that it takes BGR: pass --channels=bgr")
    whole = np.issubdtype(runner.dtype, np.integer)
    return describe(
        runner,
        [_output(model, value) for value in runner.outputs],
        runtime=f"an .onnx file, run by ONNX Runtime {black_box.version('onnxruntime')}",
        class_names=class_names,
        source=f"{source!r} in the file's metadata",
        notes=notes,
        bounds=_RANGES.get(pixels.get("image.nominalpixelrange", "")) or ((0.0, 255.0) if whole else None),
    )


class _Runner:
    """The model in sessions: that of the file, and one for any number of images if the file has a fixed one.

    Args:
      runtime: the module of ONNX Runtime.
      model: the file's message.
      path: of the file, for errors.
      folder: of its weights, if it has them in other files.

    Attributes:
      shape: of one image; sizes may be None.
      dtype: of the input.
      size: of the file's own batch; 1 if it takes any.
      outputs: as ONNX Runtime describes them, those that are tensors.

    Raises:
      UserError: ONNX Runtime refuses the model, or it has several inputs or one that is no image.
    """

    def __init__(self, runtime: Any, model: Any, path: pathlib.Path, folder: pathlib.Path | None):
        self._runtime, self._folder = runtime, folder
        try:
            self._fixed = self._session(model)
        except Exception as error:  # the runtime has exceptions of its own
            raise expected(
                "an .onnx file that ONNX Runtime can run", f"{path} ({innermost(error)})", _EXPORT
            ) from error
        inputs = self._fixed.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            kinds = ", ".join(f"{value.name}: {value.type}" for value in inputs)
            raise expected(
                "an .onnx file with one input of numbers", f"{path} with {kinds}", "Export one of images alone."
            )
        self._input = inputs[0].name
        self.dtype: Any = _TYPES[inputs[0].type]
        sizes = [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]
        self.shape, self.size = tuple(sizes[1:]), (sizes[0] if sizes else None) or 1
        self.outputs = [value for value in self._fixed.get_outputs() if value.type in _TYPES]
        self._free = self._fixed
        if sizes and sizes[0] is not None:
            try:
                self._free = self._session(_with_free_batch(model, self._input))
            except Exception:  # then the file's own size is the only one
                self._free = None

    def any_number(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts several images at once: (n, ...) float32 to the outputs."""
        x, most = self._cast(x), black_box.most_at_once(x.shape[1:])
        return black_box.joined([self._run(self._free, x[start : start + most]) for start in range(0, len(x), most)])

    def one_size(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts as `any_number` does, in batches of the file's own size."""
        return black_box.in_batches_of(self.size, self._cast(x), lambda batch: self._run(self._fixed, batch))

    def _session(self, model: Any) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = black_box.threads(), 1
        options.use_deterministic_compute = True
        options.log_severity_level = 4  # errors are raised, and need not be printed
        # Threads that wait for work in a loop would take the time of those of TensorFlow.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._folder is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(self._folder))
        return self._runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _cast(self, x: np.ndarray) -> np.ndarray:
        if np.issubdtype(self.dtype, np.integer):
            return black_box.as_integers(x, self.dtype)
        return x.astype(self.dtype, copy=False)

    def _run(self, session: Any, batch: np.ndarray) -> list[np.ndarray]:
        return session.run([value.name for value in self.outputs], {self._input: np.ascontiguousarray(batch)})


def _with_free_batch(model: Any, name: str) -> Any:
    """A copy of a model whose input takes any number of images; whether what is within does, has to be tried."""
    copy = type(model)()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in (*(v for v in copy.graph.input if v.name == name), *copy.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "images"
    return copy


def _output(model: Any, value: Any) -> black_box.Output:
    """An output with the operations that lead to it."""
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in value.shape[1:])
    makers = {output: node for node in model.graph.node for output in node.output}
    operations: list[str] = []
    tensor, levels = value.name, None
    while tensor in makers and len(operations) < len(makers):
        node = makers[tensor]
        name = node.op_type.lower()
        operations.append(_OPERATIONS.get(name, name))
        levels = 256 if name in ("dequantizelinear", "quantizelinear") else levels
        if name not in _FORMS or not node.input:
            break
        tensor = node.input[0]
    is_whole = levels is None and np.issubdtype(_TYPES[value.type], np.integer)
    return black_box.Output(value.name, shape, tuple(operations), levels, is_whole)


def _check_operations(model: Any, path: pathlib.Path) -> None:
    """Raises UserError for operations that ONNX Runtime doesn't have, or that reach beyond the file."""
    functions = {(function.domain, function.name) for function in model.functions}
    foreign = {
        f"{node.domain}::{node.op_type}"
        for node in _nodes(model)
        if (node.domain, node.op_type) not in functions and (node.domain not in _DOMAINS or node.op_type in _REACHING)
    }
    if foreign:
        raise expected(
            "an .onnx file of ONNX's own operations",
            f"{path} with {', '.join(sorted(foreign))}, which need libraries or files of their own",
            "Export it without them, or pass the model that it was made from.",
        )


def _check_weights(model: Any, path: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of weights in other files, or None if there are none.

    Raises:
      UserError: one of these files isn't there, or not in the folder of the model.
    """
    folder, locations = path.parent.resolve(), set()
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL:
            locations.add({entry.key: entry.value for entry in tensor.external_data}.get("location", ""))
    for location in sorted(locations):
        file = (folder / location).resolve()
        plain = not pathlib.PurePosixPath(location).is_absolute() and not set(location) & set("*\\\0")
        if not (location and plain and file.is_relative_to(folder)):
            raise expected(
                "weights in the folder of the .onnx file",
                f"{path}, which has some in {location!r}",
                "Export it again as one file, or with its weights beside it.",
            )
        if not file.is_file():
            raise expected(f"the file {file}, which has weights of {path}", "no such file", "Copy it there, too.")
    return folder if locations else None


def _nodes(model: Any) -> Iterator[Any]:
    """All operations, those inside of others, too."""
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        yield from _inner_nodes(nodes)


def _inner_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        for graph in _inner_graphs(node):
            yield from _inner_nodes(graph.node)


def _inner_graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        yield from ([attribute.g] if attribute.HasField("g") else [])
        yield from attribute.graphs


def _tensors(model: Any) -> Iterator[Any]:
    """All tensors that have values."""
    nodes = list(_nodes(model))
    for graph in (model.graph, *(graph for node in nodes for graph in _inner_graphs(node))):
        yield from graph.initializer
        yield from (part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices))
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
