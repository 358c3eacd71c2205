"""A folder of shadows' logits that a user made: .npy files, and one that says who was in."""

import pathlib
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.membership.shadows.array_file import ArrayFile
from tfinv.membership.shadows.shadows import label_array, member_table

MEMBERS, LABELS = "members.npy", "labels.npy"
_FORM = (
    "A folder has members.npy (examples, shadows) of 0 and 1, labels.npy (examples,), and of each shadow, in the order of their "
    "names, an .npy file of logits (examples, classes) or (examples, queries, classes)."
)


def read_array(path: pathlib.Path) -> np.ndarray:
    """Reads a whole array.

    Raises:
      UserError: see `ArrayFile.open`.
    """
    return ArrayFile.open(path)[:]


def read_folder(folder: pathlib.Path, labels: Any = None) -> tuple[np.ndarray, np.ndarray, list[ArrayFile]]:
    """Reads a user's folder.

    Args:
      folder: it.
      labels: (n,) true classes, where the folder has no labels.npy.

    Returns:
      Labels (n,), members (n, S), and S files of logits (n, Q, K).

    Raises:
      UserError: a file is missing, not whole, or of another shape than the others.
    """
    paths = sorted(path for path in folder.glob("*.npy") if path.name not in (MEMBERS, LABELS))
    if not (folder / MEMBERS).exists() or not paths:
        absent = f"no {MEMBERS}" if paths else "no logits"
        raise expected("a store of shadows, or a folder of their logits", f"{folder} with {absent}", _FORM)
    members = member_table(read_array(folder / MEMBERS))
    if (folder / LABELS).exists():
        labels = read_array(folder / LABELS)
    elif labels is None:
        raise expected(f"{LABELS} in {folder}, or the argument labels", "neither", _FORM)
    classes = label_array(labels)
    logits = [ArrayFile.open(path).with_query() for path in paths]
    if members.shape != (len(classes), len(logits)):
        received = f"{members.shape} beside {len(classes)} labels and {len(logits)} files of logits"
        raise expected(f"{MEMBERS} of shape (examples, shadows)", received, _FORM)
    for file in logits:
        check_shape(file, (len(classes), *logits[0].shape[1:]), int(classes.max(initial=0)))
    return classes, members, logits


def check_shape(file: ArrayFile, shape: tuple[int, ...], label: int) -> None:
    """Raises UserError unless the file has logits of this shape, and classes for the largest label."""
    if len(file.shape) != 3 or file.shape != shape:
        expectation = f"logits of {shape[0]} examples, " + " and ".join(
            f"{size} {name}" for size, name in zip(shape[1:], ("queries", "classes"), strict=False)
        )
        raise expected(
            expectation, f"shape {file.shape} in {file.path}", "Use shadows of one architecture and data set."
        )
    if label >= shape[-1]:
        raise expected(f"labels below {shape[-1]}, the number of classes in {file.path}", label, "Change the labels.")
