"""Training of an attacker's networks on auxiliary images: once for the same images and settings, cached in memory and on disk."""

import collections
import copy
import dataclasses
import hashlib
import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfinv import files, paths
from tfinv.errors import expected

_CACHE_SIZE = 8  # networks
_CACHE: collections.OrderedDict[str, Any] = collections.OrderedDict()


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings that all these networks and their trainings share.

    Attributes:
      latent: size of the latent vector of an image.
      updates: steps of the optimiser.
      batch_size: images in each step.
      rate: learning rate of Adam, at the start.
      seed: of weights and draws.
    """

    latent: int = 32
    updates: int = 2000
    batch_size: int = 64
    rate: float = 1e-3
    seed: int = 0


class Trainable(Protocol):
    """A network, or several, with variables to train."""

    @property
    def variables(self) -> Sequence[Any]:
        """Variables in a fixed order."""


Network = TypeVar("Network", bound=Trainable)
Method = TypeVar("Method")


def train_once(
    name: str,
    settings: Hashable,
    data: Sequence[np.ndarray],
    make: Callable[[], Network],
    train: Callable[[Network], None],
    folder: str | os.PathLike | None = None,
) -> Network:
    """Returns the network of these settings and data: from memory, else from the folder, else trained now and put into both.

    Victims that are attacked with the same auxiliary images share it: the cache goes by the contents of the arrays.

    Args:
      name: of the kind of network; its file's name starts with it.
      settings: everything that the training depends on; equal settings have an equal `repr`.
      data: arrays of training data.
      make: returns the untrained network.
      train: trains it.
      folder: for its weights; None for memory alone.

    Raises:
      UserError: the folder cannot be written to, or its file holds something else.
    """
    digest = hashlib.sha256(repr((name, settings)).encode())
    for array in data:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    key = digest.hexdigest()[:24]
    path = None if folder is None else paths.expand(folder) / f"{name}-{key}.npz"
    network = _CACHE.pop(key, None)
    if network is None:
        network = make()
        if path is not None and path.exists():
            _load(network, path)
        else:
            train(network)
    if path is not None and not path.exists():
        with files.atomic_path(path) as temporary:
            np.savez(temporary, *[v.numpy() for v in network.variables])
    _CACHE[key] = network
    while len(_CACHE) > _CACHE_SIZE:
        _CACHE.popitem(last=False)
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
    """Trains by Adam with a learning rate that falls to zero along a cosine, in one compiled loop.

    Args:
      loss: takes a batch of each array of `data` and a (2,) seed for its draws, returns (batch,) costs.
      variables: to train.
      data: arrays of n rows each.
      updates: steps of the optimiser; so the time does not depend on the number of images.
      batch_size: rows drawn for each step, with replacement.
      rate: learning rate at the start.
      seed: of the draws.
    """
    optimiser = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, updates))
    optimiser.build(variables)
    arrays = [tf.constant(array) for array in data]
    count, seed = len(data[0]), seed % 2**31

    @tf.function
    def run():
        for i in tf.range(updates):
            step_seed = tf.stack([seed, i])
            rows = tf.random.stateless_uniform([batch_size], step_seed, 0, count, tf.int32)
            with tf.GradientTape() as tape:
                costs = loss(*[tf.gather(array, rows) for array in arrays], step_seed + 1)
                total = tf.reduce_mean(costs)
            optimiser.apply(tape.gradient(total, variables), variables)

    # Called as a tf.function, it would warn of being traced again for each network.
    run.get_concrete_function()()


def with_networks(method: Method, **networks: Any) -> Method:
    """A copy of a method (a frozen dataclass) with networks in fields that its constructor does not take."""
    copied = copy.copy(method)
    for name, network in networks.items():
        object.__setattr__(copied, name, network)
    return copied


def images_for(problem: Any, method: str) -> np.ndarray:
    """(m, H, W, C) the attacker's auxiliary images, for the method of that name.

    Raises:
      UserError: there are none, or they do not fit the classifier.
    """
    images = problem.knowledge.require("images", method)
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
