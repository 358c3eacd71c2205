"""Records whose membership an attack tells most surely, with their nearest other records, as arrays that views read."""

import dataclasses
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.membership.risk import RecordRisk, Stability, record_risk, stability

RECORDS, NEIGHBOURS = 10, 4
# Pairs of more targets would take minutes and change little.
_MOST_TARGETS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class AtRisk(RecordRisk):
    """The k records most at risk under one attack, with their figures of `RecordRisk`.

    Attributes:
      attack: its index.
      stability: agreement of the targets; None with too few of them.
      images: (k, 1 + m, H, W, 1 or 3) float in [0, 1], the record and its neighbours; None without images.
      neighbours: (k, m) indices of the nearest other records, of members and non-members; None without images.
      distances: (k, m) root-mean-square differences of their pixels; None without images.
    """

    attack: int
    stability: Stability | None = None
    images: np.ndarray | None = None
    neighbours: np.ndarray | None = None
    distances: np.ndarray | None = None

    def __post_init__(self):
        k = len(self.records)
        per_record = (self.rate, self.low, self.high, self.targets, self.false_alarms, self.place)
        shapes = {np.shape(a) for a in (self.records, *per_record)}
        if shapes != {(k,)}:
            raise expected(f"figures of shape ({k},) for {k} records at risk", sorted(shapes))
        if self.images is None:
            return
        pictures, neighbours, distances = (np.asarray(a) for a in (self.images, self.neighbours, self.distances))
        pairs = (k, pictures.shape[1] - 1) if pictures.ndim == 5 and len(pictures) == k else None
        if (neighbours.shape, distances.shape) != (pairs, pairs):
            received = (pictures.shape, neighbours.shape, distances.shape)
            raise expected(f"images of {k} records and of their neighbours, each with its index and distance", received)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns the fields that are there as arrays, by name."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["stability"] = None if self.stability is None else _to_array(self.stability)
        return {name: np.asarray(value) for name, value in fields.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "AtRisk":
        """Returns what `to_arrays` was called on.

        Raises:
          KeyError: a field is missing.
          TypeError: a field is of another kind.
          UserError: the arrays do not match.
        """
        optional = {"stability", "images", "neighbours", "distances"}
        names = [f.name for f in dataclasses.fields(cls)]
        values: dict[str, Any] = {n: arrays.get(n) if n in optional else arrays[n] for n in names}
        attack, fpr, agreement = int(values["attack"]), float(values["fpr"]), _from_array(values["stability"])
        return cls(**values | {"attack": attack, "fpr": fpr, "stability": agreement})


def find_at_risk(
    attack: int, scores: np.ndarray, members: np.ndarray, images: np.ndarray | None = None, count: int = RECORDS
) -> AtRisk:
    """Returns the records most at risk of those that a target was trained on.

    Args:
      attack: index of the attack.
      scores: (t, n) of each target and record.
      members: (t, n) whether the target was trained on the record.
      images: (n, H, W, 1 or 3) float in [0, 1] of the records, or None.
      count: of records, at most.

    Raises:
      UserError: see `tfinv.evaluation.membership.risk.record_risk`, or the images are not those of the records.
    """
    risk = record_risk(scores.T, members.T).first(count)
    agreement = stability(scores[:_MOST_TARGETS].T, members[:_MOST_TARGETS].T)
    pictures = {} if images is None else _pictures(risk.records, images, scores.shape[1])
    return AtRisk(**vars(risk), attack=attack, stability=agreement, **pictures)


def _pictures(records, images, n):
    images = np.asarray(images)
    if images.ndim != 4 or len(images) != n or images.dtype.kind != "f":
        raise expected(
            f"float images (n, H, W, C) of {n} records", f"{images.dtype} {images.shape}", "Change `images`."
        )
    from sklearn.neighbors import NearestNeighbors  # takes a second, and only commands come here

    pixels = images.reshape(n, -1)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, n), algorithm="brute").fit(pixels)
    nearest = search.kneighbors(pixels[records], return_distance=False)
    # A record is its own nearest, but not always the first: a duplicate is as near.
    others = [[j for j in row if j != i][: min(NEIGHBOURS, n - 1)] for i, row in zip(records, nearest, strict=True)]
    neighbours = np.array(others, np.int64).reshape(len(records), -1)
    differences = images[records][:, None].astype(np.float64) - images[neighbours]
    distances = np.sqrt(np.mean(differences**2, axis=(2, 3, 4)))
    shown = images[np.concatenate([records[:, None], neighbours], axis=1)].astype(np.float32)
    return {"images": shown, "neighbours": neighbours, "distances": distances}


def _to_array(agreement: Stability) -> np.ndarray:
    """The fields in their order, intervals as two numbers, NaN for none."""
    return np.array([x for value in dataclasses.astuple(agreement) for x in _numbers(value)], np.float64)


def _numbers(value):
    return (np.nan, np.nan) if value is None else value if isinstance(value, tuple) else (value,)


def _from_array(array: np.ndarray | None) -> Stability | None:
    if array is None:
        return None
    correlation, low, high, overlap, overlap_low, overlap_high, chance, top, pairs, targets = map(float, array)
    ends = (None if np.isnan(low) else (low, high)), (None if np.isnan(overlap_low) else (overlap_low, overlap_high))
    return Stability(correlation, ends[0], overlap, ends[1], chance, top, int(pairs), int(targets))
