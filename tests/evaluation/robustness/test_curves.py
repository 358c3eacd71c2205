"""Curves over eps: as many runs as there are budgets, or a bisection that ends at the same accuracies."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import BIM, FGSM, FMN, PGD, Attack, HopSkipJump, WorstCase
from tfinv.attacks.problem import StageResult
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.evaluation.robustness.chunks import ChunkStore
from tfinv.evaluation.robustness.curves import Chunk, attack_at_each
from tfinv.evaluation.robustness.stream import BoundedImages

SHAPE = (2, 2, 1)
EPS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)


def grey(bounds=(0.0, 1.0)):
    """Two classes: darker or brighter than the middle, so an image withstands just the eps below its distance from it."""

    def fn(x):
        mean = tf.reduce_mean(x, [1, 2, 3]) - sum(bounds) / 2
        return tf.stack([-mean, mean], 1)

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits", bounds=bounds)


def levels(n=38):
    values = np.linspace(0.011, 0.989, n, dtype=np.float32)
    return np.broadcast_to(values[:, None, None, None], (n, *SHAPE)).copy(), (values > 0.5).astype(int)


def attack_all(classifier, images, labels, attack, eps, **options):
    """Attacks the images as one chunk."""
    return attack_at_each(Chunk(classifier, images, labels, np.arange(len(images))), attack, eps, **options)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("eps", [EPS, EPS[::-1], EPS[:1], EPS[:2]])
def test_a_bisected_curve_is_the_curve(bounds, eps):
    classifier, (x, y) = grey(bounds), levels()
    y[3] = 1 - y[3]
    width = bounds[1] - bounds[0]
    budgets = [e * width for e in eps]
    chunk = Chunk(classifier, classifier.from_unit(x), y, np.arange(len(x)))
    independent, images = attack_at_each(chunk, PGD(steps=5), budgets, batch_size=8)
    bisected, adversarial = attack_at_each(chunk, PGD(steps=5), budgets, mode="bisected", batch_size=8)
    np.testing.assert_array_equal(bisected.success, independent.success)
    distance = np.abs(x[:, 0, 0, 0] - 0.5)
    wrong = np.arange(len(x)) == 3
    np.testing.assert_array_equal(independent.success, (distance < np.array(eps)[:, None]) | wrong)
    assert images.shape == (len(eps), *x.shape)
    # Those of the bisection are adversarial within each image's smallest successful budget.
    assert adversarial.shape == (1, *x.shape)
    solved = independent.success.any(0)
    np.testing.assert_array_equal(classifier.predict(adversarial[0]).argmax(1) != y, solved)
    smallest = np.where(independent.success, np.array(budgets)[:, None], np.inf).min(0)
    distances = np.abs(adversarial[0] - classifier.from_unit(x)).max((1, 2, 3))
    assert (distances[solved] <= smallest[solved] * (1 + 1e-6)).all()


def test_a_bisection_takes_few_runs():
    classifier, (x, y) = grey(), levels()
    bisected, _ = attack_all(classifier, x, y, PGD(steps=5), EPS, mode="bisected")
    runs = np.isfinite(bisected.distances).sum(0)
    assert runs.max() <= 4  # log2(11), rounded up
    independent, _ = attack_all(classifier, x, y, PGD(steps=5), EPS)
    assert bisected.gradient_calls.sum() < 0.6 * independent.gradient_calls.sum()


def test_of_two_budgets_an_image_that_withstands_meets_the_larger_alone():
    classifier, (x, y) = grey(), levels()
    bisected, _ = attack_all(classifier, x, y, PGD(steps=5), (0.1, 0.2), mode="bisected")
    withstands = np.abs(x[:, 0, 0, 0] - 0.5) >= 0.2
    np.testing.assert_array_equal(np.isfinite(bisected.distances), [~withstands, np.full(len(x), True)])


@dataclasses.dataclass(frozen=True)
class Smallest(Attack):
    """The exact smallest perturbation of `grey`."""

    MINIMAL = True
    NORMS = ("linf",)

    def perturb(self, problem):
        """Just across the middle."""
        away = 0.5 - problem.images
        return StageResult(problem.images + away + 1e-5 * np.sign(away), gradient_calls=1)


def test_a_minimal_attack_runs_once_for_all_budgets():
    classifier, (x, y) = grey(), levels()
    outcome, images = attack_all(classifier, x, y, Smallest(), EPS)
    np.testing.assert_array_equal(outcome.success, np.abs(x[:, 0, 0, 0] - 0.5) < np.array(EPS)[:, None])
    assert outcome.gradient_calls.sum() == len(x)
    assert len(images) == 1
    rows = accuracy_curve(classifier, x, y, [("smallest", Smallest())], EPS, experiment="e")
    assert all(r["minimal"] for r in rows[1:])
    accuracies = [r["accuracy"] for r in rows]
    assert accuracies == sorted(accuracies, reverse=True)


@pytest.mark.parametrize("attack", [FMN(), HopSkipJump(norm="linf", queries=400)])
def test_the_largest_budget_does_not_end_the_search_for_the_smallest_perturbation(attack):
    classifier, (x, y) = grey(), levels()
    eps = (0.05, 0.45)
    outcome, images = attack_all(classifier, x, y, attack, eps)
    distance = np.abs(x[:, 0, 0, 0] - 0.5)
    for k, e in enumerate(eps):
        assert outcome.success[k, distance < 0.9 * e].all()
        assert not outcome.success[k, distance > e].any()
    beyond = distance > eps[1]
    assert beyond.any()
    np.testing.assert_array_equal(images[0, beyond], x[beyond])


def test_chunks_change_nothing_and_finished_ones_are_not_run_again(tmp_path):
    classifier, (x, y) = grey(), levels()
    attacks = [("fgsm", FGSM()), ("pgd(steps=3)", PGD(steps=3))]
    whole = accuracy_curve(classifier, x, y, attacks, EPS[:3], experiment="e", batch_size=64)
    stored, made, reports, adversarial = {}, [], [], {}

    def arrays(name, make):
        if name not in stored:
            made.append(name)
            if len(made) == 7:
                raise KeyboardInterrupt
            stored[name] = make()
        return stored[name]

    def sink(name, rows, images):
        adversarial.setdefault(name, np.zeros_like(x))[rows] = images

    options = {"experiment": "e", "batch_size": 2, "store": ChunkStore(arrays, tmp_path, sink)}
    with pytest.raises(KeyboardInterrupt):
        accuracy_curve(classifier, x, y, attacks, EPS[:3], **options)
    before = len(made)
    parts = accuracy_curve(
        classifier,
        x,
        y,
        attacks,
        EPS[:3],
        progress=lambda *report: reports.append(report),
        **options,
    )
    assert len(made) - before == 2 * 5 - 6
    timeless = [{k: v for k, v in r.items() if k not in ("seconds", "mean_distance")} for r in parts]
    assert timeless == [{k: v for k, v in r.items() if k not in ("seconds", "mean_distance")} for r in whole]
    assert reports[-1][:2] == (38, 38)
    assert reports[-1][2] == {(r["attack"], r["eps"]): pytest.approx(r["accuracy"]) for r in whole[1:]}
    assert set(adversarial) == {f"{name} eps={e:g}" for name, _ in attacks for e in EPS[:3]}
    for name, eps in [("fgsm eps=0.05", 0.05), ("pgd(steps=3) eps=0.1", 0.1)]:
        row = next(r for r in whole if f"{r['attack']} eps={eps:g}" == name and r["eps"] == eps)
        assert np.mean(classifier.predict(adversarial[name]).argmax(1) == y) == row["accuracy"]
    assert not list(tmp_path.iterdir())


def test_a_killed_bisected_run_goes_on_where_images_would_now_be_rounded_otherwise(tmp_path, monkeypatch):
    """As with another number of threads: later runs start from what earlier ones found, which must not be found again."""
    classifier, (x, y) = grey(), levels()
    attack = WorstCase(members="pgd(steps=3),bim(steps=2)")
    whole, images = attack_all(classifier, x, y, attack, EPS[:3], mode="bisected")
    state = tmp_path / "state.npz"
    honest, calls = PGD.perturb, []

    def killed(self, problem):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(self, problem)

    def rounded(self, problem):
        result = honest(self, problem)
        return dataclasses.replace(result, images=result.images * np.float32(1 - 1e-6))

    monkeypatch.setattr(BIM, "perturb", killed)
    with pytest.raises(KeyboardInterrupt):
        attack_all(classifier, x, y, attack, EPS[:3], checkpoint=state, mode="bisected")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-0.npz", "state-1.npz"]
    monkeypatch.setattr(BIM, "perturb", honest)
    monkeypatch.setattr(PGD, "perturb", rounded)
    again, adversarial = attack_all(classifier, x, y, attack, EPS[:3], checkpoint=state, mode="bisected")
    np.testing.assert_array_equal(again.success, whole.success)
    np.testing.assert_allclose(adversarial, images, atol=1e-5)
    assert not list(tmp_path.iterdir())


def test_images_of_a_data_set_come_a_slice_at_a_time():
    pixels = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1) * 10
    data = Dataset("d", "test", pixels, np.zeros(5, int), ("a", "b"))
    images = BoundedImages(data, grey((0.0, 255.0)))
    assert len(images) == 5
    np.testing.assert_allclose(images[1:3], pixels[1:3], rtol=1e-6)
    assert images[1:3].dtype == np.float32


def test_unknown_curves_and_equal_names_are_refused():
    classifier, (x, y) = grey(), levels(4)
    with pytest.raises(UserError, match="--curve"):
        accuracy_curve(classifier, x, y, [("fgsm", FGSM())], EPS, experiment="e", curve="straight")
    with pytest.raises(UserError, match="different names"):
        accuracy_curve(classifier, x, y, [("fgsm", FGSM()), ("fgsm", FGSM())], EPS, experiment="e")
