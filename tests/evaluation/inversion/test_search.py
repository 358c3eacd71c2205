"""The search of a whole training set by features, distances to several neighbours, references and the scale they make."""

import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.evaluation.inversion.neighbours import knn_distance, most_similar
from tfinv.evaluation.inversion.reconstruction import TrainingSet, measure
from tfinv.evaluation.inversion.references import measure_references, measure_start, with_scale
from tfinv.evaluation.inversion.similarity import pair_diversity

SHAPE = (8, 8, 1)


def evaluator():
    """Logits are the first two pixels of the first row; features the first column's, a map (2, 1), or their mean."""

    def logits(x):
        return x[:, 0, :2, 0]

    def rows(x):
        return x[:, :2, :1]

    return Classifier.from_callable(logits, input_shape=SHAPE, num_classes=2, outputs="logits", features=rows)


def test_knn_distance():
    training, classes = np.float32([[0, 0], [3, 4], [6, 8], [0, 0]]), np.array([0, 0, 0, 1])
    for k, distance in ((1, 0), (2, 2.5), (3, 5)):
        np.testing.assert_allclose(
            knn_distance(np.zeros((1, 2)), np.array([0]), training, classes, k), [distance], atol=1e-6
        )
    with pytest.raises(UserError, match=r"k=2 .* Received: {1: 1}"):
        knn_distance(np.zeros((2, 2)), np.array([0, 1]), training, classes, 2)


def data(n=60, seed=0):
    images = np.random.default_rng(seed).uniform(size=(n, *SHAPE)).astype(np.float32)
    return Dataset("d", "train", images, np.arange(n) % 2, ("a", "b"))


def test_the_whole_set_is_searched_by_cosine():
    training, shown = data(), data(5, seed=1)
    labels = np.array([0, 1, 1, 0, 0])
    any_class, same_class = most_similar(evaluator(), shown.images, labels, training, k=4)
    references, queries = (x.images[:, :2, 0, 0] for x in (training, shown))
    norms = np.linalg.norm(queries, axis=1)[:, None], np.linalg.norm(references, axis=1)
    cosines = (queries @ references.T) / norms[0] / norms[1]
    order = np.argsort(-cosines, axis=1)[:, :4]
    np.testing.assert_array_equal(any_class.indices, order)
    np.testing.assert_allclose(any_class.similarities, np.take_along_axis(cosines, order, 1), rtol=1e-5)
    np.testing.assert_array_equal(any_class.classes, training.labels[order])
    same = np.where(training.labels == labels[:, None], cosines, -2)
    np.testing.assert_array_equal(same_class.indices, np.argsort(-same, axis=1)[:, :4])
    assert (same_class.classes == labels[:, None]).all()


def test_blocks_are_as_good_as_one_piece():
    training, shown = data(), data(5, seed=1)
    # Copies, so that there are ties, some of them in different blocks.
    training = training.subset(np.r_[np.arange(60), 0, 1, 2])
    whole = most_similar(evaluator(), shown.images, shown.labels, training, k=6)
    for block in (1, 7, 62):
        for a, b in zip(
            whole, most_similar(evaluator(), shown.images, shown.labels, training, k=6, block=block), strict=True
        ):
            np.testing.assert_array_equal(a.indices, b.indices)
            np.testing.assert_allclose(a.similarities, b.similarities, rtol=1e-6)


def test_a_class_with_too_few_images_is_filled_up():
    training = data().subset(np.r_[np.arange(0, 20, 2), 1])
    _, same_class = most_similar(evaluator(), data(1, seed=1).images, np.array([1]), training, k=3)
    np.testing.assert_array_equal(same_class.indices, [[10, -1, -1]])
    np.testing.assert_array_equal(same_class.classes, [[1, -1, -1]])
    with pytest.raises(UserError, match="k and block"):
        most_similar(evaluator(), data(1).images, np.array([1]), training, k=0)


