"""Deployed files as they are described: batches, names of classes, notes."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.importing.deployed import description
from tfinv.importing.deployed.black_box import Output


class Runner:
    """Doubles (n, 2) images; `any_number` mixes them up if the file takes one at a time."""

    shape, size = (2,), 1

    def __init__(self, mixes):
        self._mixes = mixes

    def any_number(self, x):
        return [2 * (x[::-1] if self._mixes else x)]

    def one_size(self, x):
        return [2 * x]


@pytest.mark.parametrize("mixes", [False, True])
def test_a_black_box_says_how_it_is_run(mixes):
    loaded = description.describe(
        Runner(mixes),
        [Output("p", (2,))],
        runtime="a file",
        class_names=("a", "b"),
        source="it",
        notes=("x",),
        bounds=(0, 1),
    )
    single = ("images one at a time, since the file takes no other number",) if mixes else ()
    assert loaded.notes == ("a file: a black box, without gradients", *single, "x", "class names from it")
    assert (loaded.class_names, loaded.bounds, loaded.preprocessing) == (("a", "b"), (0, 1), None)
    assert (loaded.input_shape, loaded.differentiable) == ((2,), False)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(loaded.call(x), 2 * x)


class Labelling(Runner):
    """Gives the number of the larger one of two scores first, and then both."""

    def any_number(self, x):
        return [x.argmax(1), x]

    one_size = any_number


def test_an_output_of_labels_is_left_out_beside_scores():
    outputs = [Output("label", (), is_whole=True), Output("scores", (2,))]
    loaded = description.describe(Labelling(False), outputs, runtime="a file", class_names=None, source="")
    assert loaded.notes[1:] == ("output label left out: it is the number of a class",)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(loaded.call(x), x)


def test_labels_alone_are_refused():
    with pytest.raises(
        UserError, match=r"a file, whose output label is the number of a class. Convert the model without"
    ):
        description.describe(
            Labelling(False), [Output("label", (1,), is_whole=True)], runtime="a file", class_names=None, source=""
        )
    whole = Output("counts", (5,), is_whole=True)
    assert not whole.is_label


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["cat", "dog"]', ("cat", "dog")),
        ("{0: 'cat', 1: 'dog'}", ("cat", "dog")),
        ('{"1": "dog", "0": "cat"}', ("cat", "dog")),
        ("{0: 'cat', 2: 'dog'}", None),
        ("['cat', 3]", None),
        ("cat, dog", None),
        ("__import__('os')", None),
        ("[" * 10_000, None),
        ("", None),
    ],
)
def test_names_in_a_list_or_a_dictionary(text, names):
    assert description.literal_names(text) == names


def test_names_a_line():
    assert description.line_names("0 cat\n1 dog\n") == ("cat", "dog")
    assert description.line_names("cat\r\n\n10 dogs\n") == ("cat", "10 dogs")
    assert description.line_names("") == ()


def test_names_that_do_not_fit_are_said_and_not_used():
    outputs = [Output("embedding", (7,)), Output("p", (2,)), Output("sigmoid", (1,))]
    assert description.fitting_names(("a", "b"), outputs, "it") == (("a", "b"), ("class names from it",))
    for names in (("a", "b", "c"), ("a", "a")):
        used, (note,) = description.fitting_names(names, outputs, "it")
        assert used is None
        assert note == f"the {len(names)} names in it are not those of the classes, and not used"
    assert description.fitting_names((), outputs, "it") == (None, ())
