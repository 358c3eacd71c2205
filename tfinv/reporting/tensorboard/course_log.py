"""The course of an inversion in TensorBoard: its images over the steps, cost and confidence as scalars."""

import functools
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.errors import expected
from tfinv.reporting import canvas
from tfinv.reporting.logs import run_name, write_runs
from tfinv.reporting.summary import Row, group, summarise

_SIDE = 96  # pixels at least, of the larger side of each image: smaller ones are enlarged by a whole factor
_EDGE = 2  # white pixels around each
_ABOUT = "Mean over the reconstructions and seeds. Set Smoothing to 0 to see the figures themselves."


def course_scalars(rows: Sequence[Row]) -> dict[str, list[Callable[[], Any]]]:
    """For each experiment the calls of `tf.summary` that write its course: `course <method> (<budget>)/cost` and `/confidence`.

    Args:
      rows: rows of kind "course"; rows that differ in the seed become their mean.
    """
    runs: dict[str, list[Callable[[], Any]]] = {}
    for (experiment, method, budget), some in group(rows, "experiment", "method", "budget").items():
        name = f"course {method} ({budget})" if budget else f"course {method}"
        for key in ("cost", "confidence"):
            for (step,), same in sorted(group(some, "step").items()):
                mean = summarise(same, key).mean
                if mean is not None:
                    write = functools.partial(tf.summary.scalar, f"{name}/{key}", mean, int(step), _ABOUT)
                    runs.setdefault(str(experiment), []).append(write)
    return runs


def write_course_images(
    logdir: str | os.PathLike, steps: np.ndarray, images: np.ndarray, *, run: str, tag: str
) -> pathlib.Path:
    """Writes the images of a course, one picture a step in which they lie side by side.

    A later call with the same run and tag replaces it; `write_tensorboard` leaves it alone. TensorBoard keeps ten
    steps of a tag unless it is started with `--samples_per_plugin=images=0`.

    Args:
      logdir: the folder for TensorBoard.
      steps: (k,) how many steps had run, rising.
      images: (k, m, H, W, C) float in [0, 1], of the same m reconstructions at each step.
      run: the experiment, as in its rows: images and scalars of one run are shown together.
      tag: of the pictures, such as the method.

    Returns:
      `logdir`.

    Raises:
      UserError: the shapes do not fit, an image is of another kind, or `logdir` cannot be written to.
    """
    steps, images = np.asarray(steps), np.asarray(images)
    if images.ndim != 5 or not images.size or steps.shape != (len(images),):
        raise expected("steps of shape (k,) and images of shape (k, m, H, W, C)", f"{steps.shape} and {images.shape}")
    writes = [
        functools.partial(tf.summary.image, tag, tiled(some)[np.newaxis], int(step))
        for step, some in zip(steps, images, strict=True)
    ]
    return write_runs(logdir, {run_name(run): writes}, f".tfinv-course-{run_name(f'{run}-{tag}')}")


def tiled(images: np.ndarray) -> np.ndarray:
    """Images side by side in rows of at most ten, enlarged by a whole factor.

    Args:
      images: (m, H, W, 1 or 3) float in [0, 1].

    Returns:
      One uint8 image (height, width, 1 or 3).

    Raises:
      UserError: an image is of another kind.
    """
    factor = max(1, math.ceil(_SIDE / max(images.shape[1:3])))
    shown = [np.round(255 * canvas.check_image(i, "the course")).astype(np.uint8) for i in images]
    grown = [
        np.pad(i.repeat(factor, 0).repeat(factor, 1), ((_EDGE,) * 2, (_EDGE,) * 2, (0, 0)), constant_values=255)
        for i in shown
    ]
    across = min(10, len(grown))
    grown += [np.full_like(grown[0], 255)] * (-len(grown) % across)
    return np.concatenate([np.concatenate(grown[i : i + across], axis=1) for i in range(0, len(grown), across)])
