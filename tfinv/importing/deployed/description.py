"""The description of a deployed file as a `Loaded`: how many images it takes at once, its class names, and what is said of both."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfinv.errors import expected
from tfinv.importing.deployed import black_box
from tfinv.importing.loaded import Loaded


class Runner(Protocol):
    """A model in its runtime.

    Attributes:
      shape: of one image; sizes may be None.
      size: of the file's own batch; 1 if it takes any.
    """

    shape: black_box.Shape
    size: int

    def any_number(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts several images at once: (n, ...) float32 to the outputs."""

    def one_size(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts as `any_number` does, in batches of the file's own size."""


def describe(
    runner: Runner,
    outputs: Sequence[black_box.Output],
    *,
    runtime: str,
    class_names: Sequence[str] | None,
    source: str,
    notes: Sequence[str] = (),
    **fields: Any,
) -> Loaded:
    """Returns the black box of a runner.

    Args:
      runner: the model.
      outputs: of the model.
      runtime: kind of file, runtime and version, for the first note.
      class_names: in the file, or None.
      source: where they come from, for their note.
      notes: about the input.
      **fields: of `Loaded`: bounds and preprocessing.

    Raises:
      UserError: no output has scores, but only the number of a class.
    """
    scores = [output for output in outputs if not output.is_label]
    labels = [output.name for output in outputs if output.is_label]
    if not scores:
        raise expected(
            "an output with scores of the classes",
            f"{runtime}, whose output {', '.join(labels)} is the number of a class",
            "Convert the model without its argmax.",
        )

    def of_scores(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [array for array, output in zip(arrays, outputs, strict=True) if not output.is_label]

    batches = black_box.takes_batches(runner.any_number, runner.one_size, runner.shape)
    predict = runner.any_number if batches else runner.one_size
    names, names_notes = fitting_names(class_names, scores, source)
    return Loaded(
        call=black_box.tensor_function(lambda x: of_scores(predict(x)), scores),
        input_shape=runner.shape,
        differentiable=False,
        notes=(
            f"{runtime}: a black box, without gradients",
            *([] if batches else [_batch_note(runner.size)]),
            *notes,
            *(f"output {name} left out: it is the number of a class" for name in labels),
            *(note for output in scores for note in output.notes),
            *names_notes,
        ),
        class_names=names,
        **fields,
    )


def _batch_note(size: int) -> str:
    return f"images {'one at a time' if size == 1 else f'in batches of {size}'}, since the file takes no other number"


def line_names(text: str) -> tuple[str, ...]:
    """Returns the class names in a text with one a line, without the numbers that some tools put in front of all of them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(\d+)[ \t:,]+(.+)", line) for line in lines]
    if all(numbered) and [int(match[1]) for match in numbered if match] == list(range(len(lines))):
        return tuple(match[2].strip() for match in numbered if match)
    return tuple(lines)


def literal_names(text: str) -> tuple[str, ...] | None:
    """Returns the class names in a list, or in a dictionary by number, of JSON or of Python; None if it is neither."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            numbered = {str(key): name for key, name in value.items()}
            value = [numbered.get(str(number)) for number in range(len(numbered))]
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) and name for name in value):
            return tuple(value)
    return None


def fitting_names(
    names: Sequence[str] | None, outputs: Sequence[black_box.Output], source: str
) -> tuple[Any, tuple[str, ...]]:
    """Returns class names if an output has as many classes, else None, and a note about them.

    Args:
      names: in the file, or None.
      outputs: of the model.
      source: where they come from, for the note.
    """
    if not names:
        return None, ()
    counts = [output.scores_shape[-1] for output in outputs if output.scores_shape]
    classes = [2 if count == 1 else count for count in counts]
    if len(names) not in classes or len(set(names)) < len(names):
        return None, (f"the {len(names)} names in {source} are not those of the classes, and not used",)
    return tuple(names), (f"class names from {source}",)
