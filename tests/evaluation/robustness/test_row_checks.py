"""Each rule that rows alone can break: rows that keep it, and rows that break it."""

import pytest

from tfinv.attacks import ATTACKS
from tfinv.evaluation import row_checks

EPS = (0.05, 0.1, 0.25)


def rows(n=1000, clean=0.95, **attacks):
    """Rows of the accuracies at EPS, with distances that use the whole budget and no zero gradient."""
    found = [{"attack": "none", "eps": 0.0, "accuracy": clean, "n": n}]
    for attack, values in attacks.items():
        for eps, value in zip(EPS, values, strict=False):
            row = {"attack": attack, "eps": eps, "accuracy": value, "n": n, "max_distance": eps}
            row["needs"] = ATTACKS[row_checks.family(row)].NEEDS
            found.append(row if attack == "noise" else row | {"zero_gradients": 0.0})
    return found


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        ((0.9, 0.5, 0.1), True),
        ((0.0, 0.0, 0.0), True),  # nothing is left to fall
        ((0.9, 0.5, 0.505), True),  # a rise of less than chance
        ((0.9, 0.5, 0.6), False),  # it rises
        ((0.99, 0.5, 0.1), False),  # above clean
        ((0.949, 0.949, 0.949), False),  # the poster's flat line
        ((0.955,), True),  # one point, no more than chance above clean
    ],
)
def test_accuracy_falls(values, passed):
    check = row_checks.accuracy_falls(rows(fgsm=values))
    assert check.name == "accuracy-falls-with-eps"
    assert check.passed is (passed or False)
    assert "fgsm: 95.00 %" in check.evidence


def test_accuracy_falls_judges_each_attack_but_not_noise():
    check = row_checks.accuracy_falls(rows(fgsm=(0.9, 0.5, 0.1), pgd=(0.8, 0.8, 0.8), noise=(0.95, 0.95, 0.95)))
    assert check.passed is False
    assert "pgd stays flat from eps 0.05 to 0.25" in check.evidence
    assert "noise" not in check.evidence
    assert row_checks.accuracy_falls(rows(noise=(0.95, 0.95, 0.95))).passed is None
    assert row_checks.accuracy_falls(rows()).passed is None


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_what_a_large_eps_is_depends_on_the_norm(norm):
    """A quarter of one pixel of an L1 budget changes nothing, and may."""

    def judged(*values, **more):
        return row_checks.accuracy_falls([r | {"norm": norm} | more for r in rows(pgd=values)])

    flat = judged(0.949, 0.949, 0.949)
    assert flat.passed is True
    assert flat.evidence.endswith("94.90 % (judged for rises only)")
    assert judged(0.9, 0.5, 0.6).passed is False
    assert judged(0.949, 0.949, 0.949, curve="bisected").passed is None


def test_two_large_eps_that_are_near_may_give_the_same():
    def judged(*eps):
        found = [{"attack": "none", "eps": 0.0, "accuracy": 0.95, "n": 160}]
        return row_checks.accuracy_falls(
            [*found, *({"attack": "pgd", "eps": e, "accuracy": 0.9, "n": 160} for e in eps)]
        )

    assert judged(0.25, 0.3).passed is True
    assert judged(0.15, 0.3).passed is False


def test_few_images_do_not_tell_a_flat_curve_from_a_robust_model():
    few = row_checks.accuracy_falls(rows(100, 0.99, pgd=(0.98, 0.98, 0.98)))
    assert few.passed is True
    assert few.evidence.endswith("98.00 % (judged for rises only)")
    assert row_checks.accuracy_falls(rows(100, 0.99, pgd=(0.9, 0.9, 0.98))).passed is False
    assert row_checks.accuracy_falls(rows(150, 0.99, pgd=(0.98, 0.98, 0.98))).passed is False


@pytest.mark.parametrize(
    ("check", "strong", "weak"),
    [(row_checks.pgd_at_least_fgsm, "pgd", "fgsm"), (row_checks.noise_weaker_than_fgsm, "fgsm", "noise")],
)
def test_the_stronger_attack_must_not_be_weaker(check, strong, weak):
    low, high = (0.8, 0.4, 0.1), (0.9, 0.5, 0.2)
    assert check(rows(**{strong: low, weak: high})).passed is True
    assert check(rows(**{strong: low, weak: low})).passed is True
    wrong = check(rows(**{strong: (0.8, 0.5, 0.1), weak: (0.8, 0.4, 0.1)}))
    assert wrong.passed is False
    assert wrong.evidence == f"eps 0.1: {strong} 50.00 %, {weak} 40.00 %"
    # Of twenty images two more or less are chance.
    assert check(rows(20, **{strong: (0.8, 0.5, 0.1), weak: (0.8, 0.4, 0.1)})).passed is True
    assert check(rows(**{strong: low})).passed is None


