"""Attacks with a known outcome."""

import numpy as np
import tensorflow as tf

from tfinv.evaluation.robustness import attack_checks

SHAPE = (4, 4, 1)


def sample(classifier, images, labels):
    return attack_checks.Sample(classifier, images, labels)


def test_unbounded_counts_what_withstands(handmade):
    x, y = handmade.data()
    fine = attack_checks.unbounded_reaches_zero(sample(handmade.linear(), x[:20], y[:20]))
    assert fine.passed is True
    assert fine.evidence.startswith("0.00 % of 20 images")
    # Five images of a gradient that points the wrong way, with margins that no random start overcomes.
    x = np.concatenate([x[:15], np.ones((5, *SHAPE), np.float32)])
    y = np.concatenate([y[:15], np.ones(5, int)])

    def mislead(z):
        return tf.where(tf.reduce_mean(z, [1, 2, 3], keepdims=True) > 0.3, handmade.backwards(z), z)

    check = attack_checks.unbounded_reaches_zero(sample(handmade.linear(front=mislead), x, y))
    assert check.passed is False
    assert not check.evidence.startswith("0.00 %")


def test_half_the_range_leaves_no_more_than_guessing(handmade):
    x, y = handmade.data()
    fine = attack_checks.half_range_beats_guessing(sample(handmade.linear(), x, y))
    assert fine.passed is True
    assert fine.evidence.startswith("0.00 % of 400 images")
    share = np.bincount(y).max() / 400
    assert fine.evidence.endswith(f"the most frequent class is right for {100 * share:.2f} %")
    check = attack_checks.half_range_beats_guessing(sample(handmade.linear(front=handmade.backwards), x, y))
    assert check.passed is False
    # A model that always says the same can't be brought below guessing, and need not be.
    constant = handmade.linear(front=lambda z: 0.0 * z + 1.0)
    guessing = attack_checks.half_range_beats_guessing(sample(constant, x, y))
    assert guessing.passed is True
    assert guessing.evidence.startswith(f"{100 * np.mean(y):.2f} %")


def test_without_gradients_there_is_nothing_to_run(handmade):
    x, y = handmade.data()
    for check in (attack_checks.unbounded_reaches_zero, attack_checks.half_range_beats_guessing):
        outcome = check(sample(handmade.black_box(), x, y))
        assert outcome.passed is None
        assert "no gradients" in outcome.evidence
