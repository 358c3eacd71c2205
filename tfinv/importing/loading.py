"""`load_classifier`: a file or a folder becomes a `Classifier`.

Each kind of file has a reader; `kinds` tells which. What belongs in front of the model, and which of its outputs counts, is said
by the arguments, or by the file itself.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfinv import paths
from tfinv.classifier import validation
from tfinv.classifier.classifier import Classifier, Outputs
from tfinv.classifier.inputs.front import Wishes, make_front
from tfinv.errors import expected
from tfinv.importing import keras_file, kinds, pairs, saved_model
from tfinv.importing.deployed import litert, onnx_file
from tfinv.importing.loaded import Loaded, ReadOptions
from tfinv.importing.preprocessing import Preprocessing, front_layer, parse

# Functions from a path and options to what is there.
READERS: dict[str, Callable[[Any, ReadOptions], Loaded]] = {
    "keras": keras_file.read,
    "hdf5": keras_file.read,
    "keras_folder": keras_file.read,
    "architecture": pairs.read,
    "weights": pairs.read,
    "saved_model": saved_model.read,
    "tflite": litert.read,
    "onnx": onnx_file.read,
}


def load_classifier(
    path: str | os.PathLike,
    bounds: tuple[float, float] | None = None,
    *,
    outputs: Outputs | None = None,
    output: str | int | None = None,
    threshold: float | None = None,
    features_layer: str | None = None,
    image_size: tuple[int, int] | None = None,
    preprocessing: str | None = None,
    channels: str = "rgb",
    class_names: Sequence[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    allow_unsafe_deserialization: bool = False,
) -> Classifier:
    """Loads the model in a file or a folder as a `Classifier`.

    Args:
      path: the file or folder.
      bounds: the range of the input pixels, before `preprocessing`; (0, 255) if the model rescales them itself. None for the
        range that the preprocessing takes, or that the file says, or else (0, 1), or (0, 255) for a model of whole numbers.
      outputs: "logits" or "probabilities"; None to detect which.
      output: name or index of the output that classifies, of a model with several.
      threshold: probability of class 1 from which a model of one unit says 1; None for .5.
      features_layer: the layer whose output `features` returns; None for the last map, see
        `tfinv.classifier.features`. Keras models only.
      image_size: (height, width) of the images, for a model that takes any, or flat ones.
      preprocessing: what the model's training did to its images that is not part of the model; see
        `tfinv.importing.preprocessing`.
      channels: "bgr" if the model was trained on images with the channels of OpenCV.
      class_names: names of the classes in the order of the outputs; None for those that the file has, if it has any.
      custom_objects: custom layers and functions that a Keras file refers to, by name.
      allow_unsafe_deserialization: whether to run code in the file.

    Raises:
      UserError: the file is missing, damaged, of another format, unsafe, or no image classifier.
    """
    path = paths.expand(path)
    options = ReadOptions(allow_unsafe_deserialization, dict(custom_objects or {}))
    loaded = READERS[kinds.kind_of(path)](path, options)
    front, notes = _preprocessing(loaded, preprocessing, bounds)
    if bounds is None:
        bounds = front.bounds if front else loaded.bounds
    wishes = Wishes(image_size or loaded.image_size, channels, None if notes else front)
    heads = {"outputs": outputs, "output": output, "threshold": threshold}
    classifier = _assemble(loaded, path, bounds, wishes, features_layer, heads)
    names = loaded.class_names if class_names is None else class_names
    return dataclasses.replace(
        classifier,
        notes=(*loaded.notes, *notes, *classifier.notes),
        class_names=None if names is None else validation.check_class_names(names, classifier.num_classes),
    )


def _preprocessing(loaded: Loaded, text: str | None, bounds: Any) -> tuple[Preprocessing | None, tuple[str, ...]]:
    """The preprocessing in front of a model, and a note where the model has it already."""
    text = loaded.preprocessing if text is None else text
    if text is None or text == "none":
        return None, ()
    front = parse(text, bounds)
    layer = front_layer(loaded.model) if loaded.model is not None and front.network else None
    if layer is None:
        return front, ()
    return front, (f"preprocessing {front.text} left out, since the model's layer {layer} rescales the pixels",)


def _assemble(
    loaded: Loaded, path: Any, bounds: Any, wishes: Wishes, features_layer: str | None, heads: dict[str, Any]
) -> Classifier:
    """The classifier of what a reader returned."""
    if loaded.model is not None:
        return Classifier.from_keras(
            loaded.model,
            bounds,
            features_layer=features_layer,
            image_size=wishes.image_size,
            preprocessing=wishes.preprocessing,
            channels=wishes.channels,
            **heads,
        )
    if features_layer is not None:
        raise expected("a .keras or .h5 file for features_layer", path, "Leave out --features_layer.")
    front = make_front(loaded.input_shape, "float32", wishes)
    classifier = Classifier._from_front(loaded.call, front, bounds or (0.0, 1.0), **heads)  # type: ignore[arg-type]
    return dataclasses.replace(classifier, differentiable=loaded.differentiable and classifier._has_gradient())
