"""Differential privacy of DP-SGD, computed by dp-accounting."""

import dataclasses
from typing import Any

import dp_accounting
from dp_accounting import pld

SAMPLING = "Poisson"
RELATION = "add or remove one example"
ACCOUNTANT = "PLD (dp-accounting)"
# The accountant drops tails of 1e-15.
LEAST_DELTA = 1e-12

# Of the privacy loss, for an error of epsilon in the fourth digit.
_INTERVAL = 1e-4
_MOST_INTERVALS = 1e5


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """(epsilon, delta)-differential privacy, with all that its figure is stated for.

    Attributes:
      epsilon: infinity for none.
      delta: probability with which epsilon may fail.
      sampling: of the batches.
      relation: between the two data sets that are compared.
      accountant: that computed epsilon; an upper bound.
    """

    epsilon: float
    delta: float
    sampling: str = SAMPLING
    relation: str = RELATION
    accountant: str = ACCOUNTANT

    def terms(self) -> dict[str, Any]:
        """Returns what epsilon is stated for, by name."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k != "epsilon"}


def guarantee(noise: float, sampling_rate: float, steps: int, delta: float) -> Guarantee:
    """Returns the guarantee of DP-SGD on batches by Poisson sampling, for data sets that differ in one more or one less example.

    The distribution of the privacy loss of one step (Koskela et al. 2020; as discretised by Doroshenko et al. 2022) is convolved
    with itself, and rounded so that epsilon is never too small.

    Args:
      noise: standard deviation divided by the clipping norm.
      sampling_rate: probability that an example is in the batch of a step.
      steps: number of steps.
      delta: below one over the number of examples; at least `LEAST_DELTA`.

    Returns:
      The guarantee; its epsilon is infinite without noise.
    """
    # A coarser grid for little noise, where epsilon is in the hundreds and more, and the finest would not fit in memory.
    interval = max(_INTERVAL, (0.5 / noise**2 + 10 / noise) / _MOST_INTERVALS) if noise else _INTERVAL
    relation = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE
    accountant = pld.PLDAccountant(relation, value_discretization_interval=interval)
    step = dp_accounting.PoissonSampledDpEvent(sampling_rate, dp_accounting.GaussianDpEvent(noise))
    accountant.compose(dp_accounting.SelfComposedDpEvent(step, steps))
    return Guarantee(float(accountant.get_epsilon(delta)), delta)
