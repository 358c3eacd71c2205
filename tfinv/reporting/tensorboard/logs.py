"""What the writers of TensorBoard logs share: names of runs, and event files that replace their earlier selves."""

import os
import pathlib
import re
from collections.abc import Callable, Container, Mapping, Sequence

import tensorflow as tf

from tfinv.errors import expected
from tfinv.files import unwritable


def run_name(name: str, taken: Container[str] = ()) -> str:
    """A folder's name for a run: it does not lead out of the log folder, nor fall together with one that is taken."""
    stem = re.sub(r"[^\w.+=-]+", "_", name).strip("._")[:80] or "experiment"
    found, count = stem, 1
    while found in taken:
        count += 1
        found = f"{stem}_{count}"
    return found


def write_runs(
    logdir: str | os.PathLike, runs: Mapping[str, Sequence[Callable[[], object]]], suffix: str
) -> pathlib.Path:
    """Writes an event file for each run, and removes those of the same suffix that an earlier call wrote.

    Args:
      logdir: the folder for TensorBoard.
      runs: for each run's name the calls of `tf.summary` that fill it.
      suffix: of the event files.

    Raises:
      UserError: `logdir` cannot be written to.
    """
    logdir = pathlib.Path(logdir)
    earlier = list(logdir.glob(f"**/*{suffix}"))
    try:
        for name, writes in runs.items():
            with tf.summary.create_file_writer(str(logdir / name), filename_suffix=suffix).as_default():
                for write in writes:
                    write()
        for path in earlier:
            path.unlink()
    except OSError as error:
        raise unwritable(logdir, error) from error
    except tf.errors.OpError as error:
        raise expected("a folder that can be written to", f"{logdir} ({error.message})", "Change --logdir.") from error
    return logdir
