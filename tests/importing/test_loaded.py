"""Errors of other libraries in one line: the innermost cause, without what must not be passed on."""

import pytest

from tfinv.importing.loaded import PICKLED, innermost

CASES = {
    "Could not locate class 'Doubled'. Make sure custom classes are decorated. Full object config: {}": (
        "Could not locate class 'Doubled'"
    ),
    "bad\n\nconfig={'x': 1}.\n\nException encountered: the number of filters is wrong": "the number of filters is wrong",
    "Requested the deserialization of a Python lambda. If you trust the source, pass safe_mode=False": (
        "Requested the deserialization of a Python lambda"
    ),
    "Object arrays cannot be loaded when allow_pickle=False": PICKLED,
    "x" * 1000: "x" * 300,
}


def while_handling(error, cause):
    """The error as Keras raises it, while it handles another one."""
    try:
        try:
            raise cause
        except type(cause):
            raise error  # noqa: B904
    except type(error) as caught:
        return caught


def test_the_innermost_cause_counts():
    inner = TypeError("DepthwiseConv2D.__init__() got an unexpected keyword argument 'groups'")
    outer = ValueError("<class 'Functional'> could not be deserialized properly.\n\nconfig={'a': 1}")
    assert innermost(while_handling(outer, inner)) == str(inner)


@pytest.mark.parametrize("text", CASES)
def test_keras_s_advice_and_configurations_are_left_out(text):
    assert innermost(ValueError(text)) == CASES[text]


def test_short_texts_get_the_kind_of_the_error():
    assert innermost(KeyError("a")) == "KeyError 'a'"
    assert innermost(ValueError()) == "ValueError"
