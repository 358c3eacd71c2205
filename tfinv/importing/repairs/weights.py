"""Weights of an `.h5` file of Keras 1 or 2 into the layers of the same names.

Keras fills layers in order. That order is a matter of version, and two layers of one shape can change places unseen; names can't.
Where names don't decide, the order does, and every count and shape is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np

from tfinv.importing.repairs import hdf5
from tfinv.importing.repairs.context import Context, Unrepairable, plain_name
from tfinv.importing.repairs.orientation import Orientation, orientation

Named = tuple[str, np.ndarray]


def load(model: Any, file: h5py.File, context: Context, *, version: int = 2, by_order: bool = False) -> None:
    """Fills a model with the weights of a file.

    Args:
      model: a Keras model, built.
      file: with a group for each layer, as Keras 1 and 2 save them.
      context: collects notes.
      version: of Keras, the first number, where the file does not say it.
      by_order: whether the layers may have other names than in the file, as where the architecture comes from another file.

    Raises:
      Unrepairable: the weights and the model don't match one to one.
    """
    group = file.get("model_weights", file)
    if "top_level_model_weights" in group and hdf5.arrays(group["top_level_model_weights"]):
        raise Unrepairable("weights of the model itself, beside those of its layers")
    turn = orientation(file, group, version)
    stored = {name: hdf5.arrays(group[name]) for name in hdf5.strings(group, "layer_names")}
    stored = {plain_name(name): arrays for name, arrays in stored.items() if arrays}
    layers = [layer for layer in model.layers if layer.weights]
    names = [layer.name for layer in layers]
    if set(stored) != set(names):
        if not by_order or len(stored) != len(names):
            raise Unrepairable(f"weights of the layers {_differences(stored, names)}")
        context.note("weights in the order of the layers, whose names differ")
        stored = dict(zip(names, stored.values(), strict=True))
    for layer in layers:
        _fill(layer, stored[layer.name], turn)
    if turn.theano:
        context.note("kernels turned, as Theano takes them mirrored")
    elif turn.theano is None:
        context.note("kernels taken for TensorFlow's, since the file does not say whether Theano trained it")


def _differences(stored: Any, names: Sequence[str]) -> str:
    alone = sorted(set(stored) - set(names)), sorted(set(names) - set(stored))
    return (
        f"{', '.join(alone[0][:3]) or 'none'} in the file alone, {', '.join(alone[1][:3]) or 'none'} in the model alone"
    )


def _fill(layer: Any, stored: list[Named], turn: Orientation) -> None:
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    if len(variables) != len(stored):
        raise Unrepairable(f"{len(stored)} weights of the layer {layer.name}, which takes {len(variables)}")
    order = _by_name([name for name, _ in stored], [variable.path for variable in variables])
    for variable, index in zip(variables, order, strict=True):
        name, value = stored[index]
        value = turn.of(value, variable, layer)
        if tuple(value.shape) != tuple(variable.shape):
            raise Unrepairable(f"weight {name} of shape {value.shape}, where the layer takes {tuple(variable.shape)}")
        variable.assign(value)
    for part in layer._flatten_layers():
        if hasattr(part, "finalize_state"):
            part.finalize_state()


def _by_name(names: list[str], paths: list[str]) -> list[int]:
    """Returns for each variable the index of its weight: by the owners' names where these agree, else by order.

    Args:
      names: in the file, such as "block1/conv/kernel:0".
      paths: of the variables, such as "conv/kernel".
    """
    same = list(range(len(names)))
    stored = [name.split(":")[0] for name in names]
    for owner in (_whole_prefix, _last_of_prefix):
        order = _by_owner(_grouped(stored, owner), _grouped(paths, owner), stored, paths)
        if order is not None:
            return order
    return same


def _by_owner(
    stored: dict[str, list[int]], owned: dict[str, list[int]], names: list[str], paths: list[str]
) -> list[int] | None:
    """The order in which each owner gets its own weights; None where the owners differ."""
    if "" in stored or {owner: len(places) for owner, places in stored.items()} != {
        owner: len(places) for owner, places in owned.items()
    }:
        return None
    order = [0] * len(paths)
    for owner, places in owned.items():
        indices = stored[owner]
        bases = {names[i].rpartition("/")[2]: i for i in indices}
        labels = [paths[place].rpartition("/")[2] for place in places]
        if set(labels) == set(bases) and len(bases) == len(indices):
            indices = [bases[label] for label in labels]
        for place, index in zip(places, indices, strict=True):
            order[place] = index
    return order


def _whole_prefix(path: str) -> str:
    return plain_name(path.rpartition("/")[0])


def _last_of_prefix(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _grouped(paths: list[str], owner: Callable[[str], str]) -> dict[str, list[int]]:
    """The weights of each owner, by their places."""
    groups: dict[str, list[int]] = {}
    for index, path in enumerate(paths):
        groups.setdefault(owner(path), []).append(index)
    return groups
