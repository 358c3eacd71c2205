"""The least-squares line between two measures of a sweep of models, and the models that leave it (Mejia et al. 2019)."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from tfinv.errors import expected

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Point:
    """A model, or several of one recipe, in the plane of two measures.

    Attributes:
      label: the recipe.
      x: one measure, such as its robust accuracy.
      y: the other, such as the Acc@1 of its inversion.
      x_interval: of 95 %, or None.
      y_interval: likewise.
      swept: whether it belongs to the sweep that the line is fitted to; others are compared with that line.
      accuracies: on clean images, by seed; empty where they are not known.
      twin: for a model that is not swept, label of the swept model that it is a variant of.
      flaw: reason not to count it, such as a failed training; "" for none.
      left_out: seeds of it that were left out, with the reason; "" for none.
    """

    label: str
    x: float
    y: float
    x_interval: Interval | None = None
    y_interval: Interval | None = None
    swept: bool = True
    accuracies: Mapping[int, float] = dataclasses.field(default_factory=dict)
    twin: str = ""
    flaw: str = ""
    left_out: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """The least-squares line through n points, and their correlation.

    The correlation has no interval: Fisher's is for pairs drawn at random, and the recipes of a sweep are chosen. Repeating the
    sweep with other seeds shows how far to trust it.

    Attributes:
      slope: of y over x.
      intercept: y at 0.
      r: Pearson's correlation.
      rho: Spearman's rank correlation.
      n: number of points.
      middle: mean x.
      deviation: sum of the squared deviations of x from its mean.
      error: standard deviation of the residuals, n - 2 degrees of freedom.
    """

    slope: float
    intercept: float
    r: float
    rho: float
    n: int
    middle: float
    deviation: float
    error: float

    def at(self, x: np.ndarray | float) -> np.ndarray:
        """Returns the line's y at x."""
        return self.intercept + self.slope * np.asarray(x, np.float64)

    def prediction(self, x: np.ndarray | float, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Returns the prediction interval of a further point at x (Student's, n - 2 degrees of freedom)."""
        x = np.asarray(x, np.float64)
        width = self.error * np.sqrt(1 + 1 / self.n + np.square(x - self.middle) / self.deviation)
        width = width * float(stats.t.ppf(0.5 + level / 2, self.n - 2))
        return self.at(x) - width, self.at(x) + width


def fit_line(points: Sequence[Point]) -> Line:
    """Fits a line to the swept points without a flaw.

    Raises:
      UserError: there are fewer than 3 of them, or all have the same x or y.
    """
    swept = [p for p in points if p.swept and not p.flaw]
    x, y = (np.array([getattr(p, name) for p in swept], np.float64) for name in ("x", "y"))
    if len(swept) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise expected(
            "at least 3 swept models that differ in both measures",
            ", ".join(f"{p.label} ({p.x:.3g}, {p.y:.3g})" for p in swept) or "none",
            "Sweep over more eps.",
        )
    fitted = stats.linregress(x, y)
    residuals = y - (fitted.intercept + fitted.slope * x)
    return Line(
        float(fitted.slope),
        float(fitted.intercept),
        float(fitted.rvalue),
        float(stats.spearmanr(x, y).statistic),
        len(x),
        float(x.mean()),
        float(np.sum(np.square(x - x.mean()))),
        float(np.sqrt(np.sum(np.square(residuals)) / (len(x) - 2))),
    )


def leaves(line: Line, point: Point, *, lower: bool, level: float = 0.95) -> bool:
    """Returns whether a point lies on the private side of the line, outside the prediction interval at its x.

    The interval allows for the noise of the point itself, as far as that is what scatters the swept ones.

    Args:
      line: of the sweep.
      point: that is compared with it.
      lower: whether a lower y is more private.
      level: of the prediction interval; higher where several points are tested.
    """
    low, high = (float(v) for v in line.prediction(point.x, level))
    return point.y < low if lower else point.y > high
