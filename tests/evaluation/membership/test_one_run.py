"""The audit of a single training: its published values, closed forms, and mechanisms of known epsilon."""

import math

import numpy as np
import pytest
from scipy import stats

from tfinv.errors import UserError
from tfinv.evaluation.membership.one_run import OneRunAudit, audit_one_run, one_run_p_value


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "delta", "published"),
    [(1000, 100, 75, 1e-4, 0.673), (100_000, 1510, 1439, 1e-5, 2.675)],
)
def test_published_values(canaries, guesses, correct, delta, published):
    """Steinke, Nasr and Jagielski 2023: appendix D, and section 7, which cuts off after three decimals."""
    assert OneRunAudit(canaries, guesses, correct, delta).epsilon == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("threshold", "delta", "epsilon"), [(1.0, 1e-3, 0.8357179494216529), (2.5, 1e-5, 1.531846128688333)]
)
def test_equal_to_jax_privacy(threshold, delta, epsilon):
    """Figures of CanaryScoreAuditor.epsilon_one_run of jax_privacy 2.0.0 on the same arrays, which it finds to 1e-6."""
    rng = np.random.default_rng(0)
    members, nonmembers = rng.normal(1, 1, 1000), rng.normal(0, 1, 800)
    hits, alarms = int(np.sum(members >= threshold)), int(np.sum(nonmembers >= threshold))
    assert OneRunAudit(1800, hits + alarms, hits, delta).epsilon == pytest.approx(epsilon, abs=1e-6)


def test_closed_forms():
    """All of r right and delta 0: q^r = .05. One guess shows nothing, nor does an even number of rights and wrongs."""
    q = 0.05 ** (1 / 20)
    assert OneRunAudit(50, 20, 20).epsilon == pytest.approx(math.log(q / (1 - q)), abs=1e-6)
    assert OneRunAudit(50, 1, 1).epsilon == OneRunAudit(50, 20, 10).epsilon == OneRunAudit(50, 0, 0).epsilon == 0
    # Two guesses, both right: the sum over v* in {1, 0} of f, by hand.
    q = 1 / (1 + math.exp(-1))
    slope = max((1 - (1 - q) ** 2 - q**2) / 1, (1 - q**2) / 2)
    assert one_run_p_value(10, 2, 2, 1.0, 0.01) == pytest.approx(q**2 + 2 * 10 * 0.01 * slope)


def test_the_bound_is_where_the_p_value_is_the_error():
    audit = OneRunAudit(1000, 200, 170, 1e-5, level=0.9, choices=4)
    assert audit.p_value(audit.epsilon) == pytest.approx(0.1, rel=1e-4)
    assert audit.p_value(audit.epsilon + 0.01) > 0.1 > audit.p_value(audit.epsilon - 0.01)
    assert OneRunAudit(1000, 200, 170, 1e-5, level=0.9).epsilon > audit.epsilon
    assert OneRunAudit(1000, 200, 170, 1e-3, level=0.9).epsilon < OneRunAudit(1000, 200, 170, level=0.9).epsilon


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomised_response_is_not_exceeded_and_is_approached(epsilon):
    """Each canary answers for itself, right with e^epsilon / (1 + e^epsilon); ties are broken without the coins."""
    rng = np.random.default_rng(0)
    q = 1 / (1 + math.exp(-epsilon))

    def scores(m):
        included = rng.random(m) < 0.5
        answer = np.where(rng.random(m) < q, included, ~included)
        return answer + rng.random(m) / 2, included

    bounds = [audit_one_run(*scores(500), [(100, 100)], level=0.8).epsilon for _ in range(400)]
    assert np.mean(np.array(bounds) > epsilon) < 0.2 + 2 * math.sqrt(0.16 / 400)
    if epsilon:
        assert np.median(bounds) > 0.7 * epsilon
        assert 0.9 * epsilon < audit_one_run(*scores(20_000), [(8000, 8000)]).epsilon < epsilon


def test_delta_is_not_exceeded():
    """With probability delta a canary's answer is its coin, in the clear: (epsilon, delta), and epsilon alone is refuted."""
    rng = np.random.default_rng(0)
    m, delta, epsilon = 2000, 0.02, 0.5
    q = 1 / (1 + math.exp(-epsilon))
    with_delta, without = [], []
    for _ in range(100):
        included = rng.random(m) < 0.5
        answer = np.where(rng.random(m) < q, included, ~included)
        clear = rng.random(m) < delta
        scores = np.where(clear, 4.0 * included - 1.5, answer) + rng.random(m) / 2
        with_delta.append(audit_one_run(scores, included, [(20, 20)], delta=delta).epsilon)
        without.append(audit_one_run(scores, included, [(20, 20)]).epsilon)
    assert np.mean(np.array(with_delta) > epsilon) <= 0.05
    assert np.mean(np.array(without) > epsilon) > 0.9


def test_guesses_and_ties():
    scores = np.array([5.0, 4, 3, 3, 3, 1, 0, -1])
    included = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    audit = audit_one_run(scores, included, [(2, 2)])
    assert (audit.canaries, audit.guesses, audit.correct) == (8, 4, 3)
    # The third guess is one of three equal scores: an outsider, and wrong.
    assert audit_one_run(scores, included, [(3, 0)]).correct == 2
    # All equal: every guess that can be wrong is, and no canary is guessed twice.
    tied = audit_one_run(np.zeros(8), included, [(4, 4)])
    assert (tied.guesses, tied.correct) == (8, 0)


def test_the_best_of_several_choices_pays_for_them():
    rng = np.random.default_rng(0)
    choices = [(10, 10), (50, 50), (100, 100), (200, 200)]
    exceeded = 0
    for _ in range(300):
        included = rng.random(500) < 0.5
        audit = audit_one_run(rng.random(500), included, choices, level=0.8)
        assert audit.choices == 4
        exceeded += audit.epsilon > 0
    assert exceeded / 300 < 0.2


def test_guessing_refutes_nothing():
    p_values = [OneRunAudit(1000, 100, int(v)).p_value(0.0) for v in np.random.default_rng(0).binomial(100, 0.5, 2000)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.05
    assert stats.binom.sf(99, 100, 0.5) == pytest.approx(OneRunAudit(1000, 100, 100).p_value(0.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: OneRunAudit(10, 11, 3),
        lambda: OneRunAudit(10, 5, 6),
        lambda: OneRunAudit(10, 5, 3, delta=1.0),
        lambda: audit_one_run(np.zeros(3), np.zeros(4, bool), [(1, 1)]),
        lambda: audit_one_run(np.array([0, math.nan]), np.zeros(2, bool), [(1, 1)]),
        lambda: audit_one_run(np.zeros(3), np.zeros(3, bool), [(2, 2)]),
        lambda: audit_one_run(np.zeros(3), np.zeros(3, bool), []),
    ],
)
def test_refused(call):
    with pytest.raises(UserError, match="Expected"):
        call()
