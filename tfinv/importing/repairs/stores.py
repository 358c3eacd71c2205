"""Weights of a `.keras` file of Keras 2, copied to the names under which this Keras looks for them.

Such a file numbers the layers of each class in the order of the configuration, `layers/conv2d_1/vars/0`; up to Keras 2.13 the
folder is `_layer_checkpoint_dependencies`, and its numbers leave gaps, for each layer was counted under two names.
"""

from __future__ import annotations

import pathlib
import re
import tempfile
from typing import Any

import h5py
import keras

from tfinv.importing.repairs.context import Unrepairable, plain_name

_FOLDERS = ("layers", "_layer_checkpoint_dependencies")


def load(model: keras.Model, source: h5py.File, config: Any) -> None:
    """Fills a model with the weights of a file.

    Args:
      model: built from the repaired configuration.
      source: the file of the weights.
      config: the configuration as the file has it, whose layers give the order.

    Raises:
      Unrepairable: weights and layers don't match one to one.
    """
    with tempfile.TemporaryDirectory(prefix="tfinv-") as folder:
        path = pathlib.Path(folder) / "model.weights.h5"
        with h5py.File(path, "w") as target:
            _copy(model, source, target, config["config"])
        try:
            model.load_weights(path)
        except ValueError as error:  # a count or a shape differs
            raise Unrepairable(f"weights that don't fit ({' '.join(str(error).split())[:200]})") from error


def _copy(model: Any, source: h5py.Group, target: h5py.Group, config: Any) -> None:
    """Copies the weights of a model's layers, those of nested models layer by layer."""
    folder = next((name for name in _FOLDERS if name in source), None)
    stored = _by_class(source[folder]) if folder else {}
    saved = config if isinstance(config, list) else config["layers"]
    layers = {layer.name: layer for layer in model.layers}
    names = _names(model.layers)
    for item in saved:
        class_name, name = item["class_name"].split(">")[-1], plain_name(item["config"]["name"])
        layer = layers.get(name)
        if layer is None or not layer.weights:
            continue
        groups = stored.get(_snake(class_name), [])
        if not groups:
            raise Unrepairable(f"no weights in the file for the layer {name}")
        group = groups.pop(0)
        place = target.create_group(f"layers/{names[name]}")
        if class_name in ("Functional", "Sequential", "Model"):
            _copy(layer, source[folder][group], place, item["config"])
        else:
            _check(layer, source[folder][group])
            for member in source[folder][group]:
                source.copy(source[folder][group][member], place, member)
    rest = [group for groups in stored.values() for group in groups]
    if rest:
        raise Unrepairable(f"weights in the file for no layer ({', '.join(rest[:3])})")


def _check(layer: Any, group: h5py.Group) -> None:
    """Checks that as many arrays are stored as the layer has weights, state of random numbers aside."""
    stored = _count(group)
    if stored != len(layer.weights):
        raise Unrepairable(f"{stored} weights of the layer {layer.name}, which takes {len(layer.weights)}")


def _by_class(folder: h5py.Group) -> dict[str, list[str]]:
    """Names of the groups with weights by their class, in the order of their numbers."""
    classes: dict[str, list[tuple[int, str]]] = {}
    for name in folder:
        if _count(folder[name]):
            match = re.fullmatch(r"(.*?)(?:_(\d+))?", name)
            base, number = (match[1], match[2]) if match else (name, None)
            classes.setdefault(base, []).append((int(number or 0), name))
    return {base: [name for _, name in sorted(groups)] for base, groups in classes.items()}


def _count(group: h5py.Group) -> int:
    """The number of arrays, without the state of generators of random numbers."""
    items = [item for name, item in group.items() if not name.startswith("seed_generator")]
    return sum(_count(item) if isinstance(item, h5py.Group) else 1 for item in items)


def _names(layers: list[Any]) -> dict[str, str]:
    """Keras's name of each layer's group: its class, numbered in the order of the model's layers."""
    used: dict[str, int] = {}
    names = {}
    for layer in layers:
        base = _snake(type(layer).__name__)
        used[base] = used.get(base, -1) + 1
        names[layer.name] = f"{base}_{used[base]}" if used[base] else base
    return names


def _snake(name: str) -> str:
    """A class's name as Keras makes groups of it: Conv2D -> conv2d, SeparableConv2D -> separable_conv2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
