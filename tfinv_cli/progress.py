"""A progress bar with the robust accuracy so far; silent where nobody looks."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfinv.evaluation.robustness import Progress as Callback


@contextlib.contextmanager
def robust_so_far(total: int) -> Iterator[Callback]:
    """Yields what `accuracy_curve` tells of its progress.

    Args:
      total: images.
    """
    columns = (
        TextColumn("images"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    with bar:
        task = bar.add_task("", total=total)

        def show(done: int, _: int, found: dict[tuple[str, float], float]) -> None:
            latest: dict[str, str] = {}
            for (name, eps), accuracy in found.items():
                latest[name] = f"{latest.get(name, '')} {100 * accuracy:.1f} % at {eps:g},".lstrip()
            text = "; ".join(f"{name}: {line.rstrip(',')}" for name, line in latest.items())
            bar.update(task, completed=done, description=text.replace("[", "\\["))

        yield show
