"""95 % intervals of rates and means."""

import numpy as np
from scipy import stats


def rate_interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a binomial rate.

    Args:
      successes: how often it happened.
      n: of how many, at least 1.

    Returns:
      (low, high) in [0, 1].
    """
    interval = stats.binomtest(int(successes), int(n)).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: np.ndarray) -> tuple[float, float] | None:
    """Student's t interval of a mean; None for fewer than two values.

    Args:
      values: (n,) independent values.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)
