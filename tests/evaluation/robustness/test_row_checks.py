"""Each rule that rows alone can break: rows that keep it, and rows that break it."""

import pytest

from tfinv.attacks import ATTACKS
from tfinv.evaluation.robustness import row_checks

EPS = (0.05, 0.1, 0.25)


def rows(n=1000, clean=0.95, **attacks):
    """Rows of the accuracies at EPS, with distances that use the whole budget and no zero gradient."""
    curves = [{"attack": "none", "eps": 0.0, "accuracy": clean, "n": n}]
    for attack, values in attacks.items():
        for eps, value in zip(EPS, values, strict=False):
            row = {"attack": attack, "eps": eps, "accuracy": value, "n": n, "max_distance": eps}
            row["needs"] = ATTACKS[row_checks.family(row)].NEEDS
            curves.append(row if attack == "noise" else row | {"zero_gradients": 0.0})
    return curves


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


def test_accuracy_falls_judges_the_strongest_attack_and_not_noise():
    """FGSM saturates, and rises while PGD falls to nothing."""
    saturated = (0.040, 0.057, 0.077)
    alone = row_checks.accuracy_falls(rows(fgsm=saturated))
    assert alone.passed is False
    assert alone.evidence.startswith("fgsm rises. fgsm: 95.00 %")
    check = row_checks.accuracy_falls(rows(fgsm=saturated, pgd=(0.02, 0.001, 0.0), noise=(0.95, 0.95, 0.95)))
    assert check.passed is True
    assert check.evidence == "lowest of fgsm, pgd: 95.00 % / 2.00 % / 0.10 % / 0.00 %"
    # A curve that falls beside one that stands still is the model's.
    assert row_checks.accuracy_falls(rows(fgsm=(0.9, 0.5, 0.1), pgd=(0.8, 0.8, 0.8))).passed is True
    both = row_checks.accuracy_falls(rows(fgsm=(0.9, 0.9, 0.9), pgd=(0.8, 0.8, 0.8)))
    assert both.passed is False
    assert "lowest of fgsm, pgd stays flat from eps 0.05 to 0.25" in both.evidence
    rising = row_checks.accuracy_falls(rows(fgsm=(0.5, 0.6, 0.6), pgd=(0.6, 0.6, 0.7)))
    assert "lowest of fgsm, pgd rises" in rising.evidence
    assert row_checks.accuracy_falls(rows(noise=(0.95, 0.95, 0.95))).passed is None
    assert row_checks.accuracy_falls(rows()).passed is None


def test_norms_have_curves_of_their_own():
    """What is 0.2 in L2 is less than 0.1 in L-inf."""
    curves = rows(pgd=(0.5, 0.3, 0.1)) + [r | {"norm": "l2"} for r in rows(fgsm=(0.9, 0.8, 0.7))[1:]]
    check = row_checks.accuracy_falls(curves)
    assert check.passed is True
    assert check.evidence.startswith("pgd: 95.00 % / 50.00 %")
    assert "fgsm: 95.00 % / 90.00 % / 80.00 % / 70.00 % (judged for rises only)" in check.evidence


@pytest.mark.parametrize(
    ("attack", "passed"),
    [
        ("pgd(steps=3)", True),
        ("square", True),
        ("square(queries=5000)", True),
        ("square(queries=200)", False),
        ("hopskipjump", False),
        ("transfer(surrogate='other.keras')", False),
        ("noise", None),
    ],
)
def test_only_black_boxes(attack, passed):
    check = row_checks.not_only_black_box(rows(**{attack: (0.9, 0.5, 0.1)}))
    assert check.name == "not-only-black-box"
    assert check.passed is passed
    if passed is False:
        queries = 200 if attack.startswith("square") else 0
        assert f"at most {queries} queries of its scores an image (at least 5000)" in check.evidence
        assert attack in check.evidence
        # The advice, followed.
        assert "square(queries=5000)" in check.advice
        more = rows(**{attack: (0.9, 0.5, 0.1), "square(queries=5000)": (0.8, 0.4, 0.1)})
        assert row_checks.not_only_black_box(more).passed is True
        assert row_checks.not_only_black_box(rows(**{attack: (0.9,), "pgd": (0.8,)})).passed is True
    assert row_checks.not_only_black_box(rows()).passed is None


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_what_a_large_eps_is_depends_on_the_norm(norm):
    """A quarter of one pixel of an L1 budget changes nothing, and may."""

    def judged(*values, **keys):
        return row_checks.accuracy_falls([r | {"norm": norm} | keys for r in rows(pgd=values)])

    flat = judged(0.949, 0.949, 0.949)
    assert flat.passed is True
    assert flat.evidence.endswith("94.90 % (judged for rises only)")
    assert judged(0.9, 0.5, 0.6).passed is False
    assert judged(0.949, 0.949, 0.949, curve="bisected").passed is None


