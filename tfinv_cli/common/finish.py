"""The end of every command: results.json, the report, TensorBoard, the console."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

from tfinv.reporting import Results, print_results, write_html, write_tensorboard


def finish(
    results: Results,
    workdir: str | pathlib.Path,
    start: float,
    about: Mapping[str, Any] | None = None,
    *,
    verbose: bool = False,
) -> None:
    """Writes and prints the results, in at most 30 lines unless it is verbose; the report's path is the last one.

    Args:
      results: of the command.
      workdir: where everything goes.
      start: `time.perf_counter()` at its start.
      about: what a reader must know of model and images, for the environment of the results.
      verbose: whether to print all tables and checks.
    """
    folder = pathlib.Path(workdir)
    results.environment |= about or {}
    results.seconds = round(time.perf_counter() - start, 1)
    results.write(folder)
    write_tensorboard(results, folder, folder / "tensorboard")
    page = write_html(results, folder)
    print_results(results, verbose=verbose)
    print(f"\nResults: {folder / 'results.json'}\nTensorBoard: tensorboard --logdir {folder}")
    print(f"Report:\n{page}")


def say(line: str) -> None:
    """A line of progress on standard output, at once."""
    print(line, flush=True)


# Flags that do not change the results.
_PLACE = ("workdir", "data_dir", "workers", "scheduler", "distribution")


def identity(command: str, config: dict[str, Any], contents: dict[str, str]) -> dict[str, Any]:
    """The configuration that a workdir belongs to: all that the results depend on.

    Args:
      command: its name.
      config: the flags.
      contents: digests of the files and images that they name.
    """
    return {"command": command, **{k: v for k, v in config.items() if k not in _PLACE}, **contents}
