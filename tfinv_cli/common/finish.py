"""How every command ends: results.json, the report, TensorBoard, the console."""

import pathlib
import time
from typing import Any

from tfinv.reporting import Results, print_results, write_html, write_tensorboard


def finish(results: Results, workdir: str | pathlib.Path, begin: float) -> None:
    """Writes and prints the results; the report's path is the last line.

    Args:
      results: of the command.
      workdir: where everything goes.
      begin: `time.perf_counter()` at its start.
    """
    folder = pathlib.Path(workdir)
    results.seconds = round(time.perf_counter() - begin, 1)
    results.write(folder)
    write_tensorboard(results, folder, folder / "tensorboard")
    page = write_html(results, folder)
    print_results(results)
    print(f"\nResults: {folder / 'results.json'}\nTensorBoard: tensorboard --logdir {folder}")
    print(f"Report:\n{page}")


def say(line: str) -> None:
    """A line of progress on standard output, at once."""
    print(line, flush=True)


def without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    """The configuration less what does not change the results, such as the workdir's own path."""
    return {k: v for k, v in config.items() if k not in names}
