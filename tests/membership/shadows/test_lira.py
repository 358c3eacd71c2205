"""LiRA: by hand on a few margins, and beside the optimal attack where that has a closed form."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

import gaussian_margins as gaussian
from tfinv import specs
from tfinv.errors import UserError
from tfinv.membership import membership_attack
from tfinv.membership.shadows.lira import LiRA
from tfinv.membership.shadows.moments import Side
from tfinv.membership.shadows.variances import VARIANCES, default_variance, prior_degrees, variances

# Two examples of four shadows: inside 3, 5 and 0, 4; outside -1, 1 and -6, 2.
MARGINS = np.array([[3, 0], [-1, -6], [5, 4], [1, 2]], float)
MEMBERS = np.array([[1, 0, 1, 0], [1, 0, 1, 0]], bool)
TARGET = np.array([3.0, 1.0])


def by_hand(**settings):
    return LiRA(**settings).score(gaussian.evidence(TARGET, gaussian.shadows(MARGINS, MEMBERS)))


def test_pooled_by_hand():
    # Sums of squares: inside 2 and 8, outside 2 and 32, each of one degree of freedom.
    inside, outside = stats.norm([4, 2], math.sqrt(5)), stats.norm([0, -2], math.sqrt(17))
    np.testing.assert_allclose(by_hand(variance="pooled"), inside.logpdf(TARGET) - outside.logpdf(TARGET), rtol=1e-12)
    np.testing.assert_allclose(by_hand(variance="pooled", online=False), np.array([3, 3]) / math.sqrt(17), rtol=1e-12)


def test_per_example_by_hand():
    inside, outside = stats.norm([4, 2], np.sqrt([2, 8])), stats.norm([0, -2], np.sqrt([2, 32]))
    expectation = inside.logpdf(TARGET) - outside.logpdf(TARGET)
    np.testing.assert_allclose(by_hand(variance="per_example"), expectation, rtol=1e-12)


def test_fixed_by_hand():
    inside, outside = (
        stats.norm(means, np.std(MARGINS[rows])) for means, rows in (([4, 2], [0, 2]), ([0, -2], [1, 3]))
    )
    expectation = inside.logpdf(TARGET) - outside.logpdf(TARGET)
    np.testing.assert_allclose(by_hand(variance="fixed"), expectation, rtol=1e-12)


def test_of_two_shadows_the_variance_is_that_over_all_examples():
    evidence = gaussian.evidence(TARGET, gaussian.shadows(MARGINS[:2], MEMBERS[:, :2]))
    scores = LiRA().score(evidence)
    np.testing.assert_array_equal(scores, LiRA(variance="fixed").score(evidence))
    assert np.isfinite(scores).all()


def test_several_queries_are_averaged():
    generator = np.random.default_rng(0)
    margins, target = generator.normal(size=(4, 2, 3)), generator.normal(size=(2, 3))
    scores = [
        LiRA().score(gaussian.evidence(target[:, query], gaussian.shadows(margins[..., query], MEMBERS)))
        for query in range(3)
    ]
    evidence = gaussian.evidence(target, gaussian.shadows(margins, MEMBERS))
    np.testing.assert_allclose(LiRA().score(evidence), np.mean(scores, axis=0), rtol=1e-12)
    np.testing.assert_allclose(LiRA(queries=2).score(evidence), np.mean(scores[:2], axis=0), rtol=1e-12)


def test_a_mean_that_no_shadow_gives_is_the_other_one_shifted():
    members = np.array([[1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    margins = np.concatenate([MARGINS, np.array([[7.0, 9, 7, 9], [7, 9, 7, 9]]).T], axis=1)
    evidence = gaussian.evidence(np.array([3.0, 1, 8, 8]), gaussian.shadows(margins, members))
    # The means of the first two differ by 4: they are 12 inside of the third, and 4 outside of the fourth.
    scores = LiRA(variance="pooled").score(evidence)
    s_in, s_out = math.sqrt(14 / 5), math.sqrt(38 / 5)
    expectation = stats.norm(12, s_in).logpdf(8) - stats.norm(8, s_out).logpdf(8)
    np.testing.assert_allclose(scores[2], expectation, rtol=1e-12)
    np.testing.assert_allclose(scores[3], stats.norm(8, s_in).logpdf(8) - stats.norm(4, s_out).logpdf(8), rtol=1e-12)


@pytest.mark.parametrize("kind", VARIANCES)
@pytest.mark.parametrize("online", [True, False])
def test_shadows_that_all_agree_give_finite_scores(kind, online):
    evidence = gaussian.evidence(np.ones(2), gaussian.shadows(np.zeros((4, 2)), MEMBERS))
    scores = LiRA(online=online, variance=kind).score(evidence)
    assert np.isfinite(scores).all()
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("members", "online", "message"),
    [(np.zeros((2, 4), bool), True, "trained on the examples"), (np.ones((2, 4), bool), False, "not trained on")],
)
def test_shadows_of_one_kind_alone_are_refused(members, online, message):
    evidence = gaussian.evidence(TARGET, gaussian.shadows(MARGINS, members))
    with pytest.raises(UserError, match=message):
        LiRA(online=online).score(evidence)


def test_offline_needs_no_shadow_that_was_trained_on_the_examples():
    evidence = gaussian.evidence(np.array([3.0, 0.5]), gaussian.shadows(MARGINS, np.zeros((2, 4), bool)))
    # The means are 2 and 0, the variance within is (20 + 56) / 6.
    np.testing.assert_allclose(LiRA(online=False).score(evidence), np.array([1, 0.5]) / math.sqrt(76 / 6), rtol=1e-12)


def test_its_text_form():
    assert membership_attack("lira(online=False,variance=per_example)") == LiRA(online=False, variance="per_example")
    for kind in VARIANCES:
        assert membership_attack(specs.show("lira", LiRA(variance=kind))) == LiRA(variance=kind)
    for spec, message in (("lira(variance=own)", "a variance among pooled"), ("lira(queries=0)", "at least 1")):
        with pytest.raises(UserError, match=message):
            membership_attack(spec)


def test_variances_shrink_by_how_much_they_truly_differ():
    generator = np.random.default_rng(0)
    degrees, n = 7, 4000
    alike = generator.chisquare(degrees, n) / degrees
    assert prior_degrees(alike, np.full(n, degrees)) > 100
    # Drawn from a scaled inverse chi-square distribution of 6 degrees of freedom.
    truly = 6 / generator.chisquare(6, n)
    assert prior_degrees(truly * alike, np.full(n, degrees)) == pytest.approx(6, rel=0.15)
    side = Side(np.full(n, degrees + 1.0), np.zeros((n, 1)), degrees * (truly * alike)[:, np.newaxis])
    pooled, shrunk, single = (variances(side, kind)[:, 0] for kind in ("pooled", "shrunk", "per_example"))
    errors = [np.mean(np.abs(np.log(values / truly))) for values in (shrunk, single, np.broadcast_to(pooled, n))]
    assert errors[0] < min(errors[1:])


def test_the_default_is_pooled_and_shrunk_from_16_shadows_on():
    assert [default_variance(count) for count in (2, 4, 15, 16, 64)] == ["pooled"] * 3 + ["shrunk"] * 2


def test_tpr_and_auc_are_those_of_the_optimal_attack():
    """Members N(m + 2, 1), others N(m, 1): the optimal score is their log-likelihood ratio, 2 (margin - m - 1)."""
    generator = np.random.default_rng(0)
    n, targets, gap = 8000, 12, 2.0
    truth = gaussian.model(generator, n, gap)
    members = gaussian.halves(generator, n, 256)
    drawn = truth.draw(generator, members)
    references = dataclasses.replace(gaussian.shadows(drawn, members), margin_sources=list(drawn[..., np.newaxis]))
    rates, areas, threshold_rates = [], [], []
    for _ in range(targets):
        member = generator.permutation(n) < n // 2
        margins = truth.draw(generator, member[:, np.newaxis])[0]
        scores = LiRA(variance="pooled").score(gaussian.evidence(margins, references))
        optimum = gap * (margins - truth.outside - gap / 2)
        assert np.corrcoef(scores, optimum)[0, 1] > 0.99
        rates.append(gaussian.tpr(scores, member, 0.01))
        areas.append(gaussian.auc(scores, member))
        threshold_rates.append(gaussian.tpr(margins, member, 0.01))
    # Student's interval over targets, at 99.9 %; .01 for the means that 128 shadows leave uncertain.
    for values, expectation in (
        (rates, stats.norm.cdf(gap - stats.norm.isf(0.01))),
        (areas, stats.norm.cdf(gap / math.sqrt(2))),
    ):
        half = stats.t.isf(0.0005, targets - 1) * np.std(values, ddof=1) / math.sqrt(targets)
        assert abs(np.mean(values) - expectation) < half + 0.01
        assert half < 0.05
    assert np.mean(rates) > 5 * np.mean(threshold_rates)
