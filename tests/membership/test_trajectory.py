"""Loss trajectories: the quantiles by hand, and which examples stand out."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.membership import Evidence
from tfinv.membership.trajectory import Trajectory


def test_quantiles_by_hand():
    losses = np.array([[5.0, 4, 3, 2, 1], [1, 1, 1, 1, 1], [9, 0, 0, 0, 0]])
    evidence = Evidence([0, 0, 0], trajectory=losses)
    np.testing.assert_allclose(Trajectory().score(evidence), [2, 0, 0])
    np.testing.assert_allclose(Trajectory(low=0, high=1).score(evidence), [4, 0, 9])


def test_the_order_of_the_epochs_does_not_matter_and_a_shift_of_the_loss_neither():
    losses = np.random.default_rng(0).exponential(size=(20, 9))
    scores = Trajectory().score(Evidence(np.zeros(20, int), trajectory=losses))
    again = Trajectory().score(Evidence(np.zeros(20, int), trajectory=losses[:, ::-1] + 7))
    np.testing.assert_allclose(scores, again, rtol=1e-12)


def test_an_example_learnt_late_stands_out():
    epochs = np.arange(20)
    early, late = np.exp(-epochs / 1.0), 3 / (1 + np.exp(epochs - 10.0))
    never = np.full(20, 2.5)
    scores = Trajectory().score(Evidence([0, 0, 0], trajectory=np.stack([early, late, never])))
    assert scores.argmax() == 1
    assert scores[1] > 2


@pytest.mark.parametrize("losses", [None, np.ones((3, 1))])
def test_two_epochs_are_needed(losses):
    with pytest.raises(UserError, match="two epochs at least"):
        Trajectory().score(Evidence([0, 0, 0], trajectory=losses))


@pytest.mark.parametrize(("low", "high"), [(0.75, 0.25), (-0.1, 0.5), (0.5, 1.1), (0.5, 0.5), (np.nan, 0.5)])
def test_bad_quantiles(low, high):
    with pytest.raises(UserError, match="low < high"):
        Trajectory(low=low, high=high)
