"""Contract of all membership attacks: scores of any batch size and order, higher for members, and one-line refusals."""

import dataclasses
import functools

import numpy as np
import pytest

from planted_members import CLASSES, SHAPE, auc, halves, planted, shadow_logits, target
from tfinv import catalogue, specs
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.membership import MEMBERSHIP, Evidence, MembershipAttack, membership_attack
from tfinv.membership.shadows.shadows import Shadows

# A new attack must be added here, small enough to be quick.
SETTINGS = {
    "gap": {},
    "confidence": {},
    "entropy": {},
    "modified_entropy": {},
    "loss": {},
    "boundary": {"attack": "fmn(steps=20)"},
    "agreement": {"shift": 2, "mirror": True},
    "quantile": {"trees": 20, "folds": 3},
    "trajectory": {"high": 0.9},
    "shokri": {"units": 32},
    "lira": {},
    "rmia": {"population": 50},
    "base": {},
    "bavaria": {},
}
# Other settings, for the text form and for the rest of the contract.
VARIANTS = [
    *((name, {"per_class": True}) for name in ("confidence", "entropy", "modified_entropy", "loss")),
    ("boundary", {"attack": "hopskipjump(queries=60,evaluations=10)"}),
    ("agreement", {}),
    *((name, {"online": False}) for name in ("lira", "rmia", "base", "bavaria")),
]
CASES = [*SETTINGS.items(), *VARIANTS]
# Networks on images round differently in batches of other sizes.
ROUNDED = {"boundary"}

EACH = pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{n}-{'-'.join(a)}" for n, a in CASES])
NAMES = pytest.mark.parametrize("name", SETTINGS)


@functools.cache
def evidence():
    """Everything an attack may look at, and who the members are."""
    whole, members = planted()
    inside = halves(len(whole))
    shadows = Shadows.from_arrays(shadow_logits(whole.labels, inside).astype(np.float32), inside, whole.labels)
    return dataclasses.replace(whole, shadows=shadows), members


def make(name, arguments):
    return MEMBERSHIP[name](**arguments)


@functools.cache
def _scores(name, arguments):
    return make(name, dict(arguments)).score(evidence()[0])


def scores_of(name, arguments):
    return _scores(name, tuple(arguments.items()))


def assert_same(name, actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-4 if name in ROUNDED else 1e-9, atol=1e-9)


def test_every_attack_is_tried():
    assert set(SETTINGS) == set(MEMBERSHIP) == set(catalogue.MEMBERSHIP)


@EACH
def test_scores_are_finite_float64_one_an_example(name, arguments):
    scores = scores_of(name, arguments)
    assert scores.shape == (len(evidence()[0]),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


@EACH
def test_members_score_higher(name, arguments):
    assert auc(scores_of(name, arguments), evidence()[1]) > 0.6


@EACH
def test_the_batch_size_does_not_matter(name, arguments):
    scores = scores_of(name, arguments)
    for size in (7, 1000):
        assert_same(name, make(name, arguments).score(dataclasses.replace(evidence()[0], batch_size=size)), scores)


@EACH
def test_the_order_of_the_examples_does_not_matter(name, arguments):
    scores = scores_of(name, arguments)
    order = np.random.default_rng(4).permutation(len(scores))
    assert_same(name, make(name, arguments).score(evidence()[0].take(order)), scores[order])


@EACH
def test_the_same_call_gives_the_same_scores(name, arguments):
    np.testing.assert_array_equal(make(name, arguments).score(evidence()[0]), scores_of(name, arguments))


@EACH
def test_the_text_form_parses_back(name, arguments):
    attack = make(name, arguments)
    assert membership_attack(specs.show(name, attack)) == attack
    assert specs.show(name, make(name, {})) == name
    assert specs.parse(specs.show(name, attack))[1].keys() <= arguments.keys()


@NAMES
def test_it_says_what_it_needs(name):
    attack = MEMBERSHIP[name]
    assert issubclass(attack, MembershipAttack)
    assert attack.NEEDS in ("labels", "logits", "images")
    assert (attack.LEAST_SHADOWS >= 1) == attack.SHADOWS


@NAMES
def test_a_missing_need_is_one_line(name):
    attack, bare = make(name, SETTINGS[name]), Evidence([0, 1, 2])
    with pytest.raises(UserError, match=r"^Expected [^\n]*\. Received: [^\n]*$"):
        attack.score(bare)
    if attack.SHADOWS:
        with pytest.raises(UserError, match=r"^Expected [^\n]*shadow[^\n]*$"):
            attack.score(dataclasses.replace(evidence()[0], shadows=None))


def finite_or_refused(attack, part):
    """Scores of hard evidence are finite; where there can be none, a line says so."""
    refusal = ""
    try:
        scores = attack.score(part)
    except UserError as error:
        refusal, scores = str(error), np.zeros(len(part))
    assert "\n" not in refusal
    assert scores.shape == (len(part),)
    assert np.isfinite(scores).all()


@EACH
def test_one_class_and_one_example(name, arguments):
    whole, attack = evidence()[0], make(name, arguments)
    finite_or_refused(attack, whole.take(whole.labels == 1))
    finite_or_refused(attack, whole.take([5]))


@EACH
def test_identical_examples_score_alike(name, arguments):
    """All the same image, label and logits: nothing tells them apart, and no variance is left to divide by."""
    whole, attack = evidence()[0], make(name, arguments)
    finite_or_refused(attack, whole.take(np.zeros(30, int)))


NOT_FINITE = [
    ("logits", np.full((3, 2), np.nan)),
    ("logits", np.array([[0.0, 1], [np.inf, 0], [0, 1]])),
    ("images", np.full((3, 2, 2, 1), np.nan)),
    ("trajectory", np.full((3, 4), np.nan)),
]


@pytest.mark.parametrize(("field", "values"), NOT_FINITE)
def test_values_that_are_not_finite_are_refused(field, values):
    with pytest.raises(UserError, match=rf"^Expected finite {field}\. Received: NaN or infinity in [13] of 3 examples"):
        Evidence([0, 1, 1], **{field: values})


def test_a_target_of_labels_alone():
    victim = Classifier.from_predict(
        lambda x: target().predict(x).argmax(axis=-1), input_shape=SHAPE, num_classes=CLASSES, outputs="labels"
    )
    whole, members = planted()
    labels_only = Evidence.from_classifier(victim, whole.images, whole.labels)
    assert labels_only.logits is None
    for name in ("gap", "boundary", "agreement"):
        attack = membership_attack(name, attack="hopskipjump(queries=60,evaluations=10)")
        assert auc(attack.score(labels_only), members) > 0.6
    for name in ("confidence", "entropy", "modified_entropy", "loss", "quantile"):
        with pytest.raises(UserError, match="use gap, boundary or agreement"):
            membership_attack(name).score(labels_only)


def test_scores_that_are_not_finite_are_a_bug():
    class Broken(MembershipAttack):
        def compute(self, evidence):
            return np.full(len(evidence), np.nan)

    with pytest.raises(ArithmeticError, match="Broken"):
        Broken().score(evidence()[0])
