"""Transfer attacks from a surrogate model."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import specs
from tfinv.attacks import ATTACKS, PGD, Transfer, attack
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (3, 3, 1)
W = np.random.default_rng(0).normal(size=9).astype(np.float32)
X = np.full((4, *SHAPE), 0.5, np.float32)


def linear(weights, offset=-0.5, bounds=(0.0, 1.0), **options):
    matrix = np.stack([0 * weights, weights], 1).astype(np.float32)
    return Classifier.from_callable(
        lambda x: tf.reshape(x - 0.5, [-1, 9]) @ matrix + np.float32([0, offset]),
        **{"input_shape": SHAPE, "num_classes": 2, "bounds": bounds, "outputs": "logits"} | options,
    )


def save(path, weights):
    dense = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), dense])
    dense.set_weights([np.stack([0 * weights, weights], 1), np.float32([0, -0.5 - 0.5 * weights.sum()])])
    model.save(path)


def labels_of(classifier):
    """Returns the same classifier as a black box that gives labels only."""
    return Classifier.from_predict(
        lambda x: classifier.predict(x).argmax(1), input_shape=SHAPE, num_classes=2, outputs="labels"
    )


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_twin_transfers_at_the_same_eps_and_an_opposite_does_not(norm):
    dual = {"linf": np.abs(W).sum(), "l2": np.linalg.norm(W), "l1": np.abs(W).max()}[norm]
    victim, y = labels_of(linear(W)), np.zeros(4, int)
    for eps, wins in ((1.1 * 0.5 / dual, True), (0.9 * 0.5 / dual, False)):
        result = Transfer(eps=eps, norm=norm, surrogate=linear(W), attack="pgd(random_start=False)")(victim, X, y)
        assert (result.success == wins).all()
        np.testing.assert_allclose(result.distances, eps, rtol=1e-5)
        assert (result.queries == 1).all()
        assert not result.gradient_calls.any()
    assert not Transfer(eps=0.4, norm=norm, surrogate=linear(-W))(victim, X, y).success.any()


def test_it_goes_on_where_the_surrogate_is_fooled_already():
    """The surrogate is wrong from the start, or long before the victim."""
    y = np.zeros(4, int)
    eps = 1.1 * 0.5 / np.abs(W).sum()
    for offset in (-0.1, 0.1):
        assert Transfer(eps=eps, surrogate=linear(W, offset))(linear(W), X, y).success.all()


def test_each_round_is_a_query():
    y, weak = np.zeros(4, int), linear(-W)
    result = Transfer(eps=0.1, surrogate=weak, attack="pgd(steps=2,restarts=3)")(linear(W), X, y)
    assert (result.queries == 3).all()


def test_targeted():
    victim = linear(W)
    result = Transfer(eps=0.4, surrogate=linear(W), targeted=True)(victim, X, np.zeros(4, int), targets=np.ones(4, int))
    assert result.success.all()
    assert (victim.predict(result.images).argmax(1) == 1).all()


def test_the_text_form_names_a_file_that_is_loaded_again_when_it_changes(tmp_path):
    path = tmp_path / "other model.keras"
    save(path, W)
    made = attack(f"transfer(surrogate='{path}',attack='pgd(steps=20,loss=dlr)')", eps=0.3)
    assert (made.eps, made.inner) == (0.3, PGD(eps=0.3, steps=20, loss="dlr", early_stop=False))
    victim, y = labels_of(linear(W)), np.zeros(4, int)
    assert made(victim, X, y).success.all()
    save(path, -W)
    os.utime(path, ns=(1, 2))
    assert not made(victim, X, y).success.any()
    assert specs.build(ATTACKS, specs.show("transfer", made)) == made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 3}, "number of classes, 2. Received: 3"),
        ({"input_shape": (9, 1, 1)}, r"input shape, \(3, 3, 1\). Received: \(9, 1, 1\)"),
        ({"bounds": (0.0, 255.0)}, r"bounds, \(0.0, 1.0\). Received: \(0.0, 255.0\)"),
    ],
)
def test_a_surrogate_that_does_not_fit_is_refused(options, message):
    matrix = np.zeros((9, options.get("num_classes", 2)), np.float32)
    other = Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, 9]) @ matrix,
        **{"input_shape": SHAPE, "num_classes": 2, "outputs": "logits"} | options,
    )
    with pytest.raises(UserError, match=message):
        Transfer(surrogate=other)(linear(W), X, np.zeros(4, int))


@pytest.mark.parametrize("inner", ["transfer", "pgd(eps=.1)", "pgd(norm=l2)", "pgd(targeted=True)"])
def test_the_inner_attack_has_no_budget_of_its_own(inner):
    with pytest.raises(UserError, match="inner attack other than transfer, without eps, norm, targeted"):
        Transfer(attack=inner)


def test_other_mistakes_are_named():
    with pytest.raises(UserError, match="surrogate= with the path"):
        Transfer()(linear(W), X, np.zeros(4, int))
    with pytest.raises(UserError, match="an existing model"):
        Transfer(surrogate="nowhere.keras")(linear(W), X, np.zeros(4, int))
    with pytest.raises(UserError, match="surrogate as a path or a Classifier"):
        Transfer(surrogate=3)
    with pytest.raises(UserError, match="one of"):
        Transfer(attack="nothing")
    with pytest.raises(UserError, match="gradients for MIFGSM"):
        Transfer(surrogate=labels_of(linear(W)))(linear(W), X, np.zeros(4, int))


@pytest.mark.parametrize("inner", ["pgd(steps=5)", "worst_case(members='pgd(steps=5),apgd(steps=10)')"])
def test_members_of_a_combination_go_on_beyond_the_surrogate_as_well(inner):
    """The victim's boundary lies three times as far as the surrogate's."""
    eps, y = 1.1 * 0.5 / np.abs(W).sum(), np.zeros(4, int)
    assert Transfer(eps=eps, surrogate=linear(W, -0.5 / 3), attack=inner)(linear(W), X, y).success.all()
