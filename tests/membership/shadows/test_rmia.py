"""RMIA: by hand, its defaults, its ranks, and its population."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import special

import gaussian_margins as gaussian
from tfinv.errors import UserError
from tfinv.membership import membership_attack
from tfinv.membership.shadows.confidences import Confidence
from tfinv.membership.shadows.rmia import RMIA

# Probabilities of the label: of two examples by four shadows, and by the target.
P = np.array([[0.9, 0.8], [0.2, 0.4], [0.7, 0.6], [0.4, 0.1]])
MEMBERS = np.array([[1, 0, 1, 0], [1, 0, 0, 1]], bool)
TARGET = np.array([0.8, 0.3])


def by_hand():
    return gaussian.evidence(special.logit(TARGET), gaussian.shadows(special.logit(P), MEMBERS))


def test_online_by_hand():
    reference = [(0.8 + 0.3) / 2, (0.45 + 0.5) / 2]
    np.testing.assert_allclose(RMIA().log_ratios(by_hand()), np.log(TARGET / reference), rtol=1e-5)


def test_offline_by_hand():
    reference = [(1.3 * 0.3 + 0.7) / 2, (1.3 * 0.5 + 0.7) / 2]
    np.testing.assert_allclose(RMIA(online=False).log_ratios(by_hand()), np.log(TARGET / reference), rtol=1e-5)
    reference = [(1.5 * 0.3 + 0.5) / 2, (1.5 * 0.5 + 0.5) / 2]
    np.testing.assert_allclose(RMIA(online=False, a=0.5).log_ratios(by_hand()), np.log(TARGET / reference), rtol=1e-5)


def test_examples_without_a_shadow_inside_or_outside():
    members = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], bool)
    evidence = gaussian.evidence(special.logit(TARGET), gaussian.shadows(special.logit(P), members))
    outside, inside = P[:, 0].mean(), P[:, 1].mean()
    reference = [(outside + 0.3 * outside + 0.7) / 2, inside]
    np.testing.assert_allclose(RMIA().log_ratios(evidence), np.log(TARGET / reference), rtol=1e-5)


def test_a_counts_the_shadows():
    generator = np.random.default_rng(0)
    for shadows, a in ((2, 0.3), (6, 0.3), (8, 0.6), (16, 0.6)):
        members = gaussian.halves(generator, 50, shadows)
        references = gaussian.shadows(generator.normal(size=(shadows, 50)), members)
        evidence = gaussian.evidence(generator.normal(size=50), references)
        offline = RMIA(online=False).log_ratios(evidence)
        np.testing.assert_array_equal(offline, RMIA(online=False, a=a).log_ratios(evidence))
        assert not np.allclose(offline, RMIA(online=False, a=0.45).log_ratios(evidence))


@pytest.fixture
def drawn():
    generator = np.random.default_rng(1)
    truth, members = gaussian.model(generator, 300), gaussian.halves(generator, 300, 4)
    margins = truth.draw(generator, members)
    return gaussian.evidence(margins[0], gaussian.shadows(margins[2:], members[:, 2:]))


def test_the_score_is_the_share_of_z_that_are_outdone(drawn):
    ratios = np.exp(RMIA().log_ratios(drawn))
    shares = np.mean(ratios[:, np.newaxis] > 2 * ratios, axis=1)  # never of itself, for gamma is at least 1
    scores = RMIA().score(drawn)
    assert np.abs(scores - shares).max() < 1 / 300
    assert shares.max() > 0.5
    np.testing.assert_array_equal(np.argsort(scores), np.argsort(ratios))
    assert len(np.unique(scores)) == 300 > len(np.unique(shares))


def test_a_part_of_the_examples_ranks_alike_and_by_the_seed(drawn):
    scores = RMIA(population=40).score(drawn)
    np.testing.assert_array_equal(np.argsort(scores), np.argsort(RMIA().score(drawn)))
    np.testing.assert_array_equal(scores, RMIA(population=40).score(drawn))
    assert (scores != RMIA(population=40).score(dataclasses.replace(drawn, seed=1))).any()


def test_z_are_of_the_population_where_there_is_one(drawn):
    population = drawn.take(np.arange(100))
    ratios, z = np.exp(RMIA().log_ratios(drawn)), np.exp(RMIA().log_ratios(population))
    scores = RMIA().score(dataclasses.replace(drawn, population=population))
    assert np.abs(scores - np.mean(ratios[:, np.newaxis] > 2 * z, axis=1)).max() < 1 / 100


def test_logarithms_keep_what_is_near_0_and_near_1():
    margins = np.array([-800.0, -30, 0, 30, 600])
    confidence = Confidence(special.expit(margins), special.expit(-margins))
    expectation = [math.log(np.finfo(float).tiny), *special.log_expit(margins[1:])]
    np.testing.assert_allclose(confidence.log(), expectation, rtol=1e-12)


def test_shadows_inside_alone_are_refused_offline():
    evidence = gaussian.evidence(TARGET, gaussian.shadows(P, np.ones((2, 4), bool)))
    with pytest.raises(UserError, match="not trained on"):
        RMIA(online=False).score(evidence)


def test_its_text_form():
    assert membership_attack("rmia(online=False,a=.5)") == RMIA(online=False, a=0.5)
    for spec, message in (
        ("rmia(a=2)", "a from 0 to 1"),
        ("rmia(gamma=.5)", "gamma of at least 1"),
        ("rmia(population=0)", "population of at least 1"),
    ):
        with pytest.raises(UserError, match=message):
            membership_attack(spec)
