"""Attacks with thresholds: the known baselines, and thresholds of classes."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.membership import Evidence, membership_attack
from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.thresholds import Confidence, Entropy, Gap, Loss, ModifiedEntropy, best_threshold

LOGITS = np.float32([[3, 0, 0], [0, 1, 0], [2, 0, 0], [0, 0, 5]])
LABELS = np.array([0, 1, 1, 2])


def test_gap_is_right_or_wrong():
    np.testing.assert_array_equal(Gap().score(Evidence(LABELS, LOGITS)), [1, 1, 0, 1])
    np.testing.assert_array_equal(Gap().score(Evidence(LABELS, predictions=np.array([0, 0, 1, 2]))), [1, 0, 1, 1])


def test_gap_of_a_model_tells_the_gap_of_its_accuracies():
    """The advantage at its one threshold is training minus test accuracy (Yeom et al. 2018)."""
    right = np.array([1] * 9 + [0] * 1 + [1] * 6 + [0] * 4)
    scores = Gap().score(Evidence(np.ones(20, int), predictions=right))
    assert scores[:10].mean() - scores[10:].mean() == pytest.approx(0.9 - 0.6)


def test_signals_look_at_the_image_itself_only():
    queries = np.stack([LOGITS, -LOGITS], axis=1)
    for attack in (Confidence(), Loss(), Entropy(), ModifiedEntropy()):
        np.testing.assert_array_equal(attack.score(Evidence(LABELS, queries)), attack.score(Evidence(LABELS, LOGITS)))


def test_confidence_and_loss_have_one_order():
    rng = np.random.default_rng(0)
    evidence = Evidence(rng.integers(0, 4, 50), rng.normal(0, 3, (50, 4)))
    order = [np.argsort(attack.score(evidence)) for attack in (Confidence(), Loss())]
    np.testing.assert_array_equal(*order)


def test_a_sure_mistake_has_low_entropy_but_high_modified_entropy():
    evidence = Evidence([0, 1, 0], np.float32([[9, 0], [9, 0], [0.1, 0]]))
    plain, modified = Entropy().score(evidence), ModifiedEntropy().score(evidence)
    assert plain[0] == plain[1] > plain[2]
    assert modified[0] > modified[2] > modified[1]


def test_classes_are_centred_on_their_medians_without_shadows():
    margins = np.array([1.0, 2.0, 9.0, 11.0, 12.0, 19.0])
    logits = np.stack([margins, np.zeros(6)], axis=1)
    logits[3:] = logits[3:, ::-1]
    evidence = Evidence([0, 0, 0, 1, 1, 1], logits)
    np.testing.assert_allclose(Confidence(per_class=True).score(evidence), [-1, 0, 7, -1, 0, 7], atol=1e-6)


def test_best_threshold_by_hand():
    assert best_threshold(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 2.5
    # From 3 on: .75 of the members and 1/3 of the others; from 5 on: .5 and none.
    assert best_threshold(np.array([1.0, 3.0, 5.0, 6.0]), np.array([0.0, 2.0, 4.0])) == 4.5
    assert best_threshold(np.array([1.0]), np.array([1.0])) == 1.0


def shadows(margins, members, labels):
    """Shadow models of two classes, whose first logit is that (S, n), and whose second is 0."""
    margins = np.asarray(margins, float)
    return Shadows.from_arrays(np.stack([margins, 0 * margins], axis=-1), members, labels)


def test_thresholds_of_classes_are_those_of_the_shadows():
    """Members of class 0 have 4, others 2; of class 1 they have -1 and -5, since a margin at label 1 is minus that of label 0."""
    labels = np.array([0, 0, 1, 1])
    references = shadows([[4, 2, 1, 5], [2, 4, 5, 1]], [[1, 0], [0, 1], [1, 0], [0, 1]], labels)
    evidence = Evidence(labels, np.float32([[3, 0], [4, 0], [0, -1], [0, 1]]), shadows=references)
    np.testing.assert_allclose(Confidence(per_class=True).score(evidence), [0, 1, 2, 4], atol=1e-6)
    np.testing.assert_allclose(Confidence().score(evidence), [3, 4, -1, 1])


def test_a_class_without_nonmembers_takes_the_threshold_of_all():
    labels = np.array([0, 0, 1])
    references = shadows([[4, 2, -4]], [[1], [0], [1]], labels)
    evidence = Evidence(labels, np.zeros((3, 2)), shadows=references)
    np.testing.assert_allclose(Confidence(per_class=True).score(evidence), [-3, -3, -3])


def test_shadows_that_do_not_fit_are_refused():
    labels = np.array([0, 0, 1])
    references = shadows([[4, 2, -4]], [[1], [0], [1]], labels)
    with pytest.raises(UserError, match="3 classes, as the target"):
        Confidence(per_class=True).score(Evidence(labels, np.zeros((3, 3)), shadows=references))
    references.sources[0][1] = np.nan
    with pytest.raises(UserError, match="NaN or infinity of shadow 0"):
        Confidence(per_class=True).score(Evidence(labels, np.zeros((3, 2)), shadows=references))


def test_text_form():
    assert membership_attack("loss(per_class=True)") == Loss(per_class=True)
    assert membership_attack("gap") == Gap()
