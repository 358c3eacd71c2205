"""The audit of dp_sgd's claim: canaries as they are drawn, and a training whose canaries are known by heart or not at all."""

import numpy as np
import pytest

from benchmarks import dp_audit
from stripes import stripes
from tfinv.training.dp_sgd import DPSGD


@pytest.mark.parametrize("kind", ["random", "mislabelled"])
def test_canaries_have_wrong_labels_and_fair_coins(kind):
    source = stripes(300)
    canaries = dp_audit.make_canaries(source, 100, 200, seed=0, kind=kind)
    assert (canaries.data.labels != source.labels[100:]).all()
    assert 70 < canaries.included.sum() < 130
    np.testing.assert_array_equal(canaries.training.labels[:100], source.labels[:100])
    np.testing.assert_array_equal(canaries.training.images[100:], canaries.data.images[canaries.included])
    same = (canaries.data.images == source.images[100:]).all()
    assert same == (kind == "mislabelled")


def test_canaries_known_by_heart_refute_and_guesses_do_not():
    generator = np.random.default_rng(0)
    included = generator.random(1000) < 0.5
    assert dp_audit.audit_canaries(included + generator.random(1000) / 2, included, 1e-5).epsilon > 4
    assert dp_audit.audit_canaries(generator.random(1000), included, 1e-5).epsilon < 0.5


def test_a_training_is_audited_beside_its_claim():
    canaries = dp_audit.make_canaries(stripes(120), 20, 100, seed=0)
    settings = {"epochs": 2, "batch_size": 30, "rate": 1.0, "seed": 0}
    bare, noisy = (dp_audit.audit(canaries, DPSGD(noise=noise), **settings) for noise in (0.0, 5.0))
    assert bare["claimed"] is None
    assert noisy["bound"] <= noisy["claimed"] < 3
    assert noisy["n"] == 20 + canaries.included.sum()
    results = {"moment": "now", "machine": "here", "rows": [bare, noisy], "canaries": 100, "included": 50, "others": 20}
    results |= settings | {"kind": "random", "dataset": "stripes", "delta": 1e-5}
    assert "| 0 | none |" in dp_audit.page(results)
    assert "| **yes** |" in dp_audit.page(results | {"rows": [noisy | {"claimed": noisy["bound"] - 1}]})
