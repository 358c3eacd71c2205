"""Interleaved timing, and how its figures are written."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def interleaved(
    contestants: dict[str, Callable[[], T]], repetitions: int, announce: Callable[[str], None]
) -> dict[str, tuple[list[float], list[T]]]:
    """Runs all contestants in turn, `repetitions` times over (A B C A B C ...), so that a slow minute hits each of them.

    Returns:
      For each, its seconds and what it returned, one of each a repetition.
    """
    found: dict[str, tuple[list[float], list[T]]] = {name: ([], []) for name in contestants}
    for repetition in range(repetitions):
        for name, run in contestants.items():
            gc.collect()
            begin = time.perf_counter()
            returned = run()
            seconds = time.perf_counter() - begin
            found[name][0].append(seconds)
            found[name][1].append(returned)
            announce(f"{name}: {seconds:.2f} s ({repetition + 1} of {repetitions})")
    return found


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """The median, and the least and largest value if there are several: `120 (110-130)`."""
    middle = format(statistics.median(values), form)
    if len(values) < 2:
        return middle
    return f"{middle} ({format(min(values), form)}-{format(max(values), form)})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Of what was measured in the same repetition, for a drift of the machine cancels there."""
    return [a / b for a, b in zip(above, below, strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
