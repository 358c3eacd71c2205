"""Mistakes that make a membership attack read too little or too much, each on data where the right reading is known."""

import numpy as np
import pytest
from scipy import special, stats

import gaussian_margins as gaussian
from tfinv.errors import UserError
from tfinv.membership import membership_attack
from tfinv.membership.shadows.store import ShadowStore

ATTACKS = (
    "lira",
    "lira(online=False)",
    "rmia",
    "rmia(online=False)",
    "base",
    "base(online=False)",
    "bavaria",
    "bavaria(online=False)",
    "bavaria(form=normal)",
)


def score(spec, target, references):
    return membership_attack(spec).score(gaussian.evidence(target, references))


def leave_one_out(generator, truth, shadows, target=None):
    """Members, margins and references of each shadow as the target; `target` gives the margins of another model instead."""
    n = len(truth.inside)
    members = gaussian.halves(generator, n, shadows)
    margins = truth.draw(generator, members)
    references = gaussian.shadows(margins, members)
    for i in range(shadows):
        rest = references.without([i, i ^ 1])
        yield members[:, i], margins[i] if target is None else target(), rest


def mean_rate(specs, cases, fpr=0.01):
    """Mean TPR of each attack over targets."""
    rates = [
        [gaussian.tpr(score(spec, margins, rest), members, fpr) for spec in specs] for members, margins, rest in cases
    ]
    return np.mean(rates, axis=0)


# 1: the score


@pytest.mark.parametrize("spec", [*ATTACKS, "shokri"])
def test_scores_of_a_good_model_are_not_tied(spec):
    generator = np.random.default_rng(0)
    n = 500
    truth = gaussian.model(generator, n, level=40)
    members, target, rest = next(leave_one_out(generator, truth, 6))
    assert np.mean(special.expit(target.astype(np.float32)) == 1) > 0.9  # what probabilities in float32 would leave
    scores = score(spec, target, rest)
    assert len(np.unique(scores)) > 0.99 * n


# 2: the variance


def test_with_four_shadows_a_variance_for_each_example_is_worse():
    generator = np.random.default_rng(0)
    cases = leave_one_out(generator, gaussian.model(generator, 4000), 6)
    specs = ["lira", "lira(variance=pooled)", "lira(variance=per_example)", "confidence"]
    default, pooled, single, threshold = mean_rate(specs, cases)
    assert default == pooled > 2 * single
    assert default > 2 * threshold


def test_with_many_shadows_variances_are_shrunk():
    generator = np.random.default_rng(0)
    scale = np.exp(0.7 * generator.standard_normal(3000))
    cases = list(leave_one_out(generator, gaussian.model(generator, 3000, scale=scale), 18))[::3]
    default, shrunk, pooled = mean_rate(["lira", "lira(variance=shrunk)", "lira(variance=pooled)"], cases)
    assert default == shrunk > 1.2 * pooled


# 3: RMIA with few references: a in test_rmia.py


def test_with_two_references_rmia_finds_more_than_a_threshold():
    generator = np.random.default_rng(0)
    cases = leave_one_out(generator, gaussian.model(generator, 4000), 4)
    rmia, threshold = mean_rate(["rmia", "confidence"], cases)
    assert rmia > 2 * threshold


# 4: who may be a shadow


@pytest.mark.parametrize("shadows", [4, 8])
@pytest.mark.parametrize("spec", ATTACKS)
def test_a_null_target_reads_as_much_as_the_false_positives(spec, shadows):
    generator = np.random.default_rng(shadows)
    truth = gaussian.model(generator, 4000)
    nobody = np.zeros((4000, 1), bool)
    cases = list(leave_one_out(generator, truth, shadows, target=lambda: truth.draw(generator, nobody)[0]))
    rates = [gaussian.tpr(score(spec, margins, rest), members, 0.01) for members, margins, rest in cases]
    # The rates of a pair depend on each other: its members are each other's non-members.
    assert abs(np.mean(rates) - 0.01) < 4 * 0.0022 / np.sqrt(shadows / 2)
    area = np.mean([gaussian.auc(score(spec, margins, rest), members) for members, margins, rest in cases])
    assert abs(area - 0.5) < 4 * 0.0091 / np.sqrt(shadows / 2)


