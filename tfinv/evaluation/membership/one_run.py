"""Audit of a claimed (epsilon, delta) with a single training (Steinke, Nasr and Jagielski 2023).

Each of m canaries is put into the training set by a fair coin of its own. The attack then guesses, of r of them, whether they were
in, and abstains from the others. Under (epsilon, delta) the number v of right guesses is, whatever the attack, hardly more than
binomial (theorem 5.2): with q = 1 / (1 + e^-epsilon) and f(v) = P[Binomial(r, q) >= v],

    P[at least v right] <= f(v) + 2 m delta max_i (f(v - i) - f(v)) / i

The largest epsilon at which this is below 5 % is refuted, and with it every smaller one. Nothing is taken for granted but the
coins: the canaries need not be independent after the training. How many are guessed has to be decided before the scores are seen.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats

from tfinv.errors import expected
from tfinv.evaluation.membership.epsilon import check_level

_LEVEL = 0.95
_LARGEST = 700.0  # e^epsilon is still a float


@dataclasses.dataclass(frozen=True)
class OneRunAudit:
    """Guesses of a single training, and what they refute.

    Attributes:
      canaries: m, each in by a fair coin.
      guesses: r, those that the attack did not abstain from.
      correct: v of them.
      delta: that epsilon is stated for.
      level: probability that the bound holds, for all `choices` together.
      choices: how many numbers of guesses were tried; the level is shared among them (Bonferroni).
    """

    canaries: int
    guesses: int
    correct: int
    delta: float = 0.0
    level: float = _LEVEL
    choices: int = 1

    def __post_init__(self):
        check_level(self.delta, self.level)
        if not 0 <= self.correct <= self.guesses <= self.canaries or self.canaries < 1 or self.choices < 1:
            raise expected(
                "at most as many right guesses as guesses, and these as canaries",
                f"{self.correct}, {self.guesses} and {self.canaries}",
                "Change the counts.",
            )

    @functools.cached_property
    def epsilon(self) -> float:
        """Lower bound on epsilon at the level; 0 if nothing is shown."""
        error = (1 - self.level) / self.choices

        def excess(epsilon: float) -> float:
            return one_run_p_value(self.canaries, self.guesses, self.correct, epsilon, self.delta) - error

        if excess(0.0) >= 0:
            return 0.0
        high = 1.0
        while excess(high) < 0 and high < _LARGEST:
            high *= 2
        # All right, and delta 0: f(v) = q^r, which stays below the error for no epsilon beyond this one.
        return max(0.0, float(optimize.brentq(excess, 0.0, high, xtol=1e-10)) - 1e-9)

    def p_value(self, epsilon: float) -> float:
        """p-value of a claimed epsilon, corrected for `choices`; below 1 - level the claim is refuted."""
        p = one_run_p_value(self.canaries, self.guesses, self.correct, epsilon, self.delta)
        return min(1.0, p * self.choices)


def one_run_p_value(canaries: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0) -> float:
    """Bound on the probability of so many right guesses under (epsilon, delta) (theorem 5.2).

    Args:
      canaries: m.
      guesses: r.
      correct: v.
      epsilon: at least 0.
      delta: in [0, 1).
    """
    q = float(special.expit(epsilon))
    tail = float(stats.binom.sf(correct - 1, guesses, q))
    if delta == 0 or correct == 0:
        return tail
    i = np.arange(1, correct + 1)
    # Of i > v the numerator is 1 - f(v), and the quotient falls.
    slope = np.max((stats.binom.sf(correct - i - 1, guesses, q) - tail) / i)
    return min(1.0, tail + 2 * canaries * delta * float(slope))


def audit_one_run(
    scores: np.ndarray,
    included: np.ndarray,
    guesses: Sequence[tuple[int, int]],
    *,
    delta: float = 0.0,
    level: float = _LEVEL,
) -> OneRunAudit:
    """Audits a training by the scores of its canaries: the highest are called in, the lowest out.

    Args:
      scores: (m,) of an attack, of every canary whose coin was tossed, in or out.
      included: (m,) bool, the coins.
      guesses: (number called in, number called out), or several such choices. They may depend on m, and not on scores or coins.
      delta: in [0, 1).
      level: probability that the bound holds, for all choices together.

    Returns:
      The audit of the choice with the highest epsilon. Of canaries with one score those are guessed that make the guess wrong.

    Raises:
      UserError: the arrays differ in length or have NaN; more guesses than canaries; no choice.
    """
    scores, included = np.asarray(scores, np.float64), np.asarray(included, bool)
    if scores.ndim != 1 or scores.shape != included.shape or not len(scores) or np.isnan(scores).any():
        raise expected(
            "a score and a coin for each canary, without NaN",
            f"shapes {scores.shape} and {included.shape}, {int(np.isnan(scores).sum())} NaN",
            "Change `scores` or `included`.",
        )
    if not guesses or any(min(pair) < 0 or sum(pair) > len(scores) for pair in guesses):
        raise expected(
            f"numbers of guesses, at most {len(scores)} together", list(guesses), "Change the argument `guesses`."
        )
    # Among equal scores, outsiders come first from the top, and insiders first from the bottom.
    top = np.lexsort((included, -scores))
    bottom = np.lexsort((~included, scores))
    audits = []
    for called_in, called_out in guesses:
        insiders = top[:called_in]
        outsiders = bottom[~np.isin(bottom, insiders)][:called_out]
        hits = int(included[insiders].sum()) + int((~included[outsiders]).sum())
        audits.append(
            OneRunAudit(len(scores), called_in + called_out, hits, delta=delta, level=level, choices=len(guesses))
        )
    return max(audits, key=lambda audit: audit.epsilon)
