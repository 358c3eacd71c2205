"""How Keras 1, and Keras 2 on Theano, laid out the kernels of convolutions."""

from __future__ import annotations

import dataclasses
from typing import Any

import h5py
import keras
import numpy as np

from tfinv.importing.repairs import hdf5
from tfinv.importing.repairs.context import Unrepairable

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)
_OTHERS = (keras.layers.Conv2DTranspose, keras.layers.SeparableConv2D, keras.layers.DepthwiseConv2D)
BACKEND = "python -c \"import h5py; h5py.File('FILE', 'r+').attrs['backend'] = 'theano'\" (or 'tensorflow')"


@dataclasses.dataclass(frozen=True)
class Orientation:
    """The layout of the kernels in a file.

    Attributes:
      old: whether Keras 1 wrote it.
      theano: whether Theano trained it, which mirrors kernels; None if the file doesn't say, as those of Keras 1 don't.
    """

    old: bool
    theano: bool | None

    def of(self, value: np.ndarray, variable: Any, layer: Any) -> np.ndarray:
        """Returns a weight of a layer as this Keras takes it.

        Raises:
          Unrepairable: the layout can't be known.
        """
        shape = tuple(variable.shape)
        if value.size == 1 and shape in ((), (1,)):
            return value.reshape(shape)
        if not (self.old or self.theano) or value.ndim != len(shape) or value.ndim < 3:
            return value
        owner = _owner(layer, variable)
        if isinstance(owner, _OTHERS):
            raise Unrepairable(f"the kernels of a {type(owner).__name__} of Keras 1 or of Theano")
        if not isinstance(owner, _CONVOLUTIONS):
            return value
        first = owner.data_format == "channels_first"
        if self.old and first:
            if self.theano is None:
                raise Unrepairable(f"kernels of Keras 1 that Theano or TensorFlow trained: say which by {BACKEND}")
            value = value.transpose(2, 3, 1, 0)
        return value[::-1, ::-1] if self.theano and value.ndim == 4 else value


def _owner(layer: Any, variable: Any) -> Any:
    """The layer within a layer that a variable belongs to."""
    parts = [part for part in layer._flatten_layers() if any(v is variable for v in part.weights)]
    return min(parts, key=lambda part: len(part.weights))


def orientation(file: h5py.File, group: h5py.Group, version: int) -> Orientation:
    """The layout that a file says, or that is usual for its version of Keras."""
    backend = next((place.attrs["backend"] for place in (file, group) if "backend" in place.attrs), None)
    written = next((place.attrs["keras_version"] for place in (group, file) if "keras_version" in place.attrs), None)
    old = int(hdf5.text(written).partition(".")[0]) == 1 if written is not None else version == 1
    theano = None if backend is None and old else backend is not None and hdf5.text(backend) == "theano"
    return Orientation(old, theano)
