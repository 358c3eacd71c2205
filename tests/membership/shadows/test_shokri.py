"""The shadow classifier."""

import numpy as np
import pytest

import gaussian_margins as gaussian
from tfinv.errors import UserError
from tfinv.membership import membership_attack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.shadows.shokri import Shokri


def drawn(n=600, classes=3, gain=3.0):
    """Members' label has a higher logit in class 0, and a lower one in the others: one threshold for all has no use."""
    generator = np.random.default_rng(0)
    labels = np.arange(n) % classes
    members = gaussian.halves(generator, n, 6)
    logits = generator.normal(size=(6, n, 1, classes))
    signs = np.where(labels == 0, gain, -gain)
    logits[:, np.arange(n), 0, labels] += 1 + members.T * signs
    logits = logits.astype(np.float32)
    references = Shadows.from_arrays(logits[2:], members[:, 2:], labels)
    return Evidence(labels, logits=logits[0], shadows=references), members[:, 0]


def test_each_class_has_a_model_of_its_own():
    evidence, members = drawn()
    scores = Shokri().score(evidence)
    for label in range(3):
        assert gaussian.auc(scores[evidence.labels == label], members[evidence.labels == label]) > 0.8


def test_it_is_drawn_from_the_seed_alone():
    evidence, _ = drawn(150)
    np.testing.assert_array_equal(Shokri(outputs=100).score(evidence), Shokri(outputs=100).score(evidence))


def test_few_outputs_share_a_model():
    evidence, _ = drawn(30)  # 10 examples of each class, and 20 outputs of members
    few = evidence.take(np.r_[0:12, 12:30:3])  # four each of the classes 1 and 2
    scores = Shokri().score(few)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) == len(few)


def test_shadows_of_one_kind_teach_nothing():
    evidence, _ = drawn(30)
    shadows = evidence.shadows
    blind = Shadows.from_arrays(np.stack([shadows.logits(0, slice(None))]), np.ones((30, 1)), shadows.labels)
    assert (Shokri().score(Evidence(evidence.labels, logits=evidence.logits, shadows=blind)) == 0).all()


def test_its_text_form():
    assert membership_attack("shokri(units=8,top=3)") == Shokri(units=8, top=3)
    with pytest.raises(UserError, match="units of at least 1"):
        membership_attack("shokri(units=0)")
