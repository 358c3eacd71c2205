"""BASE and BaVarIA by hand, and beside the attacks that they join."""

import math

import numpy as np
import pytest
from scipy import special, stats

import gaussian_margins as gaussian
from tfinv.errors import UserError
from tfinv.membership import membership_attack
from tfinv.membership.shadows.base_attack import BASE
from tfinv.membership.shadows.bavaria import BaVarIA
from tfinv.membership.shadows.lira import LiRA
from tfinv.membership.shadows.rmia import RMIA

MARGINS = np.array([[3, 0], [-1, -6], [5, 4], [1, 2]], float)
MEMBERS = np.array([[1, 0, 1, 0], [1, 0, 1, 0]], bool)
TARGET = np.array([3.0, 1.0])


def by_hand(attack, members=MEMBERS):
    return attack.score(gaussian.evidence(TARGET, gaussian.shadows(MARGINS, members)))


def test_base_by_hand():
    p, target = special.expit(MARGINS), special.expit(TARGET)
    inside, outside = p[[0, 2]].mean(axis=0), p[[1, 3]].mean(axis=0)
    np.testing.assert_allclose(by_hand(BASE()), np.log(target) - np.log((inside + outside) / 2), rtol=1e-12)
    np.testing.assert_allclose(by_hand(BASE(online=False)), np.log(target) - 0.33 * np.log(outside), rtol=1e-12)


def test_base_ranks_as_rmia():
    generator = np.random.default_rng(0)
    truth, members = gaussian.model(generator, 500), gaussian.halves(generator, 500, 6)
    margins = truth.draw(generator, members)
    evidence = gaussian.evidence(margins[0], gaussian.shadows(margins[2:], members[:, 2:]))
    np.testing.assert_array_equal(np.argsort(BASE().score(evidence)), np.argsort(RMIA().score(evidence)))


def student(values, margins, alpha):
    """Log-density of the posterior predictive of margins, (n,), with the prior of all values (m, n)."""
    mean, beta = values.mean(), values.var() * (alpha - 1)
    count = len(margins)
    kappa_n, alpha_n = 1 + count, alpha + count / 2
    deviation = margins.var() * count if count else 0.0
    shift = margins.mean() - mean if count else 0.0
    beta_n = beta + deviation / 2 + count * shift**2 / (2 * kappa_n)
    scale = math.sqrt(beta_n * (kappa_n + 1) / (alpha_n * kappa_n))
    return stats.t(2 * alpha_n, (mean + margins.sum()) / kappa_n, scale)


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("alpha", [2.0, 3.5])
def test_student_by_hand(online, alpha):
    inside, outside = MARGINS[[0, 2]], MARGINS[[1, 3]]
    expectation = [
        student(inside, inside[:, i] if online else np.zeros(0), alpha).logpdf(TARGET[i])
        - student(outside, outside[:, i], alpha).logpdf(TARGET[i])
        for i in range(2)
    ]
    scores = by_hand(BaVarIA(online=online, alpha=None if alpha == 2 else alpha))
    np.testing.assert_allclose(scores, expectation, rtol=1e-10)


def test_normal_by_hand():
    inside, outside = MARGINS[[0, 2]], MARGINS[[1, 3]]

    def density(values, margins):
        # alpha 1: beta is the variance of all; two shadows make alpha_n 2, kappa_n 3.
        beta_n = values.var() + margins.var() + (margins.mean() - values.mean()) ** 2 / 3
        return stats.norm(margins.mean(), math.sqrt(beta_n))

    expectation = [
        density(inside, inside[:, i]).logpdf(TARGET[i]) - density(outside, outside[:, i]).logpdf(TARGET[i])
        for i in range(2)
    ]
    np.testing.assert_allclose(by_hand(BaVarIA(form="normal")), expectation, rtol=1e-10)
    prior = stats.norm(inside.mean(), inside.std())
    expectation = [prior.logpdf(TARGET[i]) - density(outside, outside[:, i]).logpdf(TARGET[i]) for i in range(2)]
    np.testing.assert_allclose(by_hand(BaVarIA(form="normal", online=False)), expectation, rtol=1e-10)


def test_with_many_shadows_bavaria_is_lira_with_variances_of_each_example():
    generator = np.random.default_rng(0)
    n = 300
    truth, members = (
        gaussian.model(generator, n, scale=np.exp(generator.normal(size=n) / 2)),
        gaussian.halves(generator, n, 402),
    )
    margins = truth.draw(generator, members)
    evidence = gaussian.evidence(margins[0], gaussian.shadows(margins[2:], members[:, 2:]))
    lira = LiRA(variance="per_example").score(evidence)
    pooled = LiRA(variance="pooled").score(evidence)
    for form in ("student", "normal"):
        scores = BaVarIA(form=form).score(evidence)
        assert stats.spearmanr(scores, lira).statistic > 0.995 > stats.spearmanr(scores, pooled).statistic


@pytest.mark.parametrize("form", ["student", "normal"])
def test_an_example_without_shadows_of_a_side_has_its_prior(form):
    members = np.array([[0, 0, 0, 0], [1, 0, 1, 0]], bool)
    assert np.isfinite(by_hand(BaVarIA(form=form), members)).all()
    with pytest.raises(UserError, match="trained on the examples"):
        by_hand(BaVarIA(form=form, online=False), np.zeros((2, 4), bool))


def test_their_text_forms():
    assert membership_attack("bavaria(form=normal,kappa=2)") == BaVarIA(form="normal", kappa=2)
    assert membership_attack("base(online=False,scale=.5)") == BASE(online=False, scale=0.5)
    for spec, message in (
        ("bavaria(form=cauchy)", "a form among student, normal"),
        ("bavaria(kappa=0)", "positive kappa"),
        ("bavaria(alpha=-1)", "alpha above 0"),
        ("base(scale=2)", "scale from 0 to 1"),
    ):
        with pytest.raises(UserError, match=message):
            membership_attack(spec)
