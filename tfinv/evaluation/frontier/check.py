"""The check that some recipe is robust and private: recipes outside the sweep, compared with the line through it."""

import dataclasses
from collections.abc import Sequence

from tfinv.errors import UserError
from tfinv.evaluation.check import Check
from tfinv.evaluation.frontier.line import Line, Point, fit_line, leaves
from tfinv.evaluation.inversion.inversion_checks import SAME_ACCURACY

_ADVICE = (
    "No robust recipe held against the sweep gives away far less than its robust accuracy lets expect, at the same accuracy. "
    "Choose on the line what you need more, or look for another defence."
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The check of a frontier, with the line behind it.

    Attributes:
      check: the outcome, with the figures as its evidence.
      line: through the sweep; None where there is none.
      level: of the prediction interval that a model must lie outside of.
    """

    check: Check
    line: Line | None = None
    level: float = 0.95


def evaluate(
    points: Sequence[Point],
    *,
    usual: str = "none",
    lower: bool,
    floor: float | None = None,
    start: float | None = None,
    origin: str = "the inversion's start",
    seed_lines: Sequence[Line] = (),
) -> Verdict:
    """Fits the line through the swept points, and checks whether another is robust, private, and as accurate as its twin.

    A recipe is robust if its accuracy under attack is significantly above that of training as usual. It is private if it lies
    outside the line's prediction interval, of 95 % for all robust ones together (Bonferroni), and at least half the way from the
    line to the inversion's start: where all is recognised, 94 % in place of 98 % is no privacy. A private one that is less
    accurate than its twin in the sweep, over the seeds that both have, has paid with what it knows, and does not pass; nor does
    one without a sound twin. Where the line itself gives away no more than the inversion's start, there is nothing to hide, and
    a recipe there does not count.

    Args:
      points: the models; those with a flaw do not count, and the evidence names them.
      usual: label of training as usual.
      lower: whether a lower y is more private.
      floor: the most private y possible; None where there is no limit.
      start: y of what gives nothing away, such as the inversion's start; None where it is not known.
      origin: name of that in the evidence.
      seed_lines: the lines of single seeds, whose correlations the evidence lists.
    """
    remarks = "".join(f"; not counted: {p.label}, {p.flaw}" for p in points if p.flaw)
    remarks += "".join(f"; left out of {p.label}: {p.left_out}" for p in points if p.left_out)
    try:
        line = fit_line(points)
    except UserError as error:
        return Verdict(_check(None, str(error) + remarks))
    evidence = f"rank correlation {line.rho:.2f}, r = {line.r:.2f}, over {line.n} swept models"
    if len(seed_lines) > 1:
        evidence += f"; r of each seed alone {', '.join(f'{seed_line.r:.2f}' for seed_line in seed_lines)}"
    # Intervals of 95 % that don't touch: as careful as several recipes need.
    limit = max((_high(p) for p in points if p.label == usual and not p.flaw), default=None)
    if limit is None:
        return Verdict(
            _check(None, f"{evidence}; no sound model trained as usual to be more robust than{remarks}"), line
        )
    robust = [p for p in points if not p.swept and not p.flaw and (p.x_interval or (p.x, p.x))[0] > limit]
    sign = 1.0 if lower else -1.0  # makes a difference positive where its second term is more private
    idle = [p for p in robust if start is not None and sign * (float(line.at(p.x)) - start) <= 0]
    if idle:
        remarks += f"; nothing to hide where the line gives away no more than {origin} {start:.3g}: "
        remarks += ", ".join(p.label for p in idle)
    robust = [p for p in robust if p not in idle]
    level = 1 - 0.05 / max(1, len(robust))
    twins = {p.label: p for p in points if p.swept and not p.flaw}
    outside, passing = [], False
    for point in robust:
        if not leaves(line, point, lower=lower, level=level):
            continue
        expected, price = float(line.at(point.x)), _price(point, twins.get(point.twin))
        far = start is None or sign * (expected - point.y) >= 0.5 * sign * (expected - start)
        passing |= far and price is not None and price <= SAME_ACCURACY
        outside.append(
            f"{point.label} ({point.y:.3g} where the line has {expected:.3g}"
            + ("" if start is None else f" and {origin} {start:.3g}")
            + ("; no sound twin)" if price is None else f"; accuracy {100 * price:.1f} points below its twin's)")
        )
    passed: bool | None = passing if robust else None
    if robust:
        evidence += f"; beyond the line on the private side: {', '.join(outside) or 'none'}"
        evidence += f" of {len(robust)} robust ones held against it"
    reachable = floor is None or any(_reachable(line, p, floor, lower, level) for p in robust)
    if robust and not outside and not reachable:
        passed, evidence = None, f"{evidence}, and none could be: its prediction reaches to the end of the scale"
    return Verdict(_check(passed, evidence + remarks), line, level)


def _check(passed, evidence):
    return Check("some-recipe-is-robust-and-private", passed, evidence, _ADVICE)


def _high(point):
    return (point.x_interval or (point.x, point.x))[1]


def _price(point, twin):
    """Accuracy lost against the twin, over the seeds that both have; None where that is not known."""
    common = [] if twin is None else sorted(twin.accuracies.keys() & point.accuracies.keys())
    if not common:
        return None
    return sum(twin.accuracies[s] - point.accuracies[s] for s in common) / len(common)


def _reachable(line, point, floor, lower, level):
    """Whether the line's prediction interval ends before the most private y possible."""
    low, high = (float(v) for v in line.prediction(point.x, level))
    return low > floor if lower else high < floor
