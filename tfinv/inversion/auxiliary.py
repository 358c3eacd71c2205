"""Networks that an attacker trains on auxiliary images: once for the same images and settings, kept in memory and on disk."""

import collections
import copy
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfinv import files
from tfinv.errors import expected

_MOST = 8  # networks kept in memory
_KEPT: collections.OrderedDict[str, Any] = collections.OrderedDict()


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the networks and their trainings share.

    Attributes:
      latent: numbers that an image is made of.
      updates: steps of the optimiser.
      batch_size: images in each.
      rate: of Adam, at the start.
      seed: of weights and draws.
    """

    latent: int = 32
    updates: int = 2000
    batch_size: int = 64
    rate: float = 1e-3
    seed: int = 0


class Trained(Protocol):
    """Anything with variables that training changes."""

    @property
    def variables(self) -> Sequence[Any]:
        """In a fixed order."""


Network = TypeVar("Network", bound=Trained)
Method = TypeVar("Method")


def train_once(
    name: str,
    settings: Hashable,
    data: Sequence[np.ndarray],
    make: Callable[[], Network],
    train: Callable[[Network], None],
    folder: str | os.PathLike | None = None,
) -> Network:
    """The network of these settings and data: from memory, else from the folder, else trained now and put into both.

    Victims that are attacked with the same auxiliary images share it, since the contents of the arrays decide, not their place.

    Args:
      name: of the kind of network; begins the name of its file.
      settings: all numbers that its training depends on; equal ones have an equal `repr`.
      data: arrays that it is trained on.
      make: returns it untrained.
      train: trains it.
      folder: where its weights are kept; None for memory alone.

    Raises:
      UserError: the folder cannot be written to, or its file holds something else.
    """
    digest = hashlib.sha256(repr((name, settings)).encode())
    for array in data:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    key = digest.hexdigest()[:24]
    path = None if folder is None else pathlib.Path(folder) / f"{name}-{key}.npz"
    network = _KEPT.pop(key, None)
    if network is None:
        network = make()
        if path is not None and path.exists():
            _load(network, path)
        else:
            train(network)
    if path is not None and not path.exists():
        with files.atomic_path(path) as temporary:
            np.savez(temporary, *[v.numpy() for v in network.variables])
    _KEPT[key] = network
    while len(_KEPT) > _MOST:
        _KEPT.popitem(last=False)
    return network


def fit(
    loss: Callable[..., tf.Tensor],
    variables: Sequence[Any],
    data: Sequence[np.ndarray],
    *,
    updates: int,
    batch_size: int = 64,
    rate: float = 1e-3,
    seed: int = 0,
) -> None:
    """Adam with a rate that falls to zero along a cosine, as one compiled loop.

    Args:
      loss: takes a batch of each array of `data` and a (2,) seed of its own draws, gives (batch,) costs.
      variables: what is trained.
      data: arrays of n rows each.
      updates: steps of the optimiser: the time does not depend on how many images there are.
      batch_size: rows drawn for each, with replacement.
      rate: at the start.
      seed: of the draws.
    """
    optimiser = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, updates))
    optimiser.build(variables)
    arrays = [tf.constant(array) for array in data]
    count, seed = len(data[0]), seed % 2**31

    @tf.function
    def run():
        for i in tf.range(updates):
            place = tf.stack([seed, i])
            rows = tf.random.stateless_uniform([batch_size], place, 0, count, tf.int32)
            with tf.GradientTape() as tape:
                costs = loss(*[tf.gather(array, rows) for array in arrays], place + 1)
                total = tf.reduce_mean(costs)
            optimiser.apply(tape.gradient(total, variables), variables)

    # Not called as a tf.function, which would warn of being traced anew for each network.
    run.get_concrete_function()()


def bound(method: Method, **networks: Any) -> Method:
    """A copy of a method (a frozen dataclass) that holds networks in fields that its constructor does not take."""
    copied = copy.copy(method)
    for name, network in networks.items():
        object.__setattr__(copied, name, network)
    return copied


def images_for(problem: Any, who: str) -> np.ndarray:
    """(m, H, W, C) the attacker's auxiliary images.

    Raises:
      UserError: there are none, or they do not fit the classifier.
    """
    images = problem.knowledge.require("images", who)
    shape = problem.classifier.input_shape
    if images.shape[1:] != shape:
        raise expected(f"Knowledge(images=...) of shape {shape}", f"shape {images.shape[1:]}", "Resize them.")
    return images


def _load(network, path):
    arrays = list(files.read_arrays(path, "a file of trained weights", "Delete it.").values())
    if [a.shape for a in arrays] != [tuple(v.shape) for v in network.variables]:
        raise expected("the weights of this network", f"{path}, which holds others", "Delete it.")
    for variable, array in zip(network.variables, arrays, strict=True):
        variable.assign(array)
