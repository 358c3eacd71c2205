"""A small model, and the refusal of a model file."""

import keras
import pytest

from tfinv.errors import UserError
from tfinv.importing import load_classifier

SHAPE = (4, 4, 1)
FLAG = "--allow_unsafe_deserialization"


def small(*layers):
    return keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Flatten(), keras.layers.Dense(3)])


def refusal(path, **options):
    """The message, which is one line."""
    with pytest.raises(UserError) as error:
        load_classifier(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)
