"""Measurements of one set of reconstructions, value by value: the source of rows, pooled rows and paired differences."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.statistics.intervals import mean_interval, rate_interval

# Values of keys of the rows of kind "inversion". Budgets: the same number of steps for all, or until the method's own stop rule.
# Methods that are no attack: references, and decoders trained anew. An experiment of the references: real images.
EQUAL, CONVERGENCE = "equal", "convergence"
REFERENCE, FRESH_DECODER = "reference", "fresh-decoder"
HELD_OUT = "held-out images"

# The direction in which a measure means that the reconstruction gives away more.
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
    """Values of one measure of one set of reconstructions.

    Attributes:
      measure: its name; those of `BETTER` have a direction.
      values: (n,) one for each reconstruction, bool where the mean is a rate. Recall and coverage have one for each real image,
        diversity one for each class, FID one in all.
      labels: (n,) the class of each; -1 for the whole set. The i-th value of a class is comparable with the i-th of another model.
      evaluator: name of the one that measured, or None.
      sizes: further keys of the row: the sizes of the two sets that a FID or PRDC compares; of an identification, its curve.
    """

    measure: str
    values: np.ndarray
    labels: np.ndarray
    evaluator: str | None = None
    sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

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
        """Measure and evaluator, by which two models are compared."""
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
      values: one for each measure and evaluator.
    """

    keys: Mapping[str, Any]
    values: tuple[Values, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Makes rows of kind "inversion", with intervals as if the reconstructions were independent; `pooling` does better."""
        return [row(v.measure, v.values, evaluator=v.evaluator, **self.keys, **v.sizes) for v in self.values]

    def find(self, measure: str, evaluator: str | None = None) -> Values:
        """Returns the values of one measure.

        Raises:
          UserError: it was not measured.
        """
        for values in self.values:
            if values.key == (measure, evaluator):
                return values
        measures = ", ".join(v.measure + (f" by {v.evaluator}" if v.evaluator else "") for v in self.values)
        raise expected(f"one of the measures {measures}", f"{measure} by {evaluator}", "Change the argument `measure`.")

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON object, from which `from_json` makes an equal measurement."""
        values = [
            {
                "measure": v.measure,
                "values": v.values.tolist(),
                "labels": v.labels.tolist(),
                "evaluator": v.evaluator,
                "extra": dict(v.sizes),
            }
            for v in self.values
        ]
        return {"keys": dict(self.keys), "values": values}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Measurement":
        """Makes the measurement of an object of `to_json`."""
        # A list of booleans becomes an array of booleans, so a rate stays a rate.
        values = [
            Values(v["measure"], np.array(v["values"]), v["labels"], v["evaluator"], v["extra"])
            for v in stored["values"]
        ]
        return cls(stored["keys"], tuple(values))


def row(measure_name: str, values: np.ndarray, *, evaluator: str | None = None, **keys: Any) -> dict[str, Any]:
    """Makes a row of kind "inversion" from (n,) values; booleans make a rate."""
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
    """Returns the row's key `better`, or nothing for a measure without a direction."""
    return {"better": BETTER[measure_name]} if measure_name in BETTER else {}
