"""Scores of membership attacks, `scores.npz` beside `results.json`: what the rows measure, and the figures draw."""

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.evaluation.membership import roc
from tfinv.reporting.results.at_risk import AtRisk, find_at_risk

FILENAME = "scores.npz"
_MAX_BYTES = 2**30  # a larger file would fill the memory
_HINT = "Run the command again."
_PREFIX = "at_risk_"


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Scores that attacks gave to the same records of the same targets.

    Attributes:
      attacks: (a,) names, as in the rows.
      scores: (a, t, n) float64, the higher the likelier a member; (a, n) is taken as that of a single target.
      members: (t, n) bool, whether the target was trained on the record; (n,) likewise.
      labels: (n,) classes.
      experiments: (a,) of each line of scores, as in the rows; none if there is only one.
      classes: names of the classes; their numbers if there are none.
      at_risk: the records most at risk; `write` finds them.
    """

    attacks: Sequence[str]
    scores: np.ndarray
    members: np.ndarray
    labels: np.ndarray
    experiments: Sequence[str] = ()
    classes: Sequence[str] = ()
    at_risk: AtRisk | None = None

    def __post_init__(self):
        scores, members = np.asarray(self.scores, np.float64), np.asarray(self.members, bool)
        scores = scores[:, None] if scores.ndim == 2 else scores
        members = np.atleast_2d(members)
        a = len(self.attacks)
        if scores.ndim != 3 or not scores.size or len(scores) != a or scores.shape[1:] != members.shape:
            raise expected(
                "scores (attacks, targets, records) or (attacks, records), and whether each record is a member",
                f"{scores.shape} of {a} attacks, and {members.shape}",
                "Change `scores` or `members`.",
            )
        if np.isnan(scores).any():
            raise expected("scores that are numbers", f"{int(np.isnan(scores).sum())} NaN", "Change `scores`.")
        if not (members.any(1) & ~members.all(1)).all():
            raise expected("members and non-members of each target", "one without", "Change `members`.")
        labels = np.asarray(self.labels)
        if labels.shape != members.shape[1:] or labels.dtype.kind not in "iu" or (labels < 0).any():
            raise expected(f"labels ({members.shape[1]},)", f"{labels.dtype} {labels.shape}", "Change `labels`.")
        if self.classes and labels.max() >= len(self.classes):
            raise expected("a name for each class", f"{len(self.classes)} for class {labels.max()}")
        if self.experiments and len(self.experiments) != a:
            raise expected(f"an experiment for each of {a} attacks", len(self.experiments), "Change `experiments`.")
        if self.at_risk is not None:
            _check_indices(self.at_risk, a, len(labels))
        texts = {f: tuple(map(str, getattr(self, f))) for f in ("attacks", "experiments", "classes")}
        values = {"scores": scores, "members": members, "labels": labels.astype(np.int64), **texts}
        for name, value in (values | {"experiments": texts["experiments"] or ("",) * a}).items():
            object.__setattr__(self, name, value)

    @property
    def targets(self) -> int:
        """Number of targets."""
        return len(self.members)

    def split(self, attack: int, target: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the scores of a target's members and of its non-members under the attack of that index."""
        scores, members = self.scores[attack, target], self.members[target]
        return scores[members], scores[~members]

    def tpr(self, attack: int, fpr: float = 0.01) -> float:
        """Returns the TPR at an FPR by the step rule, as the mean over the targets."""
        return float(np.mean([roc.tpr_at_fpr(*self.split(attack, t), fpr) for t in range(self.targets)]))

    def auc(self, attack: int) -> float:
        """Returns the AUC, as the mean over the targets."""
        return float(np.mean([roc.auc(*self.split(attack, t)) for t in range(self.targets)]))

    def strongest(self) -> int:
        """Returns the index of the attack with the highest TPR at an FPR of 1 %; of several the one with the highest AUC."""
        return max(range(len(self.attacks)), key=lambda a: (self.tpr(a), self.auc(a)))

    def full_name(self, attack: int) -> str:
        """Returns the name of an attack, with its experiment where there are several."""
        several = len(set(self.experiments)) > 1
        return f"{self.attacks[attack]} on {self.experiments[attack]}" if several else self.attacks[attack]

    def class_name(self, record: int) -> str:
        """Returns the name of a record's class."""
        label = int(self.labels[record])
        return self.classes[label] if self.classes else str(label)

    def write(self, workdir: str | os.PathLike, images: np.ndarray | None = None) -> pathlib.Path:
        """Writes `scores.npz` into `workdir`, whole or not at all, with the records most at risk under the strongest attack.

        Args:
          workdir: folder of the results.
          images: (n, H, W, 1 or 3) float in [0, 1] of all records. The file gets those most at risk and their neighbours.

        Returns:
          Its path.

        Raises:
          UserError: the images are not those of the records, or the folder cannot be written to.
        """
        attack = self.strongest()
        at_risk = self.at_risk or find_at_risk(attack, self.scores[attack], self.members, images)
        arrays: dict[str, Any] = {f: np.asarray(getattr(self, f)) for f in ("scores", "members", "labels")}
        arrays |= {f: np.array(getattr(self, f), np.str_) for f in ("attacks", "experiments", "classes")}
        arrays |= {_PREFIX + name: value for name, value in at_risk.to_arrays().items()}
        path = paths.expand(workdir) / FILENAME
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **arrays)
        return path

    @classmethod
    def read(cls, workdir: str | os.PathLike) -> "Scores | None":
        """Reads the `scores.npz` of a folder; None if there is none.

        Raises:
          UserError: it leads out of the folder, is too large or damaged, or its arrays do not match.
        """
        root = paths.expand(workdir).resolve()
        path = root / FILENAME
        if not path.exists():
            return None
        if not path.resolve().is_relative_to(root):
            raise expected("scores inside the work folder", path)
        _check_size(path)
        arrays = files.read_arrays(path, "a whole .npz file of scores", _HINT)
        at_risk = {k.removeprefix(_PREFIX): v for k, v in arrays.items() if k.startswith(_PREFIX)}
        try:
            texts: Any = {f: tuple(map(str, arrays[f].tolist())) for f in ("attacks", "experiments", "classes")}
            scores = cls(scores=arrays["scores"], members=arrays["members"], labels=arrays["labels"], **texts)
            return dataclasses.replace(scores, at_risk=AtRisk.from_arrays(at_risk)) if at_risk else scores
        except (KeyError, TypeError, ValueError) as error:
            raise expected(f"scores as a membership command writes them, in {path}", f"{error}", _HINT) from error


def _check_indices(at_risk: AtRisk, attacks: int, records: int) -> None:
    """Refuses indices of attacks or records that do not exist."""
    neighbours = () if at_risk.neighbours is None else at_risk.neighbours
    indices = np.concatenate([np.ravel(at_risk.records), np.ravel(neighbours)]).astype(np.int64)
    if not 0 <= at_risk.attack < attacks or (indices < 0).any() or (indices >= records).any():
        raise expected(f"records at risk of {records} and an attack of {attacks}", f"attack {at_risk.attack}", _HINT)


def _check_size(path: pathlib.Path) -> None:
    """Refuses a file that would unpack to more than the memory should hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise expected("a whole .npz file of scores", f"{path} ({error})", _HINT) from error
    if size > _MAX_BYTES:
        raise expected(f"scores of at most {_MAX_BYTES >> 20} MiB", f"{path} of {size >> 20} MiB")
