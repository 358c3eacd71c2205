"""Training in half precision: a network whose layers compute in bfloat16, and its float32 copy with the same weights."""

import contextlib
from collections.abc import Iterator

import keras

PRECISIONS = ("float32", "mixed_bfloat16")


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Layers made inside compute in the named one of `PRECISIONS`; their weights are float32 in both."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def as_float32(model: keras.Model) -> keras.Model:
    """A copy of a functional model, with its weights, that computes in float32."""

    def copy(layer):
        config = layer.get_config()
        # An operation between layers has no type of its own.
        return type(layer).from_config(config | {"dtype": "float32"} if isinstance(layer, keras.Layer) else config)

    made = keras.models.clone_model(model, clone_function=copy)
    made.set_weights(model.get_weights())
    return made
