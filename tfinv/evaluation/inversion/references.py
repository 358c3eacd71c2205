"""What a measure says of the real thing and of nothing: rows of the method "reference", between which a value has its place."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.measurement import HELD_OUT, REFERENCE, Measurement
from tfinv.evaluation.reconstruction import TrainingSet, measure

CLASS_MEAN, START = "class mean", "start"


def measure_references(
    labels: np.ndarray, against: TrainingSet, held_out: Dataset, *, most: int = 20, seed: int = 0
) -> list[Measurement]:
    """Measures real held-out images and the class means just as reconstructions are.

    Args:
      labels: (k,) the classes that are reconstructed.
      against: the training set and the evaluators.
      held_out: real images that neither the victim nor the evaluators trained on.
      most: held-out images a class.
      seed: of the rows.

    Returns:
      Measurements with the method "reference", the budget "none", and as experiment "held-out images" (left out where no class
      has any) and "class mean". FID and PRDC can be read beside an attack's only where `n` and `n_real` are equal.
    """
    labels = np.unique(labels)
    chosen = np.concatenate([np.flatnonzero(held_out.labels == k)[:most] for k in labels])
    shown = {HELD_OUT: (held_out.images_at(chosen), held_out.labels[chosen])} if len(chosen) else {}
    shown[CLASS_MEAN] = against.class_means[labels], labels
    # The identifiers saw the held-out images, so these say nothing of identification.
    blind = dataclasses.replace(against, identifiers={})
    return [
        measure(x, y, blind if name == HELD_OUT else against, experiment=name, **_keys(seed))
        for name, (x, y) in shown.items()
    ]


def measure_start(
    start: np.ndarray,
    labels: np.ndarray,
    against: TrainingSet,
    *,
    name: str = START,
    of: str | None = None,
    seed: int = 0,
) -> Measurement:
    """Measures what an attack starts from as if it were what the attack had found.

    Args:
      start: (H, W, C) for all alike, or (n, H, W, C), in [0, 1].
      labels: (n,) the classes that are reconstructed.
      against: the training set and the evaluators.
      name: the row's experiment, such as "average image".
      of: the method that starts there; None for all methods without a start of their own among the rows.
      seed: of the rows.

    Raises:
      UserError: the start has another shape.
    """
    shape = (len(labels), *against.images.shape[1:])
    if np.shape(start) not in (shape, shape[1:]):
        raise expected(f"a start of shape {shape} or {shape[1:]}", np.shape(start), "Change the argument `start`.")
    keys = _keys(seed) | ({"of": of} if of else {})
    images = np.broadcast_to(np.asarray(start, np.float32), shape)
    return measure(images, labels, against, experiment=name, **keys)


def with_scale(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with `relative` where it makes sense: 0 is the method's start, 1 the real held-out images.

    It makes sense where the measure tells the two apart in the direction that it claims: the real images' interval lies on the
    better side of the start's. A distance over pixels often does not: a blurred average is nearer to everything than another
    photograph. A value below 0 is worse than the start, one above 1 is beyond any new photograph, as a copy of a training image is.

    Args:
      rows: of any kinds; those of kind "inversion" are judged, by the references among them.
    """
    ends: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        if row.get("method") == REFERENCE and row["experiment"] != CLASS_MEAN:
            end = HELD_OUT if row["experiment"] == HELD_OUT else START
            ends[(end, row.get("of"), *_what(row))] = row
    found = []
    for row in rows:
        high = ends.get((HELD_OUT, None, *_what(row)))
        low = ends.get((START, row.get("method"), *_what(row))) or ends.get((START, None, *_what(row)))
        judged = row["kind"] == "inversion" and row["method"] != REFERENCE
        if judged and low and high and _apart(low, high) and _one_size(row, low, high):
            row = row | {"relative": (row["value"] - low["value"]) / (high["value"] - low["value"])}
        found.append(row)
    return found


def _keys(seed):
    return {"method": REFERENCE, "budget": "none", "seed": seed}


def _what(row):
    return row.get("measure"), row.get("evaluator")


def _one_size(*rows):
    """Whether measures of sets are of sets of one size."""
    return all("n_real" not in r for r in rows) or len({(r["n"], r["n_real"]) for r in rows}) == 1


def _apart(low, high):
    if low.get("better") not in ("higher", "lower") or not (low["ci95"] and high["ci95"]):
        return False
    if low["better"] == "higher":
        return high["ci95"][0] > low["ci95"][1]
    return high["ci95"][1] < low["ci95"][0]
