"""What was measured of one set of reconstructions, value by value: from it come rows, pooled rows and paired differences."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.intervals import mean_interval, rate_interval

# What rows of kind "inversion" are called, wherever they are made or shown. Budgets: the same number of steps for all, until
# the method's own rule ends it. Methods that are no attack: references, and decoders trained anew. A reference: real images.
EQUAL, CONVERGENCE = "equal", "convergence"
REFERENCE, FRESH_DECODER = "reference", "fresh-decoder"
HELD_OUT = "held-out images"

# In which direction a measure says that the reconstruction gives away more.
BETTER = {
    "acc@1": "higher",
    "acc@5": "higher",
    "pixel_distance": "lower",
    "feature_distance": "lower",
    "ssim_to_class_mean": "higher",
    "ssim_to_nearest": "higher",
    "ssim_to_original": "higher",
    "relative_error": "lower",
    "confidence": "higher",
    "fid": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "identification_rank": "lower",
    "rank@1": "higher",
    "rank@5": "higher",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Values:
    """One measure of one set.

    Attributes:
      measure: its name; those of `BETTER` have a direction.
      values: (n,) one a reconstruction, bool where the mean is a rate. Recall and coverage have one a real image, diversity one a
        class, FID one in all.
      labels: (n,) the class of each; -1 for the whole set. The i-th value of a class is comparable with the i-th of another model.
      evaluator: which one judged, or None.
      extra: further keys of the row, such as the sizes of the two sets that a FID compares.
    """

    measure: str
    values: np.ndarray
    labels: np.ndarray
    evaluator: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        values = np.asarray(self.values)
        object.__setattr__(self, "values", values if values.dtype == bool else values.astype(np.float64))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if self.values.ndim != 1 or self.values.shape != self.labels.shape or not len(self.values):
            raise expected(
                "values (n,) with as many labels",
                f"{self.values.shape} and {self.labels.shape}",
                "Change `values` or `labels`.",
            )

    @property
    def key(self) -> tuple[str, str | None]:
        """What two models are compared by."""
        return self.measure, self.evaluator

    @property
    def is_rate(self) -> bool:
        """Whether the mean is the rate of something that happens or does not."""
        return self.values.dtype == bool


@dataclasses.dataclass(frozen=True, eq=False)
class Measurement:
    """All measures of one set of reconstructions.

    Attributes:
      keys: experiment, method, budget, seed, and others that the rows have in common.
      values: one a measure and evaluator.
    """

    keys: Mapping[str, Any]
    values: tuple[Values, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of kind "inversion", with intervals as if the reconstructions were independent; `pooling` does better."""
        return [row(v.measure, v.values, evaluator=v.evaluator, **self.keys, **v.extra) for v in self.values]

    def find(self, measure: str, evaluator: str | None = None) -> Values:
        """The values of one measure.

        Raises:
          UserError: it was not measured.
        """
        for values in self.values:
            if values.key == (measure, evaluator):
                return values
        known = ", ".join(v.measure + (f" by {v.evaluator}" if v.evaluator else "") for v in self.values)
        raise expected(f"one of the measures {known}", f"{measure} by {evaluator}", "Change the argument `measure`.")

    def to_json(self) -> dict[str, Any]:
        """A JSON object, from which `from_json` makes an equal measurement."""
        values = [
            {
                "measure": v.measure,
                "values": v.values.tolist(),
                "labels": v.labels.tolist(),
                "evaluator": v.evaluator,
                "extra": dict(v.extra),
            }
            for v in self.values
        ]
        return {"keys": dict(self.keys), "values": values}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Measurement":
        """What `to_json` made."""
        # A list of booleans becomes an array of booleans, so a rate stays a rate.
        return cls(stored["keys"], tuple(Values(**v | {"values": np.array(v["values"])}) for v in stored["values"]))


def row(measure_name: str, values: np.ndarray, *, evaluator: str | None = None, **keys: Any) -> dict[str, Any]:
    """One row of kind "inversion" from (n,) values; booleans make a rate."""
    values = np.asarray(values)
    ci = rate_interval(int(values.sum()), len(values)) if values.dtype == bool else mean_interval(values)
    return {
        "kind": "inversion",
        "measure": measure_name,
        "value": float(values.mean()),
        "n": len(values),
        "ci95": None if ci is None else list(ci),
        **direction(measure_name),
        **({"evaluator": evaluator} if evaluator else {}),
        **keys,
    }


def direction(measure_name: str) -> dict[str, str]:
    """The row's key `better`, or nothing for a measure without a direction."""
    return {"better": BETTER[measure_name]} if measure_name in BETTER else {}
