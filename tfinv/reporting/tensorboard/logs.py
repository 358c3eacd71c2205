"""Names of TensorBoard runs, and event files that replace those of an earlier call."""

import os
import pathlib
import re
from collections.abc import Callable, Container, Mapping, Sequence

import tensorflow as tf

from tfinv import paths
from tfinv.errors import expected
from tfinv.files import unwritable


def run_name(name: str, other_runs: Container[str] = ()) -> str:
    """Returns a folder name for a run, which stays inside the log folder and differs from those of other runs."""
    stem = re.sub(r"[^\w.+=-]+", "_", name).strip("._")[:80] or "experiment"
    folder, count = stem, 1
    while folder in other_runs:
        count += 1
        folder = f"{stem}_{count}"
    return folder


def write_runs(
    logdir: str | os.PathLike, runs: Mapping[str, Sequence[Callable[[], object]]], suffix: str
) -> pathlib.Path:
    """Writes an event file for each run, and removes those of the same suffix that an earlier call wrote.

    Args:
      logdir: folder for TensorBoard.
      runs: calls of `tf.summary`, by the name of the run that they write.
      suffix: of the event files.

    Raises:
      UserError: `logdir` cannot be written to.
    """
    logdir = paths.expand(logdir)
    earlier_files = list(logdir.glob(f"**/*{suffix}"))
    try:
        for name, writes in runs.items():
            with tf.summary.create_file_writer(str(logdir / name), filename_suffix=suffix).as_default():
                for write in writes:
                    write()
        for path in earlier_files:
            path.unlink()
    except OSError as error:
        raise unwritable(logdir, error) from error
    except tf.errors.OpError as error:
        raise expected("a folder that can be written to", f"{logdir} ({error.message})", "Change --logdir.") from error
    return logdir
