"""Messages and hints of errors."""

import pickle

import pytest

from tfinv.errors import UserError, expected, from_flag


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ("", "Expected 1. Received: 2. Change --steps."),
        ("Change --eps.", "Expected 1. Received: 2. Change --steps."),
        ("Write it like 1.", "Expected 1. Received: 2. Write it like 1. Change --steps."),
    ],
)
def test_an_error_names_the_flag_that_the_value_came_from(hint, message):
    with pytest.raises(UserError) as caught, from_flag("--steps"):
        raise expected("1", 2, hint)
    assert str(caught.value) == message


def test_an_error_crosses_processes():
    error = pickle.loads(pickle.dumps(expected("1", 2, "Change --eps.")))
    assert (str(error), error.hint) == ("Expected 1. Received: 2. Change --eps.", "Change --eps.")