def test_two_large_eps_that_are_near_may_give_the_same():
    def judged(*eps):
        clean = {"attack": "none", "eps": 0.0, "accuracy": 0.95, "n": 160}
        return row_checks.accuracy_falls(
            [clean, *({"attack": "pgd", "eps": e, "accuracy": 0.9, "n": 160} for e in eps)]
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
    curves = rows(fgsm=(0.9, 0.5, 0.1))
    assert row_checks.zero_gradients(curves).passed is True
    curves[2]["zero_gradients"] = 0.01
    assert row_checks.zero_gradients(curves).passed is True
    curves[2]["zero_gradients"] = 0.02
    check = row_checks.zero_gradients(curves)
    assert check.passed is False
    assert "2.00 % of the gradients of fgsm at eps 0.1" in check.evidence
    assert row_checks.zero_gradients(rows(noise=(0.9, 0.9, 0.9))).passed is None


@pytest.mark.parametrize("width", [1.0, 255.0])
def test_perturbation_uses_budget(width):
    def with_distance(at_ten_percent, accuracy=0.5):
        curves = rows(fgsm=(0.9, accuracy, 0.1))
        for row in curves[1:]:
            row["max_distance"] *= width
        curves[2]["max_distance"] = at_ten_percent * width
        return row_checks.perturbation_uses_budget(curves, width)

    assert with_distance(0.1).passed is True
    assert with_distance(0.06).passed is True
    assert with_distance(1 / 255).passed is False
    assert "fgsm at eps 0.1 moved at most 0.003922" in with_distance(1 / 255).evidence
    assert with_distance(0.1001).passed is False
    assert "outside its budget" in with_distance(0.1001).evidence
    assert with_distance(0.01, accuracy=0.0).passed is True  # enough to succeed everywhere
    assert row_checks.perturbation_uses_budget(rows(), width).passed is None


def test_a_minimal_attack_need_not_use_its_budget():
    curves = rows(fmn=(0.9, 0.5, 0.1))
    for row in curves[1:]:
        row |= {"max_distance": 0.01, "minimal": True}
    assert row_checks.perturbation_uses_budget(curves, 1.0).passed is True
    curves[1]["max_distance"] = 0.06
    assert "outside its budget" in row_checks.perturbation_uses_budget(curves, 1.0).evidence


def test_a_bisected_curve_uses_its_budget_somewhere():
    curves = rows(pgd=(0.9, 0.5, 0.1))
    for row in curves[1:]:
        row["curve"] = "bisected"
    curves[2]["max_distance"] = 0.02  # all that were attacked here gave in early
    assert row_checks.perturbation_uses_budget(curves, 1.0).passed is True
    for row in curves[1:]:
        row["max_distance"] = 1 / 255
    check = row_checks.perturbation_uses_budget(curves, 1.0)
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
    curves = rows(fgsm=(0.5, 0.4, 0.1), pgd=(0.9, 0.8, 0.7))
    assert row_checks.pgd_at_least_fgsm(curves).passed is False
    for row in curves[1:]:
        row["norm"] = "linf" if row["attack"] == "fgsm" else "l2"
    assert row_checks.pgd_at_least_fgsm(curves).passed is None
