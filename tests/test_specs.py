"""Specs: the text form of attacks, methods and architectures."""

import dataclasses
import math
from collections.abc import Sequence

import pytest

from tfinv import attacks, inversion, specs
from tfinv.errors import UserError


@dataclasses.dataclass(frozen=True)
class Thing:
    eps: float = 0.5
    steps: int = 3
    size: float | None = None
    start: bool = True
    loss: str = "margin"


THINGS = {"thing": Thing}


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("fgsm", "fgsm", {}),
        (" fgsm() ", "fgsm", {}),
        ("pgd(eps=8/255,steps=40)", "pgd", {"eps": 8 / 255, "steps": 40}),
        ("pgd(eps = .1, random_start=False)", "pgd", {"eps": 0.1, "random_start": False}),
        ("pgd(step_size=None,loss=margin,norm='l2')", "pgd", {"step_size": None, "loss": "margin", "norm": "l2"}),
        ("pgd(eps=-8/255)", "pgd", {"eps": -8 / 255}),
        ("pgd(eps=inf)", "pgd", {"eps": math.inf}),
        ("pgd(eps=-inf)", "pgd", {"eps": -math.inf}),
        ("cnn(filters=(8, 1/4,a),units=())", "cnn", {"filters": (8, 0.25, "a"), "units": ()}),
    ],
)
def test_parse(text, name, arguments):
    assert specs.parse(text) == (name, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pgd(",
        "pgd(0.1)",
        "a.b(c=1)",
        "pgd(eps=1+1)",
        "pgd(eps=8/0)",
        "pgd(eps=f(1))",
        "pgd(eps=[1])",
        "pgd(eps=(1,[2]))",
        "1",
        "pgd(e=1,e=2)",
    ]
    + ["pgd(eps=-'a')", "pgd(eps=-word)", "pgd(eps=1j)", "pgd(eps=b'x')", "pgd(eps=...)", "pgd(eps='a'/2)"],
)
def test_parse_refuses(text):
    with pytest.raises(UserError, match=r"Expected .* Received"):
        specs.parse(text)


def test_parse_list_splits_outside_parentheses():
    assert specs.parse_list("fgsm, pgd(eps=.1,steps=5),,noise") == ["fgsm", "pgd(eps=.1,steps=5)", "noise"]
    assert specs.parse_list("") == []


@pytest.mark.parametrize("text", ["fgsm,pgd(steps=40", "fgsm,pgd(steps=40),square)", "pgd,fgsm),square", ")fgsm("])
def test_parse_list_drops_nothing_behind_a_stray_parenthesis(text):
    with pytest.raises(UserError, match="closing parentheses"):
        specs.parse_list(text)


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("8/255", 8 / 255), (" 3 ", 3), ("-1/4", -0.25), ("1e-3", 1e-3)]
)
def test_parse_number(text, value):
    assert specs.parse_number(text) == value


@pytest.mark.parametrize("text", ["", "x", "True", "1/0", "'1'", "1+1", "None", "inf", "1e999", "1,2"])
def test_parse_number_refuses(text):
    with pytest.raises(UserError, match="number"):
        specs.parse_number(text)


def test_build_takes_defaults_that_the_class_has_and_the_text_wins():
    assert specs.build(THINGS, "thing(eps=1/4)", eps=9.0, steps=7, unknown=1) == Thing(eps=0.25, steps=7)


@pytest.mark.parametrize(
    "arguments",
    ["eps=word", "eps=True", "eps=None", "steps=1.5", "steps=True", "start=1", "loss=3", "size=word", "loss=None"],
)
def test_build_names_the_argument_of_a_wrong_type(arguments):
    with pytest.raises(UserError, match=f"Expected {arguments.split('=')[0]} of thing as"):
        specs.build(THINGS, f"thing({arguments})")


def test_build_takes_a_whole_number_for_a_float():
    assert specs.build(THINGS, "thing(eps=1,size=2)") == Thing(eps=1, size=2)


def test_build_refuses_unknown_names():
    with pytest.raises(UserError, match=r"Expected one of thing\. Received: 'other'"):
        specs.build(THINGS, "other")
    with pytest.raises(UserError, match=r"among eps, loss, size, start, steps\. Received: epz"):
        specs.build(THINGS, "thing(epz=1)")


@pytest.mark.parametrize(
    ("registry", "text"),
    [
        (attacks.ATTACKS, "pgd(eps=0.03137254901960784,norm=l2,steps=7,restarts=2,step_size=0.01)"),
        (attacks.ATTACKS, "pgd(eps=inf,random_start=False)"),
        (attacks.ATTACKS, "fgsm"),
        (attacks.ATTACKS, "noise(norm=l2,draws=3)"),
        (inversion.METHODS, "gradient(steps=9,loss=logit)"),
        (inversion.METHODS, "miface(start=noise,beta=0,gamma=2)"),
    ],
)
def test_show_reads_back(registry, text):
    made = specs.build(registry, text)
    shown = specs.show(text.partition("(")[0], made)
    assert specs.build(registry, shown) == made
    assert sorted(shown) == sorted(text)  # only what differs from the defaults, in the fields' order


def network(shape, classes, filters: Sequence[int] = (2, 3), rate: float | None = None, deep: bool = False, *, kind=1):
    """Parameters without a default are passed by the caller."""


NETWORKS = {"network": network, "thing": Thing}


def test_read_takes_functions():
    text = "network(filters=(4,),rate=1,deep=True,kind=word)"
    assert specs.read(NETWORKS, text) == ("network", {"filters": (4,), "rate": 1, "deep": True, "kind": "word"})
    assert specs.read(NETWORKS, "network") == ("network", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other", r"one of network, thing\. Received: 'other'\. Change it"),
        ("network(shape=3)", r"arguments of network among deep, filters, kind, rate\. Received: shape\. Change it"),
        ("network(filters=4)", r"filters of network as \(int, \.\.\.\)\. Received: 4\. Change it"),
        ("network(filters=(4,True))", "filters of network as"),
        ("network(rate=(1,))", r"rate of network as float or None\. Received: \(1,\)"),
        ("network(deep=1)", "deep of network as bool"),
        ("thing(steps=(1,2))", "steps of thing as int"),
    ],
)
def test_read_refuses(text, message):
    with pytest.raises(UserError, match=message):
        specs.read(NETWORKS, text, "Change it.")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("network()", "network"),
        ("network( filters = (2,3), deep=False )", "network"),
        ("network(deep=True,filters=(5,6))", "network(filters=(5,6),deep=True)"),
        ("network(kind='a b',filters=(5,))", "network(filters=(5,),kind='a b')"),
        ("thing(loss=other,eps=.5)", "thing(loss=other)"),
    ],
)
def test_canonical_form(text, canonical):
    assert specs.canonical(NETWORKS, text) == canonical
    assert specs.read(NETWORKS, canonical) == specs.read(NETWORKS, specs.canonical(NETWORKS, canonical))
