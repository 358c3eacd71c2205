"""The privacy that a training with noise guarantees, computed by dp-accounting."""

import dp_accounting
from dp_accounting import rdp

# Whole orders only: the series of the others fail to converge for large batches, with a warning each.
ORDERS = (*range(2, 65), *range(72, 129, 8), *range(144, 257, 16), 512, 1024)


def epsilon(noise: float, share: float, steps: int, delta: float) -> float:
    """The epsilon of (epsilon, delta)-differential privacy of DP-SGD, for data sets that differ in one example.

    Renyi divergences of the sampled Gaussian mechanism (Mironov et al. 2019), summed over the steps, turned into epsilon as in
    Canonne et al. 2020, proposition 12.

    Args:
      noise: standard deviation over the clipping norm.
      share: probability of an example to be in a step's batch, which is drawn anew for each (Poisson sampling).
      steps: how many.
      delta: the probability with which the guarantee may fail; below one over the number of examples.

    Returns:
      infinity if there is no noise.
    """
    accountant = rdp.RdpAccountant(ORDERS, neighboring_relation=dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    step = dp_accounting.PoissonSampledDpEvent(share, dp_accounting.GaussianDpEvent(noise))
    accountant.compose(dp_accounting.SelfComposedDpEvent(step, steps))
    return float(accountant.get_epsilon(delta))
