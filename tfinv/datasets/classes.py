"""Classes of a data set: their order, and their names matched with those of a model."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from tfinv.errors import UserError

_NUMBERED = re.compile(r"(\d+)[\s_.:,\-]+(.*\S)")
_SEPARATORS = re.compile(r"[\s_.\-]+")
_SHOWN = 12

# FER2013 as folders sorts otherwise than the numbers of its csv.
_FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class MismatchError(UserError):
    """Names of the data set's classes that can't be matched with the model's."""


def in_order(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names of class folders in the order of their labels, and notes on it.

    Names that are all whole numbers go by number, others by the alphabet, as Keras sorts all.
    """
    plain = tuple(sorted(names))
    if not all(_is_number(name) for name in plain):
        notes = []
        if {name.casefold() for name in plain} == set(_FER2013):
            notes = [
                "the folders are FER2013's expressions, here in the order of the alphabet, as Keras sorts them: for a model "
                f"trained on the numbers of fer2013.csv pass --class_names={','.join(_FER2013)}"
            ]
        return plain, tuple(notes)
    ordered = tuple(sorted(plain, key=lambda name: (int(name), name)))
    if ordered == plain:
        return ordered, ()
    note = (
        f"folders in the order of their numbers, {_list(ordered)}; Keras sorts them {_list(plain)}: for a model trained so pass "
        f"--class_names={','.join(plain)}"
    )
    return ordered, (note,)


def match(names: Sequence[str], class_names: Sequence[str], owner: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Matches the names of a data set's classes with a model's.

    Capitals, blanks, underscores, hyphens and points make no difference, nor does a number in front of a name: `03_Sea lion` is
    `sea-lion`. Names that are numbers only are those of the classes, from 0, if the model's are not numbers.

    Args:
      names: the data set's, each once; not all of the model's need be there.
      class_names: the model's, in the order of its outputs.
      owner: of whom the names are, for errors and notes, such as "class folders".

    Returns:
      (len(names),) the model's class of each; and notes on what is not plain.

    Raises:
      MismatchError: a name is none of the model's, or it is not clear which.
    """
    if all(_is_number(name) for name in names) and not all(_is_number(name) for name in class_names):
        numbers = np.array([int(name) for name in names], np.int64)
        first = int(numbers.max() == len(class_names) and numbers.min() >= 1)
        if numbers.max() - first >= len(class_names):
            raise _mismatch(names, class_names, owner, f"{numbers.max()} beyond the {len(class_names)} names")
        return numbers - first, (f"{owner} are taken as numbers of the model's classes, from {first}",)
    for keys in (_plain, _named):
        classes: dict[str, list[int]] = {}
        for label, name in enumerate(class_names):
            classes.setdefault(keys(name), []).append(label)
        candidates = [classes.get(keys(name), []) for name in names]
        labels = [numbers[0] for numbers in candidates if len(numbers) == 1]
        if len(set(labels)) == len(names):
            return np.array(labels, np.int64), ()
    absent = [name for name, numbers in zip(names, candidates, strict=True) if not numbers]
    unclear = [
        name
        for name, numbers in zip(names, candidates, strict=True)
        if len(numbers) > 1 or sum(numbers == other for other in candidates) > 1
    ]
    reason = f"none of the model's: {_list(absent)}" if absent else f"not clear which: {_list(unclear)}"
    raise _mismatch(names, class_names, owner, reason)


def order_note(names: Sequence[str], labels: np.ndarray) -> tuple[str, ...]:
    """Returns the phrase on classes that were matched by name, if that changed their numbers.

    Args:
      names: the data set's, in its own order.
      labels: (len(names),) the model's class of each.
    """
    if np.array_equal(labels, np.arange(len(labels))):
        return ()
    pairs = [f"{name} is {label}" for name, label in zip(names, labels, strict=True)]
    return (f"labels matched with the model's classes by name: {_list(pairs)}",)


def show(names: Sequence[str]) -> str:
    """Returns the numbers and names of classes as one line, shortened beyond 12: `0 cat, 1 dog`."""
    return _list([f"{label} {name}" for label, name in enumerate(names)])


def are_numbers(names: Sequence[str]) -> bool:
    """Whether names say nothing but the number of their class, from 0."""
    return list(names) == [str(label) for label in range(len(names))]


def text_labels(texts: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns labels that are texts as numbers, and the names of these, in the order of class folders.

    Args:
      texts: (n,) of text.
    """
    names, _ = in_order([str(name) for name in np.unique(texts)])
    numbers: Mapping[str, int] = {name: label for label, name in enumerate(names)}
    return np.array([numbers[str(text)] for text in texts], np.int64), names


def _mismatch(names: Sequence[str], class_names: Sequence[str], owner: str, reason: str) -> MismatchError:
    return MismatchError(
        f"Expected {owner} that can be told by the model's class names, {_list(class_names, 60)}. Received: {_list(names, 60)} "
        f"({reason}).",
        "Change --class_names to these names in the order of the model's outputs, or rename them.",
    )


def _plain(name: str) -> str:
    """The name without what makes no difference."""
    name = name.strip()
    return str(int(name)) if _is_number(name) else _SEPARATORS.sub("", name).casefold()


def _named(name: str) -> str:
    """The same, without a number in front."""
    numbered = _NUMBERED.fullmatch(name.strip())
    return _plain(numbered[2] if numbered else name)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _list(names: Sequence[str], most: int = _SHOWN) -> str:
    """The names as a text, shortened."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], "...", names[-1]]
    return ", ".join(shown)
