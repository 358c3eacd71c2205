"""Measures of real images and of an attack's starts: rows of the method "reference", the two ends of a measure's scale."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.inversion.reconstruction import TrainingSet, measure
from tfinv.evaluation.statistics.measurement import HELD_OUT, REFERENCE, Measurement

CLASS_MEAN, START = "class mean", "start"


def measure_references(
    labels: np.ndarray, training_set: TrainingSet, held_out: Dataset, *, most: int = 20, seed: int = 0
) -> list[Measurement]:
    """Measures real held-out images and the class means in the way of reconstructions.

    Args:
      labels: (k,) the classes that are reconstructed.
      training_set: the training set and the evaluators.
      held_out: real images that neither the victim nor the evaluators trained on.
      most: largest number of held-out images of a class.
      seed: of the rows.

    Returns:
      Measurements with the method "reference", the budget "none", and as experiment "held-out images" (left out where no class
      has any) and "class mean". FID and PRDC can be read beside an attack's only where `n` and `n_real` are equal.
    """
    labels = np.unique(labels)
    chosen = np.concatenate([np.flatnonzero(held_out.labels == k)[:most] for k in labels])
    sets = {HELD_OUT: (held_out.images_at(chosen), held_out.labels[chosen])} if len(chosen) else {}
    sets[CLASS_MEAN] = training_set.class_means[labels], labels
    # The identifiers were trained on the held-out images, which are thus no reference for identification.
    without_identifiers = dataclasses.replace(training_set, identifiers={})
    return [
        measure(x, y, without_identifiers if name == HELD_OUT else training_set, experiment=name, **_keys(seed))
        for name, (x, y) in sets.items()
    ]


def measure_start(
    start: np.ndarray,
    labels: np.ndarray,
    training_set: TrainingSet,
    *,
    name: str = START,
    method: str | None = None,
    seed: int = 0,
) -> Measurement:
    """Measures an attack's starts as if they were its reconstructions.

    Args:
      start: (H, W, C) for all, or (n, H, W, C), in [0, 1].
      labels: (n,) the classes that are reconstructed.
      training_set: the training set and the evaluators.
      name: the row's experiment, such as "average image".
      method: the method that starts there; None for all methods whose own start is not among the rows.
      seed: of the rows.

    Raises:
      UserError: the start has another shape.
    """
    shape = (len(labels), *training_set.images.shape[1:])
    if np.shape(start) not in (shape, shape[1:]):
        raise expected(f"a start of shape {shape} or {shape[1:]}", np.shape(start), "Change the argument `start`.")
    keys = _keys(seed) | ({"of": method} if method else {})
    images = np.broadcast_to(np.asarray(start, np.float32), shape)
    return measure(images, labels, training_set, experiment=name, **keys)


def with_scale(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds `relative` to rows where it makes sense: the value on a scale from 0, the method's start, to 1, real held-out images.

    It makes sense where the measure distinguishes the two in its direction: the real images' interval lies on the better side of
    the start's. A distance over pixels often does not: a blurred average is nearer to everything than another photograph. A value
    below 0 is worse than the start; one above 1 is better than new photographs, as a copy of a training image is.

    Args:
      rows: of any kinds; those of kind "inversion" are scaled by the references among them.
    """
    ends: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        if row.get("method") == REFERENCE and row["experiment"] != CLASS_MEAN:
            end = HELD_OUT if row["experiment"] == HELD_OUT else START
            ends[(end, row.get("of"), *_measure_key(row))] = row
    scaled = []
    for row in rows:
        key = _measure_key(row)
        high = ends.get((HELD_OUT, None, *key))
        low = ends.get((START, row.get("method"), *key)) or ends.get((START, None, *key))
        attacked = row["kind"] == "inversion" and row["method"] != REFERENCE
        if attacked and low and high and _distinguishable(low, high) and _one_size(row, low, high):
            row = row | {"relative": (row["value"] - low["value"]) / (high["value"] - low["value"])}
        scaled.append(row)
    return scaled


def _keys(seed):
    return {"method": REFERENCE, "budget": "none", "seed": seed}


def _measure_key(row):
    return row.get("measure"), row.get("evaluator")


def _one_size(*rows):
    """Whether measures of sets (FID, PRDC) are of sets of one size."""
    return all("n_real" not in r for r in rows) or len({(r["n"], r["n_real"]) for r in rows}) == 1


def _distinguishable(low, high):
    """Whether the 95 % interval of `high` lies beyond that of `low` in the measure's direction."""
    if low.get("better") not in ("higher", "lower") or not (low["ci95"] and high["ci95"]):
        return False
    if low["better"] == "higher":
        return high["ci95"][0] > low["ci95"][1]
    return high["ci95"][1] < low["ci95"][0]
