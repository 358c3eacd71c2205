"""A black box that returns only the predicted class."""

import numpy as np
import pytest

from tfinv.attacks import FGSM, Noise, Square
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (2, 2, 1)


def bright(x):
    """Class 0, 1 or 2 for dark, middling and bright images."""
    return np.digitize(x.mean(axis=(1, 2, 3)), [0.4, 0.6])


def box(fn=bright, **options):
    return Classifier.from_predict(fn, **{"input_shape": SHAPE, "num_classes": 3, "outputs": "labels"} | options)


X = np.stack([np.full(SHAPE, v, np.float32) for v in (0.1, 0.5, 0.9)])


def test_logits_are_one_hot_rows():
    classifier = box()
    np.testing.assert_array_equal(classifier.predict(X), np.eye(3))
    assert classifier.predict(X).dtype == np.float32
    assert not classifier.scores
    assert not classifier.differentiable
    assert "labels only" in classifier.logits_source
    assert classifier.accuracy(X, [0, 1, 2]) == 1.0


def test_other_classifiers_have_scores():
    def fn(x):
        return np.eye(3)[bright(x)]

    for outputs in ("logits", "probabilities"):
        assert box(fn, outputs=outputs).scores


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda x: np.eye(3)[bright(x)], r"labels of shape \(n,\)"),
        (lambda x: bright(x) * 1.0, "integer labels"),
        (lambda x: bright(x) + 3, "labels from 0 to 2"),
        (lambda x: bright(x) - 2, "labels from 0 to 2"),
        (lambda x: bright(x)[1:], "as many labels as images"),
    ],
)
def test_what_is_not_labels_is_refused(fn, message):
    with pytest.raises(UserError, match=f"Expected {message}"):
        box(fn)


@pytest.mark.parametrize("classes", [None, 1, "3"])
def test_the_number_of_classes_is_needed(classes):
    with pytest.raises(UserError, match="Expected num_classes of at least 2"):
        box(num_classes=classes)


def test_attacks_that_need_more_are_refused():
    with pytest.raises(UserError, match=r"scores for Square.*labels only.*hopskipjump or boundary"):
        Square()(box(), X, [0, 1, 2])
    with pytest.raises(UserError, match=r"gradients for FGSM.*labels only"):
        FGSM()(box(), X, [0, 1, 2])
    assert Noise(eps=0.5, draws=20)(box(), X[1:2], [1]).success.all()
