"""Interleaved timing, and the format of its figures."""

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
      For each contestant, its seconds and its results, one of each a repetition.
    """
    measurements: dict[str, tuple[list[float], list[T]]] = {name: ([], []) for name in contestants}
    for repetition in range(repetitions):
        for name, run in contestants.items():
            gc.collect()
            start = time.perf_counter()
            result = run()
            seconds = time.perf_counter() - start
            measurements[name][0].append(seconds)
            measurements[name][1].append(result)
            announce(f"{name}: {seconds:.2f} s ({repetition + 1} of {repetitions})")
    return measurements


def median_and_range(values: Sequence[float], form: str = ".0f") -> str:
    """Formats the median, and the range if there are several values: `120 (110-130)`."""
    median = format(statistics.median(values), form)
    if len(values) < 2:
        return median
    return f"{median} ({format(min(values), form)}-{format(max(values), form)})"


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Divides values of the same repetition, where a drift of the machine cancels."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