@pytest.mark.parametrize("spec", ["rmia", "base"])
def test_the_number_of_shadows_trained_on_an_example_tells_nothing(spec):
    """Without its complement's removal, the members of a target have one shadow fewer inside than the others."""
    generator = np.random.default_rng(0)
    truth = gaussian.model(generator, 8000)
    nobody = np.zeros((8000, 1), bool)
    rates, counted = [], []
    members = gaussian.halves(generator, 8000, 4)
    margins = truth.draw(generator, members)
    references = gaussian.shadows(margins, members)
    for i in range(4):
        target = truth.draw(generator, nobody)[0]
        rates.append(gaussian.tpr(score(spec, target, references.without([i])), members[:, i], 0.01))
        mean = np.log(np.delete(special.expit(margins), i, axis=0).mean(axis=0))
        counted.append(gaussian.tpr(special.log_expit(target) - mean, members[:, i], 0.01))
    assert np.mean(counted) > 0.03  # the mean of all references, in which that number shows
    assert np.mean(rates) < 0.02


def test_leave_one_out_takes_the_complement_out(tmp_path):
    generator = np.random.default_rng(0)
    members = gaussian.halves(generator, 20, 6)
    labels = np.zeros(20, int)
    store = ShadowStore.create(tmp_path / "s", labels=labels, members=members, classes=2, digest="", recipe={})
    for number in range(6):
        store.add(number, gaussian.logits(generator.normal(size=20)))
    for number, _, rest in store.leave_one_out():
        assert rest.size == 4
        counts = rest.members.sum(axis=1)
        assert (counts == 2).all()
        assert not any((column == members[:, number]).all() for column in rest.members.T)


@pytest.mark.parametrize("spec", [*ATTACKS])
def test_a_target_among_its_shadows_is_refused(spec):
    generator = np.random.default_rng(0)
    truth, members = gaussian.model(generator, 50), gaussian.halves(generator, 50, 4)
    margins = truth.draw(generator, members)
    with pytest.raises(UserError, match="shadow 2 with the target's logits"):
        score(spec, margins[2], gaussian.shadows(margins, members))


# 5: offline


def test_offline_margins_far_beyond_the_shadows_are_ranked():
    generator = np.random.default_rng(0)
    n = 200
    truth = gaussian.model(generator, n, scale=0.5)
    references = gaussian.shadows(truth.draw(generator, np.zeros((n, 4), bool)), np.zeros((n, 4), bool))
    distances = generator.permutation(np.linspace(9, 40, n))
    scores = score("lira(online=False)", truth.outside + 0.5 * distances, references)
    assert np.mean(stats.norm.cdf(scores) == 1) > 0.9  # what the distribution function would leave of them
    assert len(np.unique(scores)) == n
    assert stats.spearmanr(scores, distances).statistic > 0.99


def test_offline_is_one_sided():
    generator = np.random.default_rng(0)
    truth = gaussian.model(generator, 3000)
    members, target, rest = next(leave_one_out(generator, truth, 6))
    z = score("lira(online=False)", target, rest)
    assert gaussian.auc(z, members) > gaussian.auc(z**2, members) + 0.05


# 6: augmented queries


def test_a_query_that_the_target_was_not_trained_with_can_be_left_out():
    generator = np.random.default_rng(0)
    trained, other = (gaussian.model(generator, 3000, gap) for gap in (2.0, 0.0))
    members = gaussian.halves(generator, 3000, 6)
    margins = np.stack([truth.draw(generator, members) for truth in (trained, other)], axis=2)
    references = gaussian.shadows(margins, members).without([0, 1])
    both, image = (
        gaussian.tpr(score(spec, margins[0], references), members[:, 0], 0.01) for spec in ("rmia", "rmia(queries=1)")
    )
    assert image > 1.3 * both
    np.testing.assert_array_equal(
        score("lira(queries=1)", margins[0], references),
        score("lira", margins[0, :, 0], gaussian.shadows(margins[..., 0], members).without([0, 1])),
    )


def test_a_store_without_augmentation_has_the_image_alone(tmp_path):
    settings = {"labels": [0, 1], "members": [[1], [0]], "classes": 2, "digest": "", "queries": 2}
    for recipe in ({}, {"augmentation": "none"}):
        with pytest.raises(UserError, match="one query of shadows"):
            ShadowStore.create(tmp_path / "store", recipe=recipe, **settings)
    assert ShadowStore.create(tmp_path / "store", recipe={"augmentation": "crop_flip"}, **settings).queries == 2
