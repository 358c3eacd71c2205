"""Mixed precision: networks whose layers compute in bfloat16, and float32 copies with the same weights."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Sets the dtype policy, one of `catalogue.PRECISIONS`, of layers created inside; their weights are float32 in any case."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def as_float32(model: keras.Model) -> keras.Model:
    """Copies a functional model with its weights; the copy computes in float32."""

    def copy(layer):
        config = layer.get_config()
        # An operation between layers has no dtype to set.
        return type(layer).from_config(config | {"dtype": "float32"} if isinstance(layer, keras.Layer) else config)

    clone = keras.models.clone_model(model, clone_function=copy)
    clone.set_weights(model.get_weights())
    return clone
