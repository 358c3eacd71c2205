"""Further attacks on the images that the rows' attack left standing, where the numbers are known."""

import dataclasses

import numpy as np
import pytest

import attack_contract
from tfinv import attacks
from tfinv.evaluation.robustness import standing_checks
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.evaluation.robustness.attack_checks import Sample
from tfinv.specs import show

SIZE = 16

EPS = 0.1
# Steps that end at half of eps, and at all of it when there are twice as many.
SHORT = "pgd(steps=5,step_size=0.01,random_start=False)"


def standing(handmade, classifier, *specs, eps=(EPS,)):
    x, y = handmade.data()
    x = classifier.from_unit(x)
    rows = accuracy_curve(classifier, x, y, [(s, attacks.attack(s)) for s in specs], eps, experiment="e")
    return standing_checks.left_standing(rows, Sample(classifier, x, y))


ALL = {
    "more-steps-change-nothing": standing_checks.more_steps_change_nothing,
    "losses-agree": standing_checks.losses_agree,
    "noise-finds-nothing-new": standing_checks.noise_finds_nothing_new,
    "black-box-finds-nothing-new": standing_checks.black_box_finds_nothing_new,
    "minimal-attack-finds-nothing-nearer": standing_checks.minimal_attack_finds_nothing_nearer,
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nothing_is_found_behind_an_honest_attack(handmade, name, norm):
    left = standing(handmade, handmade.linear(), f"pgd(norm={norm})")
    check = ALL[name](left)
    assert check.name == name
    assert check.passed is True
    reach = EPS * (SIZE if norm == "linf" else np.sqrt(SIZE))
    count = int(np.sum(handmade.sums() > reach))
    assert len(left.sample.labels) == count
    assert f"finds 0 of the {count} images" in check.evidence


@pytest.mark.parametrize("name", [n for n in attack_contract.SETTINGS if attack_contract.follows_gradients(n)])
def test_whatever_was_strongest_is_held_to_the_rules(name):
    """No check may fail on an attack of the registry: an error would end the whole evaluation."""
    classifier, _, x, _ = attack_contract.victim("logits")
    labels = classifier.predict(x).argmax(1)
    spec = show(name, attack_contract.attack_class(name)(**attack_contract.SETTINGS[name]))
    rows = accuracy_curve(classifier, x, labels, [(spec, attacks.attack(spec))], [0.02], experiment="e")
    left = standing_checks.left_standing(rows, Sample(classifier, x, labels))
    assert len(left.sample.labels)
    for rule, check in ALL.items():
        outcome = check(left)
        assert outcome.name == rule
        assert "finds" in outcome.evidence or f"not run for {spec}" in outcome.evidence


def test_targeted_apgd_is_compared_with_the_untargeted_one_on_another_loss(handmade):
    left = standing(handmade, handmade.linear(), "pgd")
    targeted = attacks.attack("apgdt(steps=7,restarts=2)", eps=EPS)
    evidence = standing_checks.losses_agree(dataclasses.replace(left, attack=targeted)).evidence
    assert evidence.startswith("apgd(loss=soft_margin,steps=7,restarts=2) finds 0 of")


@pytest.mark.parametrize(
    ("members", "iterative"),
    [("bim(steps=1),pgd(steps=20,random_start=False)", True), ("fgsm,nfgsm", False), ("bim(steps=1)", False)],
)
def test_a_worst_case_is_of_several_steps_if_a_member_is(handmade, members, iterative):
    worst = f"worst_case(members='{members}')"
    left = standing(handmade, handmade.linear(), "pgd(steps=3,step_size=0.02,random_start=False)", worst)
    assert left.name == (worst if iterative else "pgd(steps=3,step_size=0.02,random_start=False)")


def test_what_more_steps_find_is_counted(handmade):
    check = standing_checks.more_steps_change_nothing(standing(handmade, handmade.linear(), SHORT))
    left, more = int(np.sum(handmade.sums() > 0.05 * SIZE)), int(np.sum(handmade.sums() > 0.1 * SIZE))
    assert check.passed is False
    assert "steps=10" in check.evidence
    assert f"finds {left - more} of the {left} images that {SHORT} left standing at eps 0.1" in check.evidence
    assert f"of 400 tried, {left / 4:.2f} % stood, and now {more / 4:.2f} %" in check.evidence


def test_what_the_minimal_attack_finds_is_counted(handmade):
    check = standing_checks.minimal_attack_finds_nothing_nearer(standing(handmade, handmade.linear(), SHORT))
    left, more = int(np.sum(handmade.sums() > 0.05 * SIZE)), int(np.sum(handmade.sums() > 0.1 * SIZE))
    assert check.passed is False
    assert f"finds {left - more} of the {left} images" in check.evidence


@pytest.mark.parametrize("name", ["noise-finds-nothing-new", "black-box-finds-nothing-new"])
def test_what_needs_no_gradient_finds_more_than_a_wrong_one(handmade, name):
    assert (
        ALL[name](standing(handmade, handmade.linear(front=handmade.backwards), "pgd(random_start=False)")).passed
        is False
    )


def test_a_saturating_loss_is_named_with_what_it_hides(handmade):
    check = standing_checks.losses_agree(
        standing(handmade, handmade.linear(scale=1000.0), "pgd(loss=cross_entropy,random_start=False)")
    )
    assert check.passed is False
    # Logits 2000 |sum| apart: rounded to 1 beyond 17, so that nothing moves.
    left = int(np.sum(handmade.sums() * 2000 > 17))
    more = int(np.sum(handmade.sums() > EPS * SIZE))
    assert "cross_entropy saturates: at" in check.evidence
    assert f"{more / 4:.2f} %" in check.evidence
    assert left > more
    fine = standing_checks.losses_agree(standing(handmade, handmade.linear(), "pgd(loss=cross_entropy)"))
    assert fine.passed is True
    assert "at 0.00 % of the images left the probability is rounded to 1" in fine.evidence


def test_a_point_more_may_be_chance(handmade):
    """Four of 400 are a point; ten are beyond chance, and nine are not."""
    left = standing(handmade, handmade.linear(), SHORT)
    order = np.argsort(handmade.sums()[handmade.sums() > 0.05 * SIZE])
    for successes, passed in ((4, True), (9, True), (10, False)):
        beyond = np.sum(handmade.sums() <= 0.1 * SIZE) - np.sum(handmade.sums() <= 0.05 * SIZE)
        chosen = np.concatenate([order[:successes], order[beyond:]])
        part = standing_checks.Standing(left.sample.take(chosen), left.attack, left.name, left.share, 400)
        check = standing_checks.more_steps_change_nothing(part)
        assert f"finds {successes} of" in check.evidence
        assert check.passed is passed


def test_the_eps_in_most_doubt_and_the_strongest_attack_are_taken(handmade):
    left = standing(handmade, handmade.linear(), "fgsm", SHORT, "pgd", "noise", eps=(0.001, 0.1, 0.3))
    assert (left.name, left.share) == ("pgd", 0.1)
    assert left.attack == attacks.PGD(eps=0.1)
    assert standing(handmade, handmade.linear(), "fgsm").name == "fgsm"


def test_where_there_is_nothing_to_run(handmade):
    assert standing(handmade, handmade.linear(), "noise", "square(queries=5)") is None
    assert standing(handmade, handmade.black_box(), "square(queries=5)") is None
    for check in ALL.values():
        assert check(None).passed is None
    one_step = standing(handmade, handmade.linear(), "fgsm")
    assert standing_checks.more_steps_change_nothing(one_step).passed is None
    sparse = standing(handmade, handmade.linear(), "pgd(norm=l1)", eps=(1.0,))
    assert standing_checks.black_box_finds_nothing_new(sparse).passed is None
    assert standing_checks.noise_finds_nothing_new(sparse).evidence == "not run for pgd(norm=l1)"
    nothing = standing(handmade, handmade.linear(), "pgd", eps=(0.5,))
    check = standing_checks.noise_finds_nothing_new(nothing)
    assert check.passed is None
    assert check.evidence == "not run: there are no images that pgd left standing at eps 0.5"


def test_an_attack_that_is_not_in_the_registry_is_passed_over(handmade):
    x, y = handmade.data()
    rows = accuracy_curve(
        handmade.linear(), x, y, [("my attack", attacks.FGSM()), ("pgd", attacks.PGD())], (EPS,), experiment="e"
    )
    assert standing_checks.left_standing(rows, Sample(handmade.linear(), x, y)).name == "pgd"
    assert standing_checks.left_standing(rows[:2], Sample(handmade.linear(), x, y)) is None