def test_zero_gradients():
    found = rows(fgsm=(0.9, 0.5, 0.1))
    assert row_checks.zero_gradients(found).passed is True
    found[2]["zero_gradients"] = 0.01
    assert row_checks.zero_gradients(found).passed is True
    found[2]["zero_gradients"] = 0.02
    check = row_checks.zero_gradients(found)
    assert check.passed is False
    assert "2.00 % of the gradients of fgsm at eps 0.1" in check.evidence
    assert row_checks.zero_gradients(rows(noise=(0.9, 0.9, 0.9))).passed is None


@pytest.mark.parametrize("width", [1.0, 255.0])
def test_perturbation_uses_budget(width):
    def with_distance(at_ten_percent, accuracy=0.5):
        found = rows(fgsm=(0.9, accuracy, 0.1))
        for row in found[1:]:
            row["max_distance"] *= width
        found[2]["max_distance"] = at_ten_percent * width
        return row_checks.perturbation_uses_budget(found, width)

    assert with_distance(0.1).passed is True
    assert with_distance(0.06).passed is True
    assert with_distance(1 / 255).passed is False
    assert "fgsm at eps 0.1 moved at most 0.003922" in with_distance(1 / 255).evidence
    assert with_distance(0.1001).passed is False
    assert "outside its budget" in with_distance(0.1001).evidence
    assert with_distance(0.01, accuracy=0.0).passed is True  # enough to succeed everywhere
    assert row_checks.perturbation_uses_budget(rows(), width).passed is None


def test_a_minimal_attack_need_not_use_its_budget():
    found = rows(fmn=(0.9, 0.5, 0.1))
    for row in found[1:]:
        row |= {"max_distance": 0.01, "minimal": True}
    assert row_checks.perturbation_uses_budget(found, 1.0).passed is True
    found[1]["max_distance"] = 0.06
    assert "outside its budget" in row_checks.perturbation_uses_budget(found, 1.0).evidence


def test_a_bisected_curve_uses_its_budget_somewhere():
    found = rows(pgd=(0.9, 0.5, 0.1))
    for row in found[1:]:
        row["curve"] = "bisected"
    found[2]["max_distance"] = 0.02  # all that were attacked here gave in early
    assert row_checks.perturbation_uses_budget(found, 1.0).passed is True
    for row in found[1:]:
        row["max_distance"] = 1 / 255
    check = row_checks.perturbation_uses_budget(found, 1.0)
    assert check.passed is False
    assert "pgd at eps 0.05 moved at most 0.003922; pgd at eps 0.1 moved" in check.evidence


@pytest.mark.parametrize("curve", ["bisected", "searched"])
def test_a_curve_that_cannot_rise_is_judged_for_flatness(curve):
    def judged(*values):
        return row_checks.accuracy_falls([r | {"curve": curve} for r in rows(pgd=values)])

    fine = judged(0.9, 0.5, 0.1)
    assert fine.passed is True
    assert fine.evidence == "pgd: 95.00 % / 90.00 % / 50.00 % / 10.00 % (judged for flatness only)"
    assert judged(0.9, 0.9, 0.9).passed is False
    assert "flatness" not in row_checks.accuracy_falls(rows(pgd=(0.9, 0.5, 0.1))).evidence


@pytest.mark.parametrize("black", ["square", "transfer(surrogate='other.keras')", "hopskipjump"])
def test_white_box_at_least_black_box(black):
    def judged(n=1000, **attacks):
        return row_checks.white_box_at_least_black_box(rows(n, **attacks))

    high, low = (0.9, 0.6, 0.2), (0.9, 0.4, 0.2)
    assert judged(pgd=low, **{black: high}).passed is True
    wrong = judged(pgd=high, **{black: low})
    assert wrong.passed is False
    assert wrong.evidence == f"eps 0.1: pgd 60.00 %, {black.partition('(')[0]} 40.00 %"
    # The strongest counts, chance is no sign, and noise is no black-box attack.
    assert judged(fgsm=high, pgd=low, **{black: low}).passed is True
    assert judged(10, pgd=high, **{black: low}).passed is True
    assert judged(pgd=high, noise=low).passed is None
    assert judged(**{black: low}).passed is None


def test_attacks_of_other_norms_are_not_compared():
    found = rows(fgsm=(0.5, 0.4, 0.1), pgd=(0.9, 0.8, 0.7))
    assert row_checks.pgd_at_least_fgsm(found).passed is False
    for row in found[1:]:
        row["norm"] = "linf" if row["attack"] == "fgsm" else "l2"
    assert row_checks.pgd_at_least_fgsm(found).passed is None
