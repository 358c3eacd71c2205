"""Subjects: what is said of a training, and what is assumed."""

import numpy as np
import pytest

from tfinv import datasets, models
from tfinv.auditing.subjects.loading import Claims, as_dataset, subject_of_files, subject_of_objects
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.runs.sources import ImageSource, ModelSource


def subject(model="pretrained:mnist-natural", data="mnist5k", claims=None, **options):
    return subject_of_files(ModelSource(model), ImageSource(data), "test", claims or Claims(), **options)


def test_nobody_assumes_what_a_model_was_trained_on():
    assert subject()[0].assumption == ""
    assert subject()[0].membership is None


def test_what_a_user_says_is_taken_and_said():
    claimed, reason = subject(claims=Claims(("train[:40]",), ("train[40:100]",)), eps=0.2)
    assert claimed.assumption.startswith("the user says that the model was trained on train[:40] of mnist5k")
    assert claimed.membership.members.sum() == 40
    np.testing.assert_array_equal(claimed.membership.rows, np.arange(100))
    assert (claimed.eps, reason) == (0.2, "0.2, as given")


def test_the_first_of_both_sides_are_taken():
    sides = subject(claims=Claims(("train[:40]",), ("train[40:100]",)))[0].membership.first(25)
    np.testing.assert_array_equal(sides.rows, [*range(25), *range(40, 65)])
    assert sides.members.sum() == 25
    assert len(sides.examples) == 50


def test_members_and_others_have_no_image_in_common():
    claimed, _ = subject(claims=Claims(("train[:40]",), ("train[30:100]",)))
    with pytest.raises(UserError, match="without common images"):
        _ = claimed.membership


@pytest.mark.parametrize("claims", [{"nonmembers": ("test",)}, {"shadows": "runs/s"}])
def test_nothing_is_compared_with_members_that_nobody_named(claims):
    with pytest.raises(UserError, match="Expected --members beside"):
        Claims(**claims)


def test_images_and_labels_are_a_data_set():
    images = np.zeros((3, 8, 8, 1), np.float32)
    data = as_dataset((images, np.array([0, 2, 1])))
    assert (len(data), data.num_classes) == (3, 3)
    assert as_dataset(data) is data
    with pytest.raises(UserError, match="Expected a Dataset"):
        as_dataset(images[0, 0])
    with pytest.raises(UserError, match="Expected labels as whole numbers"):
        as_dataset((images, np.zeros((3, 2))))


def test_images_of_another_size_are_refused():
    with pytest.raises(UserError, match="--image_size"):
        subject_of_files(
            ModelSource("pretrained:mnist-natural"), ImageSource("mnist5k", image_size=(8, 8)), "test", Claims()
        )


def test_logits_are_predicted_once(monkeypatch):
    claimed, _ = subject()
    calls = []
    predict = type(claimed.classifier).predict
    monkeypatch.setattr(
        type(claimed.classifier), "predict", lambda self, x, size=256: calls.append(len(x)) or predict(self, x, size)
    )
    first = claimed.logits(100)
    np.testing.assert_array_equal(claimed.logits(300)[:100], first)
    assert sum(calls) == 300


def test_parts_of_one_split_are_not_taken_for_its_first_images():
    data = datasets.load("mnist5k", "train").take(60)
    halves = data.subset(np.arange(20)), data.subset(np.arange(20, 60))
    claimed, _ = subject_of_objects(
        Classifier.from_keras(models.pretrained("mnist-natural")), halves[1], training=halves[0]
    )
    sides = claimed.membership
    assert {*zip(sides.splits[sides.members], sides.rows[sides.members], strict=True)}.isdisjoint(
        zip(sides.splits[~sides.members], sides.rows[~sides.members], strict=True)
    )
    # Those that are images of the audit, too, are the same ones there.
    assert set(sides.splits[~sides.members]) == {halves[1].split}
