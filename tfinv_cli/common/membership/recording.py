"""Records of `tfinv membership` in its workdir: the digests of all that its scores depend on, and the scores."""

import hashlib
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import files
from tfinv.comparison.membership.scoring import AttackScores
from tfinv.datasets import Dataset
from tfinv.reporting.results.scores import Scores
from tfinv_cli.common import target
from tfinv_cli.common.membership.examples import Examples


def digests(values: Any, examples: Examples) -> dict[str, str]:
    """Digests of all that the scores depend on, but for the flags.

    Args:
      values: the flags.
      examples: theirs.
    """
    contents = {"images_contents": examples.data.digest()}
    for flag in ("model", "null", "twin"):
        if getattr(values, flag):
            contents[f"{flag}_contents"] = target.model_digest(getattr(values, flag))
    if examples.members is not None:
        contents["members_contents"] = hashlib.sha256(examples.members.tobytes()).hexdigest()
    if examples.store is not None:
        folder = examples.store.folder
        parts = sorted([*folder.glob("*.npy"), *folder.glob("store.json"), *folder.glob("logits/*.npy")])
        lines = "".join(f"{part.name} {files.digest(part)}\n" for part in parts)
        contents["shadows_contents"] = hashlib.sha256(lines.encode()).hexdigest()
    return contents


def write_scores(folder: pathlib.Path, results: Sequence[AttackScores], data: Dataset, names: Sequence[str]) -> None:
    """Writes scores.npz, with the images of the records most at risk.

    Args:
      folder: where to.
      results: each attack on each target, all targets of an attack in the same order.
      data: the examples.
      names: of the classes.
    """
    by_attack: dict[str, list[AttackScores]] = {}
    for result in results:
        by_attack.setdefault(result.attack, []).append(result)
    scores = np.stack([np.stack([r.scores for r in group]) for group in by_attack.values()])
    members = np.stack([r.members for r in next(iter(by_attack.values()))])
    Scores(tuple(by_attack), scores, members, data.labels, classes=names).write(folder, data.images)
