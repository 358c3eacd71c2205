"""Models that this Keras can't rebuild, through tf_keras, which is Keras 2.

tf_keras imports whatever module a file names, so it gets to see only files whose every class is on a list: layers and what belongs
to them, TensorFlow's operations from the table, and the caller's own classes. The model then becomes one of this Keras again, in
which only the layers that it lacks are those of tf_keras, and whose outputs are compared with tf_keras's; where that fails it is
a function.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from typing import Any

import keras
import numpy as np

from tfinv.errors import expected
from tfinv.importing.loaded import Loaded, ReadOptions, innermost
from tfinv.importing.repairs import config as configs
from tfinv.importing.repairs import operations
from tfinv.importing.repairs.archives import Archive
from tfinv.importing.repairs.context import Context, Unrepairable, plain_name

INSTALL = "pip install 'tfinv[keras2]'"
_OPERATIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
# Layers that run code of the file, or read other files.
_EXCLUDED = ("Lambda", "TFSMLayer", "StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup")
_ROOMS = ("layers", "initializers", "regularizers", "constraints")
_ALWAYS = {
    "Functional",
    "Model",
    "Sequential",
    "Policy",
    "TensorShape",
    "TypeSpec",
    "__tuple__",
    "__ellipsis__",
    "__numpy__",
}
_TOLERANCE = 1e-4  # of a twin's outputs, over their range


def is_installed() -> bool:
    """Whether tf_keras can be imported, without an import of it."""
    return importlib.util.find_spec("tf_keras") is not None


def read(archive: Archive, options: ReadOptions, cause: Exception) -> Loaded:
    """Reads a file of Keras 1 or 2 through tf_keras.

    Args:
      archive: whose configuration passed the check for code.
      options: as for a Keras file.
      cause: why this Keras can't rebuild it.

    Raises:
      Unrepairable: it holds a class that isn't on the list.
      UserError: tf_keras can't load it, either.
    """
    if not options.unsafe:
        _check(archive.config, Context.of(options.custom_objects))
    import tf_keras  # only here: the import takes seconds

    try:
        with archive.weights(), archive.named() as path:
            model = tf_keras.models.load_model(
                path, custom_objects=options.custom_objects, compile=False, safe_mode=not options.unsafe
            )
    except Exception as error:  # tf_keras raises whatever its layers raise
        raise expected(
            "a model that Keras 2 or 3 can load",
            f"{archive.path}, written by Keras {archive.version} (Keras {keras.__version__}: {innermost(cause)}; "
            f"tf_keras {tf_keras.__version__}: {innermost(error)})",
            "Load it in the Keras that wrote it, and save its weights and model.to_json() side by side.",
        ) from error
    note = f"through tf_keras {tf_keras.__version__}, since Keras {keras.__version__} lacks {innermost(cause)}"
    twin = _twin(model, archive, options)
    if twin is not None:
        return Loaded(model=twin, notes=(note,))
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple):
        raise expected("a model with one input", f"{archive.path} with {shape}", "Save one with a single input.")
    return Loaded(call=lambda x: model(x, training=False), input_shape=shape[1:], notes=(note,))


def _check(config: Any, context: Context) -> None:
    """Checks that a configuration names nothing but what is on the list."""
    if isinstance(config, list):
        for item in config:
            _check(item, context)
    if not isinstance(config, dict):
        return
    name = config.get("class_name")
    if isinstance(name, str) and not context.is_custom(name):
        _check_class(name, config)
    for key, item in config.items():
        if key not in ("build_config", "compile_config"):
            _check(item, context)


def _check_class(name: str, config: dict[str, Any]) -> None:
    module, inner = config.get("module"), config.get("config") or {}
    if isinstance(module, str) and module.split(".")[0] not in ("keras", "tf_keras", "builtins"):
        raise Unrepairable(f"the module {module}")
    if config.get("registered_name") not in (None, name, inner):
        raise Unrepairable(f"the class {config['registered_name']}")
    if name == "function":
        if not (isinstance(inner, str) and inspect.isfunction(getattr(keras.activations, inner, None))):
            raise Unrepairable(f"the function {inner}")
    elif name in _OPERATIONS:
        if name == "TensorFlowOpLayer":
            definition: Any = inner.get("node_def")
            operation = f"raw.{definition.get('op')}" if isinstance(definition, dict) else "raw.?"
        else:
            operation = inner.get("function", "__operators__.getitem")
        operations.resolve(str(operation))
    elif name not in _ALWAYS and not _is_listed(name):
        raise Unrepairable(f"the layer {name}")


def _is_listed(name: str) -> bool:
    import tf_keras

    rooms = [getattr(tf_keras, room) for room in _ROOMS]
    rooms += [tf_keras.layers.experimental, tf_keras.layers.experimental.preprocessing]
    return name not in _EXCLUDED and any(inspect.isclass(getattr(room, name, None)) for room in rooms)


class OfKeras2(keras.layers.Layer):
    """A layer of tf_keras among those of this Keras, for inference.

    Args:
      layer: of tf_keras.
    """

    def __init__(self, layer: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self._compute = lambda inputs: layer(inputs)  # behind a function, since it is no layer that Keras could track
        self._layer_of_keras_2 = lambda: layer

    def call(self, inputs: Any) -> Any:
        """The layer's outputs."""
        return self._compute(inputs)


def _twin(model: Any, archive: Archive, options: ReadOptions) -> keras.Model | None:
    """The same graph of layers of this Keras, or of tf_keras where this one lacks them; None if its outputs are others."""
    layers = {plain_name(layer.name): layer for layer in model._flatten_layers()}

    class Stand(OfKeras2):
        def __init__(self, name: str, **kwargs: Any):
            super().__init__(layers[name], name=name, **kwargs)

    def substitute(value: dict[str, Any]) -> dict[str, Any]:
        name = plain_name(value["config"]["name"])
        return {"module": None, "class_name": "Stand", "config": {"name": name}, "registered_name": "tfinv>Stand"}

    try:
        context = Context.of(options.custom_objects)
        repaired = configs.repair(archive.config, dataclasses.replace(context, substitute=substitute))
        twin = keras.saving.deserialize_keras_object(
            repaired, custom_objects=options.custom_objects | {"tfinv>Stand": Stand}
        )
        for layer in twin._flatten_layers():
            if layer.weights and not isinstance(layer, keras.Model) and layer.name in layers:
                layer.set_weights(layers[layer.name].get_weights())
        shape = [size or 32 for size in twin.input_shape[1:]]
    except Exception:  # a graph of another kind
        return None
    noise = np.random.default_rng(0).uniform(size=(4, *shape)).astype(np.float32)
    for images in (noise, 255 * noise):
        truth, outputs = np.asarray(model(images, training=False)), np.asarray(twin(images, training=False))
        if truth.shape != outputs.shape or not np.allclose(
            truth, outputs, rtol=0, atol=_TOLERANCE * max(np.ptp(truth), 1e-3)
        ):
            return None
    return twin
