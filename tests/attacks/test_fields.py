"""Errors of invalid hyper-parameters, which name the field and its range."""

import math

import pytest

from tfinv.attacks import DIFGSM, FAB, FMN, MIFGSM, RFGSM, CarliniWagner, DeepFool, Square
from tfinv.errors import UserError

ALLOWED = {
    (FAB, "alpha_max"): ("from 0 to 1", (0, 0.5, 1), (-0.1, 1.1)),
    (FAB, "beta"): ("from 0 to 1", (0, 1), (-0.1, 1.1)),
    (FMN, "gamma_init"): ("below 1", (0.9,), (1,)),
    (FMN, "gamma_final"): ("below 1", (0.9,), (1,)),
    (MIFGSM, "decay"): ("of at least 0", (0, 2), (-0.1,)),
    (DIFGSM, "probability"): ("above 0, at most 1", (0.1, 1), (0, 1.1)),
    (DIFGSM, "smallest"): ("above 0, at most 1", (0.1, 1), (0, 1.1)),
    (Square, "p_init"): ("above 0, at most 1", (0.1, 1), (0, 1.1)),
    (CarliniWagner, "confidence"): ("of at least 0", (0, 3), (-1,)),
    (DeepFool, "candidates"): ("of at least 2", (2,), (1,)),
    (RFGSM, "share"): ("between 0 and 1", (0.5,), (0, 1)),
}


@pytest.mark.parametrize(("cls", "name"), ALLOWED)
def test_numbers_out_of_range_are_named_with_the_range(cls, name):
    words, good, bad = ALLOWED[cls, name]
    for value in good:
        assert getattr(cls(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(
            UserError, match=rf"Expected {name} {words}. Received: {value}. Change the argument `{name}`"
        ):
            cls(**{name: value})
    for value in (math.nan, math.inf, "1", None):
        with pytest.raises(UserError, match=name):
            cls(**{name: value})
