"""Quantile regression: what margin a non-member like this one would have, from the example alone."""

import dataclasses
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict
from threadpoolctl import threadpool_limits

from tfinv.attacks.fields import check_positive
from tfinv.errors import expected
from tfinv.membership import signals
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence

_FEWEST = 20  # examples that a regression is fitted to, at least
_GRID = 8  # cells of an image along each side, whose means are its features
_MOST_CATEGORIES = 255  # of scikit-learn's trees; more classes are taken as numbers
_FLOOR = 0.1  # of the deviation, as a share of its mean: a regression of few examples may say almost 0


@dataclasses.dataclass(frozen=True)
class Quantile(MembershipAttack):
    """Quantile regression (Bertran et al. 2023), in the form with a normal distribution whose mean and deviation are regressed.

    The score is (margin - mean(x)) / deviation(x), where both are regressed on the example alone, over non-members. So an easy
    image must exceed the margin that easy images have. It needs one model's logits and no shadow model.

    The features are the means of an 8 x 8 grid of cells, brightness, contrast and the label. They are not the target's own: from
    those the logits, and with them the margin of a member, would follow. The regressions are gradient-boosted trees; the
    deviation is fitted to residuals of examples that the mean was not fitted to.

    With `evidence.population`, they are fitted to those non-members. Without it, they are fitted to the examples themselves, in
    folds, so that none is scored by a regression that has seen it. Members are then among those that others are compared with,
    which makes the attack weaker.

    Attributes:
      trees: of each regression.
      folds: of the residuals, and of the examples where there is no population.
    """

    trees: int = 100
    folds: int = 5

    def __post_init__(self):
        check_positive(self, "trees", "folds")
        if self.folds < 2:
            raise expected("folds of at least 2", self.folds, "Change the argument `folds`.")

    def check_needs(self, evidence: Evidence) -> None:
        """Raises UserError if logits or images are absent, or too few examples to fit to."""
        super().check_needs(evidence)
        source = evidence if evidence.population is None else evidence.population
        for part, name in ((evidence, "Evidence"), (source, "population")):
            if part.images is None or part.logits is None:
                hint = f"Pass {name}(images=..., logits=...)."
                raise expected("images and logits for Quantile", f"a {name.lower()} without them", hint)
        if len(source) < max(_FEWEST, 2 * self.folds):
            count = max(_FEWEST, 2 * self.folds)
            raise expected(
                f"at least {count} examples to fit Quantile to", len(source), "Pass Evidence(population=...)."
            )
        assert source.images is not None
        assert evidence.images is not None
        if source.images.shape[1:] != evidence.images.shape[1:]:
            raise expected(f"a population of images {evidence.images.shape[1:]}", source.images.shape[1:])

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the margin's distance from the regressed mean, in regressed deviations."""
        # Trees of so few examples take longer to share among threads than to grow, above all where TensorFlow has its own.
        with threadpool_limits(1, user_api="openmp"):
            return self._compute(evidence)

    def _compute(self, evidence):
        features, margins = _features(evidence), _margins(evidence)
        if evidence.population is not None:
            return self._fit(evidence.population).scores(features, margins)
        # By the examples' numbers, so that their order does not matter.
        order = np.lexsort((margins, evidence.rows))
        fold = np.empty(len(order), np.int64)
        fold[order] = np.arange(len(order)) % self.folds
        scores = np.empty(len(order))
        for number in range(self.folds):
            rows = fold == number
            fitted = self._fit(evidence.take(order[fold[order] != number]))
            scores[rows] = fitted.scores(features[rows], margins[rows])
        return scores

    def _fit(self, evidence: Evidence) -> "_Fitted":
        features, margins = _features(evidence), _margins(evidence)
        mean = self._trees(evidence, "squared_error")
        residuals = np.abs(margins - cross_val_predict(mean, features, margins, cv=KFold(self.folds)))
        floor = max(_FLOOR * residuals.mean(), 1e-9)
        deviation = self._trees(evidence, "gamma").fit(features, np.maximum(residuals, floor))
        return _Fitted(mean.fit(features, margins), deviation, floor)

    def _trees(self, evidence, loss):
        assert evidence.logits is not None
        categorical = [0] if evidence.logits.shape[-1] <= _MOST_CATEGORIES else None
        return HistGradientBoostingRegressor(
            loss=loss, max_iter=self.trees, categorical_features=categorical, early_stopping=False, random_state=0
        )


@dataclasses.dataclass(frozen=True)
class _Fitted:
    mean: Any
    deviation: Any
    floor: float

    def scores(self, features, margins):
        deviation = np.maximum(self.deviation.predict(features), self.floor)
        # The mean of |x| is sqrt(2 / pi) deviations of a normal distribution.
        return (margins - self.mean.predict(features)) / (deviation / np.sqrt(2 / np.pi))


def _margins(evidence: Evidence) -> np.ndarray:
    assert evidence.logits is not None
    return signals.margin(evidence.logits[:, 0], evidence.labels)


def _features(evidence: Evidence) -> np.ndarray:
    """(n, f) float64: the label, brightness, contrast, and the means of the cells of the grid in each channel."""
    images = evidence.images
    assert images is not None
    n, height, width, channels = images.shape
    cells = images.astype(np.float64, copy=False)
    for axis, size in ((1, height), (2, width)):
        edges = np.unique(np.linspace(0, size, _GRID + 1).astype(int))
        sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(4)])
        cells = np.add.reduceat(cells, edges[:-1], axis=axis) / sizes
    pixels = images.reshape(n, -1)
    statistics = [pixels.mean(axis=1, dtype=np.float64), pixels.std(axis=1, dtype=np.float64)]
    return np.column_stack([evidence.labels, *statistics, cells.reshape(n, -1)])
