"""Progress on the console: a bar with the robust accuracy so far, silent where nobody looks, and lines of a training."""

import contextlib
import sys
import time
from collections.abc import Iterator

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfinv.evaluation.robustness.accuracy import Progress as Callback

_INTERVAL = 10.0  # seconds between two lines


class TrainingLines(keras.callbacks.Callback):
    """Callback that says when a training begins, how far it is every ten seconds, and how it ended.

    Args:
      name: of the network.
      images: number of images that it is trained on.
    """

    def __init__(self, name: str, images: int):
        super().__init__()
        self._name, self._images, self._epoch = name, images, 0
        self._start = self._latest = time.perf_counter()

    def on_train_begin(self, logs=None):
        """Says what is trained."""
        self._start = self._latest = time.perf_counter()
        self._say(f"{self.params['epochs']} epochs of {self._images} images")

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        """Says how far the training is, if it is time."""
        if time.perf_counter() - self._latest >= _INTERVAL:
            steps = f" of {self.params['steps']}" if self.params.get("steps") else ""
            self._say(f"epoch {self._epoch} of {self.params['epochs']}, step {batch + 1}{steps}{_accuracy(logs)}")

    def on_train_end(self, logs=None):
        """Says how it ended."""
        self._say(f"trained in {time.perf_counter() - self._start:.0f} s{_accuracy(logs)}")

    def _say(self, line):
        self._latest = time.perf_counter()
        print(f"  {self._name}: {line}", flush=True)


def _accuracy(logs):
    return f", accuracy {100 * float(logs['accuracy']):.1f} %" if logs and "accuracy" in logs else ""


@contextlib.contextmanager
def robust_so_far(total: int) -> Iterator[Callback]:
    """Yields the callback of `accuracy_curve` that moves the bar.

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

        def show(done: int, _: int, accuracies: dict[tuple[str, float], float]) -> None:
            latest: dict[str, str] = {}
            for (name, eps), accuracy in accuracies.items():
                latest[name] = f"{latest.get(name, '')} {100 * accuracy:.1f} % at {eps:g},".lstrip()
            text = "; ".join(f"{name}: {line.rstrip(',')}" for name, line in latest.items())
            bar.update(task, completed=done, description=text.replace("[", "\\["))

        yield show
