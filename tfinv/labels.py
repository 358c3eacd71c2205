"""Labels: positions of examples within their class, and names of classes."""

import json
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from tfinv import paths
from tfinv.errors import expected


def order_in_class(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns the rank of each example within its class: (n,) int64, from 0, in the order of the array."""
    labels = np.asarray(labels)
    order = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        members = labels == label
        order[members] = np.arange(members.sum())
    return order


def first_of_each_class(labels: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Returns the indices of the first examples of each class, `count` in all, or one of each class if that is more.

    Args:
      labels: (n,) integers.
      count: number of examples.

    Returns:
      Indices in ascending order; all n if there are no more than `count`.
    """
    ranks = order_in_class(labels)
    count = max(count, int(np.sum(ranks == 0)))
    return np.sort(np.argsort(ranks, kind="stable")[:count])


def read_class_names(text: str) -> tuple[str, ...]:
    """Returns the names of classes in a list, separated by commas, or in a file, in the order of their numbers.

    A file has a name a line; the lines of Teachable Machine's labels.txt begin with the number of the class, which is left out if
    all lines do so. Or it is JSON: a list of names, an object of names by number, or one of numbers by name, as `class_indices` of
    Keras's generators.

    Raises:
      UserError: no names, the same one twice, or a file that is none of these.
    """
    file, hint = paths.expand(text), "Change class_names= or --class_names."
    is_file = os.path.isfile(file)  # False also for a list that is too long for the name of a file
    names = _names_in(file, hint) if is_file else [name.strip() for name in text.split(",")]
    if len(names) == 1 and not is_file:
        raise expected("class names separated by commas, or an existing file of them", text, hint)
    if len(set(names)) < max(2, len(names)) or "" in names:
        raise expected("two class names or more, each once", text, hint)
    return tuple(names)


def _names_in(file: pathlib.Path, hint: str) -> list[str]:
    """The names in a file."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise expected("a text file of class names in UTF-8", f"{file} ({error})", hint) from error
    if content.lstrip().startswith(("[", "{")):
        return _names_of_json(content, file, hint)
    names = [line.strip() for line in content.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(\d+)[ \t:,]+(.+)", name) for name in names]
    if all(numbered) and [int(match[1]) for match in numbered if match] == list(range(len(names))):
        names = [match[2].strip() for match in numbered if match]
    return names


def _names_of_json(content: str, file: pathlib.Path, hint: str) -> list[str]:
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        raise expected("a whole JSON file of class names", f"{file} ({error})", hint) from error
    numbers: dict[int, str] = {}
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value
    if isinstance(value, dict) and all(type(number) is int for number in value.values()):
        numbers = {number: name for name, number in value.items()}
    elif isinstance(value, dict) and all(re.fullmatch(r"\d+", n) and type(v) is str for n, v in value.items()):
        numbers = {int(number): name for number, name in value.items()}
    else:
        raise expected("a JSON list of class names, or an object of names and numbers", file, hint)
    if sorted(numbers) != list(range(len(value))):
        received = ", ".join(map(str, sorted(numbers)))
        raise expected(f"class names with the numbers 0 to {len(value) - 1}", f"{received} in {file}", hint)
    return [numbers[number] for number in range(len(numbers))]
