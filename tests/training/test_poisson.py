"""Poisson sampling: who is in a batch is chance, and nothing but chance."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from stripes import stripes
from tfinv.training.poisson import PoissonSampling, draw, pad

N, STEPS = 400, 500
PROBABILITY = 0.05


@pytest.fixture(scope="module")
def members():
    """(steps, n): who is in which batch."""
    rows = np.zeros((STEPS, N), bool)
    for step in range(STEPS):
        rows[step, draw(N, PROBABILITY, 3, step).numpy()] = True
    return rows


def test_the_size_of_a_batch_is_binomial(members):
    sizes = members.sum(1)
    edges = stats.binom.ppf([0.2, 0.4, 0.6, 0.8], N, PROBABILITY)
    bins = np.searchsorted(edges, sizes)
    shares = np.diff([0, *stats.binom.cdf(edges, N, PROBABILITY), 1])
    assert stats.chisquare(np.bincount(bins, minlength=5), shares * STEPS).pvalue > 1e-3
    # Shuffled batches have one size, whose variance is 0.
    assert np.var(sizes) == pytest.approx(N * PROBABILITY * (1 - PROBABILITY), rel=0.25)


def test_how_often_an_example_is_drawn_is_binomial(members):
    """Shuffled, each would be in as many batches as any other."""
    counts = members.sum(0)
    assert counts.mean() == pytest.approx(STEPS * PROBABILITY, rel=0.02)
    assert np.var(counts) == pytest.approx(STEPS * PROBABILITY * (1 - PROBABILITY), rel=0.25)


def test_steps_and_examples_are_independent(members):
    """As many are in two consecutive batches, and as many pairs of neighbours in one batch, as chance has it."""
    for both in (members[1:] & members[:-1], members[:, 1:] & members[:, :-1]):
        share, n = both.mean(), both.size
        assert abs(share - PROBABILITY**2) < 4 * np.sqrt(PROBABILITY**2 / n)


def test_the_probability_is_exact_at_its_ends():
    assert len(draw(50, 0.0, 0, 0)) == 0
    np.testing.assert_array_equal(draw(50, 1.0, 0, 0), np.arange(50))


@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (4, 4), (5, 8), (13, 16)])
def test_padding(count, size):
    indices, weights = pad(tf.range(7, 7 + count), 4)
    np.testing.assert_array_equal(indices, [*range(7, 7 + count), *[0] * (size - count)])
    np.testing.assert_array_equal(weights, [1.0] * count + [0.0] * (size - count))


def batches_of(data, seed=0, epoch=0, **options):
    sampling = PoissonSampling(len(data), 16, 100)
    return [tuple(t.numpy() for t in batch) for batch in sampling.batches(data, seed=seed, epoch=epoch, **options)]


def test_batches_are_the_images_of_the_draws():
    data = stripes(96)
    for step, (images, labels, weights) in enumerate(batches_of(data, seed=2, epoch=1)):
        indices = draw(96, 16 / 96, 2, 6 + step).numpy()
        assert weights.sum() == len(indices)
        np.testing.assert_array_equal(images[weights == 1], data.images[indices])
        np.testing.assert_array_equal(labels[weights == 1], data.labels[indices])
        assert len(images) % 2 == 0


def test_they_do_not_depend_on_the_data():
    """Neither on pixels nor on labels: else the batch would tell what the noise hides."""
    for first, second in zip(batches_of(stripes(96)), batches_of(stripes(96, seed=5)), strict=True):
        np.testing.assert_array_equal(first[2], second[2])
        np.testing.assert_array_equal(first[1], second[1])


def test_they_differ_by_seed_epoch_and_step():
    data = stripes(96)
    runs = {(s, e): [w.sum() for _, _, w in batches_of(data, seed=s, epoch=e)] for s in (0, 1) for e in (0, 1)}
    assert len({tuple(sizes) for sizes in runs.values()}) == 4
    assert len(set(runs[0, 0])) > 2
    assert runs[0, 0] == [w.sum() for _, _, w in batches_of(data)]


def test_an_epoch_has_as_many_steps_as_shuffled_batches():
    data, epoch = stripes(90), tf.Variable(0, dtype=tf.int64)
    batches = PoissonSampling(90, 16, 100).batches(data, seed=0, epoch=epoch)
    assert int(batches.cardinality()) == 5
    first = [w.numpy().sum() for _, _, w in batches]
    epoch.assign(1)
    assert [w.numpy().sum() for _, _, w in batches] != first


def test_the_parts_of_a_batch_are_its_rows():
    data = stripes(96)
    sampling = PoissonSampling(96, 16, 100)
    whole = batches_of(data, seed=4) + batches_of(data, seed=4, epoch=1)
    parts = [iter(sampling.batches(data, seed=4, epoch=0, parts=range(k, k + 1), num_parts=2)) for k in (0, 1)]
    for images, labels, weights in whole:
        first, second = (next(part) for part in parts)
        for together, halves in zip((images, labels, weights), zip(first, second, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(halves), together)
        assert len(first[0]) == len(second[0])
