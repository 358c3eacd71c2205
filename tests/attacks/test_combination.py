"""AutoAttack and the worst case: the images that each member gets, and the combined result."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import APGD, APGDT, FAB, FGSM, PGD, Attack, AutoAttack, Square, WorstCase, attack, worst_case
from tfinv.attacks.problem import StageResult
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (2, 2, 1)


def grey(classes=2):
    """Returns a classifier with the classes darker and brighter than .5, and further classes that no image has."""

    def fn(x):
        mean = tf.reduce_mean(x, [1, 2, 3]) - 0.5
        return tf.stack([-mean, mean, *[mean * 0 - 9] * (classes - 2)], 1)

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=classes, outputs="logits")


def levels(n=20):
    values = np.linspace(0.01, 0.99, n, dtype=np.float32)
    return np.broadcast_to(values[:, None, None, None], (n, *SHAPE)).copy(), (values > 0.5).astype(int)


@dataclasses.dataclass(frozen=True)
class Only(Attack):
    """Attack that fools the classifier on some rows, and records the rows that it gets."""

    rows: tuple = ()
    seen: list = dataclasses.field(default_factory=list)

    def perturb(self, problem):
        """Reflects the images of those rows."""
        self.seen.append(list(problem.rows))
        able = np.isin(problem.rows, self.rows)[:, None, None, None]
        return StageResult(np.where(able, 1 - problem.images, problem.images), gradient_calls=2)


def test_each_member_sees_what_the_ones_before_left():
    x, y = levels(6)
    y[5] = 0  # wrong from the start
    first, second, third = Only(eps=1.0, rows=(0, 3)), Only(eps=1.0, rows=(1, 3)), Only(eps=1.0)
    result = worst_case([first, second, third])(grey(), x, y)
    assert first.seen == [[0, 1, 2, 3, 4]]
    assert second.seen == [[1, 2, 4]]
    assert third.seen == [[2, 4]]
    np.testing.assert_array_equal(result.success, [True, True, False, True, False, True])
    np.testing.assert_array_equal(result.gradient_calls, [2, 4, 6, 2, 6, 0])
    np.testing.assert_array_equal(result.images[[2, 4, 5]], x[[2, 4, 5]])


def test_nothing_left_ends_it():
    x, y = levels(4)
    first, second = Only(eps=1.0, rows=(0, 1, 2, 3)), Only(eps=1.0)
    assert worst_case([first, second])(grey(), x, y).success.all()
    assert second.seen == []


def test_autoattack_is_the_standard_one():
    members = AutoAttack(eps=0.3).parts
    assert [type(m) for m in members] == [APGD, APGDT, FAB, Square]
    assert members[0].loss == "log_odds"
    assert [getattr(m, "steps", None) for m in members] == [100, 100, 100, None]
    assert [getattr(m, "n_targets", None) for m in members] == [None, 9, 9, None]
    assert members[3].queries == 5000
    assert {(m.eps, m.norm) for m in members} == {(0.3, "linf")}
    # One run of APGD, nine targets each, one of Square; with fewer classes, fewer targets.
    assert len(AutoAttack(eps=0.3).stages(grey(10))) == 20
    assert len(AutoAttack(eps=0.3).stages(grey(4))) == 8


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_autoattack_is_exact_on_a_linear_model(norm, classes):
    x, y = levels()
    distance = np.abs(x[:, 0, 0, 0] - 0.5) * (1 if norm == "linf" else 2)
    result = AutoAttack(eps=0.25, norm=norm, steps=10, queries=50)(grey(classes), x, y)
    np.testing.assert_array_equal(result.success, distance < 0.25)


@pytest.mark.proof
def test_it_is_never_weaker_than_a_member():
    rng = np.random.default_rng(0)
    hidden, output = rng.normal(size=(16, 24)).astype(np.float32), rng.normal(size=(24, 4)).astype(np.float32)
    classifier = Classifier.from_callable(
        lambda x: tf.nn.relu(tf.reshape(x - 0.5, [-1, 16]) @ hidden) @ output,
        input_shape=(4, 4, 1),
        num_classes=4,
        outputs="logits",
    )
    x = rng.uniform(size=(200, 4, 4, 1)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    whole = AutoAttack(eps=0.04, steps=20, queries=100)
    success = whole(classifier, x, y).success
    assert 0.1 < success.mean() < 0.9
    for member in whole.parts:
        assert success.sum() >= member(classifier, x, y).success.sum() - 1
    assert success.sum() >= PGD(eps=0.04, steps=100, restarts=10)(classifier, x, y).success.sum()


def test_text_form():
    made = attack("worst_case(eps=.2,norm=l2,members='bim(steps=3),pgd(restarts=2)')")
    assert [type(m).__name__ for m in made.parts] == ["BIM", "PGD"]
    assert {(m.eps, m.norm) for m in made.parts} == {(0.2, "l2")}
    assert attack("autoattack(eps=8/255)") == AutoAttack(eps=8 / 255)


def test_sets_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="at least one attack"):
        WorstCase()
    with pytest.raises(UserError, match="one eps and norm"):
        worst_case([PGD(eps=0.1), PGD(eps=0.2)])
    with pytest.raises(UserError, match="norm of FGSM"):
        WorstCase(norm="l1", members=(FGSM(),))
    with pytest.raises(UserError, match="targeted=False"):
        WorstCase(targeted=True, members=(APGDT(),))
    with pytest.raises(UserError, match="targeted=False"):
        AutoAttack(targeted=True)
    black = Classifier.from_predict(
        lambda x: np.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], 1),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )
    with pytest.raises(UserError, match="gradients"):
        worst_case([Square(), PGD()])(black, *levels(4))


@pytest.mark.parametrize("members", ["pgd(steps=2),square(queries=5)", "square(queries=5),pgd(steps=2)"])
def test_zero_gradients_are_those_of_the_first_member_that_has_gradients(members):
    flat = Classifier.from_callable(
        lambda x: 0 * tf.reduce_sum(x, [1, 2, 3])[:, None] + tf.constant([[1.0, 0.0]]),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )
    x, _ = levels(4)
    assert attack("worst_case", members=members, eps=0.1)(flat, x, np.zeros(4, int)).zero_gradients.all()