def test_pair_diversity():
    points = np.array([[0, 0], [3, 4], [0, 0], [1, 1]], float)
    diversity, classes = pair_diversity(points, np.array([5, 5, 5, 2]), scale=2)
    np.testing.assert_array_equal(classes, [5])
    np.testing.assert_allclose(diversity, [(5 + 0 + 5) / 3 / 2])


def bands(n, seed, level=(0.2, 0.8)):
    """Class 0 is bright in the first pixel, class 1 in the second."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 2
    images = rng.uniform(0.3, 0.5, (n, *SHAPE)).astype(np.float32)
    images[:, 0, :2, 0] = np.where(labels[:, None] == [0, 1], level[1], level[0]) + rng.uniform(0, 0.1, (n, 2))
    return Dataset("bands", "train", images, labels, ("a", "b"))


def test_references_and_their_scale():
    training, held_out = bands(60, 0), bands(40, 1)
    training_set = TrainingSet.make(training.images, training.labels, {"e": evaluator()}, {"other": evaluator()})
    labels = np.repeat([0, 1], 10)
    start = np.full((20, *SHAPE), 0.4, np.float32)
    start[:, 0, 0] = 0.5  # the evaluator takes all for class 0
    shown = bands(20, 2).images[np.argsort(np.arange(20) % 2, kind="stable")]
    shown[:2] = start[:2][:, :, ::-1]  # two that fail
    shown[:2, 0, 1] = 0.9
    keys = {"experiment": "model", "method": "m", "budget": "equal", "seed": 0}
    references = [
        *measure_references(labels, training_set, held_out, most=10),
        measure_start(start, labels, training_set, method="m"),
    ]
    rows = [r for m in (measure(shown, labels, training_set, **keys), *references) for r in m.rows()]
    by_name = {(r["experiment"], r["measure"], r.get("evaluator")): r for r in with_scale(rows)}
    assert {e for e, _, _ in by_name} == {"model", "held-out images", "class mean", "start"}
    assert by_name["held-out images", "acc@1", "e"]["value"] == 1
    assert by_name["held-out images", "acc@1", "e"]["n"] == 20
    assert by_name["start", "acc@1", "e"]["value"] == 0.5
    assert by_name["start", "acc@1", "e"]["of"] == "m"
    # .9 between .5 and 1.
    assert by_name["model", "acc@1", "e"]["relative"] == pytest.approx(0.8)
    # An identifier has seen the held-out images: they are no reference for it.
    assert ("held-out images", "rank@1", None) not in by_name
    assert "relative" not in by_name["model", "rank@1", None]
    assert by_name["model", "identification_rank", None]["cmc"] == pytest.approx([0.9, 1.0])
    assert by_name["class mean", "ssim_to_class_mean", None]["value"] == pytest.approx(1)
    # No scale where the real thing is not better than the start, for references, or for another method without a start.
    assert all("relative" not in r for r in by_name.values() if r["method"] == "reference")
    assert "relative" not in by_name["model", "diversity", None]
    other = [r | {"method": "n"} if r["method"] == "m" else r for r in rows]
    assert not any("relative" in r for r in with_scale(other))
    # FID and PRDC against as many training images.
    assert by_name["model", "fid", "e"]["n_real"] == by_name["model", "fid", "e"]["n"] == 20
    assert {"precision", "recall", "density", "coverage"} <= {m for _, m, _ in by_name}


def test_references_leave_out_what_is_not_there():
    training = bands(20, 0)
    training_set = TrainingSet.make(training.images, training.labels, {"e": evaluator()})
    only_zero = bands(10, 1).subset(np.arange(0, 10, 2))
    references = measure_references(np.array([1]), training_set, only_zero)
    assert [m.keys["experiment"] for m in references] == ["class mean"]
    with pytest.raises(UserError, match="a start of shape"):
        measure_start(np.zeros((3, *SHAPE)), np.array([0, 1]), training_set)
