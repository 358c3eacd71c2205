"""From rows and measurements to points, worked out by hand."""

import numpy as np
import pytest

from tfinv.evaluation.frontier.leaks import InversionLeak, MembershipLeak
from tfinv.evaluation.frontier.points import Plane, points_of
from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.intervals import rate_interval
from tfinv.evaluation.statistics.measurement import Measurement, Values

LABELS = np.repeat(np.arange(4), 2)


def accuracy(spec, seed, share, attack="pgd", eps=0.1, n=100):
    hits = round(share * n)
    keys = {"kind": "accuracy", "experiment": spec, "seed": seed, "attack": attack, "eps": eps}
    return keys | {"accuracy": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}


def inversion(spec, seed, *hits, confidence=0.9, budget="equal"):
    """One evaluator a share of `hits`, of the first classes."""
    values = [Values("acc@1", np.arange(8) < 8 * share, LABELS, str(i)) for i, share in enumerate(hits)]
    values.append(Values("confidence", np.full(8, confidence), LABELS))
    return Measurement({"experiment": spec, "method": "gradient", "budget": budget, "seed": seed}, tuple(values))


def points(rows, measurements, swept=("none",), twins=None, seeds=(0, 1), measure="acc@1", unsound=None):
    plane = Plane("pgd", eps=0.1, leak=InversionLeak(measurements, "gradient", measure), chance=0.25)
    return points_of(rows, swept, twins or {}, plane, seeds=seeds, unsound=unsound)


def both(spec, seed, share, *hits, clean=0.9, **options):
    rows = [accuracy(spec, seed, clean, "none", 0.0), accuracy(spec, seed, share), accuracy(spec, seed, 0.0, eps=0.3)]
    return rows, inversion(spec, seed, *hits, **options)


def test_a_point_is_the_mean_over_seeds_and_evaluators():
    (a, first), (b, second) = both("none", 0, 0.2, 0.5, 0.75, clean=0.8), both("none", 1, 0.4, 1.0, 1.0)
    other = inversion("none", 0, 0.0, 0.0, budget="convergence")
    (point,) = points([*a, *b], [first, second, other])
    assert (point.label, point.swept, point.flaw, point.left_out) == ("none", True, "", "")
    assert point.x == pytest.approx(0.3)
    assert point.y == pytest.approx((0.5 + 0.75 + 1 + 1) / 4)
    assert point.accuracies == {0: 0.8, 1: 0.9}
    # Student's quantile of one degree of freedom reaches below 0 and above 1, where there is nothing.
    assert point.x_interval == (0.0, 1.0)
    ends = [estimate([m.find("acc@1", e) for m in (first, second)]).interval() for e in "01"]
    assert point.y_interval == pytest.approx(np.mean(ends, axis=0))


def test_one_seed_has_the_interval_of_its_images_and_classes():
    rows, measurement = both("none", 0, 0.0, 0.0)
    (point,) = points(rows, [measurement])
    assert point.x_interval == pytest.approx(rate_interval(0, 100))
    assert point.x_interval[1] > 0.03
    # Nothing recognised of four classes is not known to be nothing.
    assert point.y_interval[0] == 0
    assert point.y_interval[1] > 0.3


def test_equal_seeds_are_not_certainty():
    runs = [both("none", s, 0.1, 0.5) for s in range(3)]
    (point,) = points([r for rows, _ in runs for r in rows], [m for _, m in runs], seeds=range(3))
    assert point.x_interval == pytest.approx(rate_interval(10, 100))


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"clean": 0.3}, "not learnt to classify"), ({"confidence": 0.3}, "does not reach its class")],
)
def test_a_run_that_shows_nothing_is_left_out_or_flaws_the_point(options, reason):
    (a, first), (b, second) = both("none", 0, 0.2, 0.5), both("none", 1, 0.9, 0.0, **options)
    (point,) = points([*a, *b], [first, second])
    assert (point.x, point.y, point.flaw) == (pytest.approx(0.2), 0.5, "")
    assert point.left_out.startswith("seed 1, ")
    assert reason in point.left_out
    (alone,) = points(b, [second])
    assert reason in alone.flaw


def test_a_robust_accuracy_that_fails_a_check_is_no_point_on_the_line():
    (a, first), (b, second) = both("none", 0, 0.2, 0.5), both("none", 1, 0.9, 0.0)
    failed = {("none", 1): ["more-steps", "noise"], ("other", 0): ["noise"]}
    (point,) = points([*a, *b], [first, second], unsound=failed)
    assert (point.x, point.flaw) == (pytest.approx(0.2), "")
    assert point.left_out == "seed 1, whose robust accuracy fails more-steps, noise"
    (alone,) = points(b, [second], unsound=failed)
    assert alone.flaw == "whose robust accuracy fails more-steps, noise"


def test_twins_are_kept_and_what_was_not_measured_has_no_point():
    (a, first), (b, second) = both("none", 0, 0.2, 0.5), both("reversal", 0, 0.2, 0.5)
    recipes = points([*a, *b], [first, second], twins={"reversal": "none", "missing+reversal": "missing"})
    assert [(p.label, p.swept, p.twin) for p in recipes] == [("none", True, ""), ("reversal", False, "none")]
    assert points(a, [first], measure="feature_distance") == []


def test_a_leak_of_members_is_the_mean_of_the_seeds_areas():
    accuracies = [accuracy("none", s, share, *of) for s in range(2) for share, of in ((0.9, ("none", 0.0)), (0.2, ()))]
    area = {"kind": "membership", "experiment": "none", "attack": "confidence", "measure": "auc", "target": "model"}
    areas = [area | {"seed": s, "value": v, "ci95": [v - 0.02, v + 0.04]} for s, v in enumerate((0.60, 0.62))]
    others = [areas[0] | changes for changes in ({"attack": "gap"}, {"measure": "advantage"}, {"seed": 7})]
    pooled = {k: v for k, v in area.items() if k != "target"} | {"seed": [0, 1], "value": 0.1}
    rows = [*accuracies, *others, *areas, pooled]
    plane = Plane("pgd", eps=0.1, leak=MembershipLeak(rows, "confidence"), chance=0.25)
    (point,) = points_of(rows, ["none"], {}, plane, seeds=(0, 1))
    assert (point.y, point.flaw) == (pytest.approx(0.61), "")
    half = 12.706 * 0.01  # Student's, of one degree of freedom, wider than that of the images
    assert point.y_interval == pytest.approx((0.61 - half, 0.61 + half), abs=1e-4)
    (alone,) = points_of(rows, ["none"], {}, plane, seeds=(1,))
    assert alone.y_interval == pytest.approx((0.60, 0.66))
    # A model whose members nobody asked for has no point.
    assert (
        points_of(accuracies, ["none"], {}, Plane("pgd", 0.1, MembershipLeak([], "confidence"), 0.25), seeds=(0,)) == []
    )
