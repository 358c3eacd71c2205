"""Whether reconstructions show a leak: hand-made recognitions, one rule at a time."""

import numpy as np
import pytest

from tfinv.evaluation.inversion.leak_checks import convince_others, exceed_their_start, leak_checks
from tfinv.evaluation.statistics.measurement import Measurement, Values


def convinced(confidence, *rates, classes=10, samples=10, seeds=1):
    """Of each class the same share of samples convinces an evaluator, but for rates given as a list, one a class."""
    labels = np.repeat(np.arange(classes), samples)

    def hits(rate):
        each = np.broadcast_to(rate, classes)
        return np.concatenate([np.arange(samples) < round(share * samples) for share in each])

    values = [Values("confidence", np.full(len(labels), confidence), labels)]
    values += [Values("acc@1", hits(rate), labels, f"e{i}") for i, rate in enumerate(rates)]
    keys = {"experiment": "base", "method": "miface", "budget": "equal"}
    return [Measurement(keys | {"seed": seed}, tuple(values)) for seed in range(seeds)]


TWO_CLASSES = [1, 1, *[0] * 8]


@pytest.mark.parametrize(
    ("measurements", "passed"),
    [
        (convinced(0.9, 0.8, 0.5, 0.1), True),
        (convinced(0.9, 0.1, 0.1, 0.1), False),  # nobody but its own model
        (convinced(0.9, 0.8, 0.1, 0.1), False),  # one evaluator alone
        # Neither copies of one class nor two classes can tell, whatever is recognised.
        (convinced(0.9, 1, 1, classes=1, samples=1), None),
        (convinced(0.9, 1, 1, classes=1, samples=8), None),
        (convinced(0.9, 1, 1, classes=2, samples=8), None),
        # Evaluators that call every image one of two classes: the samples and seeds that agree are no evidence.
        (convinced(0.9, TWO_CLASSES, TWO_CLASSES, 0, samples=4, seeds=3), False),
        (convinced(0.9, [1] * 6 + [0] * 4, [0] * 4 + [1] * 6, 0, samples=4, seeds=3), True),
        (convinced(0.4, 0.1, 0.1), None),  # nor its own model
        (convinced(0.9, 0.8), None),  # one evaluator can't tell
        ([], None),
    ],
)
def test_convince_others(measurements, passed):
    check = convince_others(measurements, 10)
    assert check.name == "reconstructions-convince-others"
    assert check.passed is passed


def test_convince_others_says_who():
    check = convince_others(convinced(0.9, 0.8, 0.1, 0.1), 10)
    assert check.evidence == "base, miface, equal: 90 % confidence, convinces e0 alone of 3 beyond chance"


def with_starts(confidence, *pairs, classes=10, samples=4, seeds=1):
    """For each evaluator the share of samples recognised in the end and at the start."""
    ends = convinced(confidence, *(end for end, _ in pairs), classes=classes, samples=samples, seeds=seeds)
    starts = convinced(confidence, *(start for _, start in pairs), classes=classes, samples=samples, seeds=seeds)
    measurements = []
    for end, start in zip(ends, starts, strict=True):
        recognised = [
            Values("start_acc@1", v.values, v.labels, v.evaluator) for v in start.values if v.measure == "acc@1"
        ]
        measurements.append(Measurement(end.keys, (*end.values, *recognised)))
    return measurements


@pytest.mark.parametrize(
    ("measurements", "passed"),
    [
        (with_starts(0.9, (1, 0), (0.75, 0.25)), True),
        (with_starts(0.9, (1, 0), (0.75, 0.25), (0.25, 0.25)), True),
        (with_starts(0.9, (1, 1), (1, 1)), False),  # a generator that draws classes by itself
        (with_starts(0.9, (1, 0), (0.5, 0.5), (0.25, 0.5)), False),  # one evaluator alone
        (with_starts(0.9, (1, [0] * 8 + [1] * 2)), True),
        (with_starts(0.9, ([1] + [0] * 9, 0), ([1] + [0] * 9, 0), seeds=3), False),  # one class of ten
        (with_starts(0.9, (1, 0), (1, 0), classes=2), None),
        (with_starts(0.4, (1, 0), (1, 0)), None),
        ([], None),
    ],
)
def test_exceed_their_start(measurements, passed):
    assert exceed_their_start(measurements).passed is passed


def test_exceed_their_start_says_by_how_much():
    check = exceed_their_start(with_starts(0.9, (1, 0.5), (0.75, 0.75)))
    assert check.evidence == "base, miface, equal: +25 points, beyond doubt by 1 of 2 evaluators"


def test_both_are_asked_for_together():
    names = ["reconstructions-convince-others", "reconstructions-exceed-their-start"]
    assert [check.name for check in leak_checks([], 10)] == names
