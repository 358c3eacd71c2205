"""Course of an inversion in TensorBoard: images over the steps, cost and confidence as scalars."""

import functools
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.results.summary import Row, group, summarise
from tfinv.reporting.tensorboard.logs import run_name, write_runs

_MIN_SIDE = 96  # pixels; an image whose larger side is below is enlarged by a whole factor
_EDGE = 2  # white pixels around each image
_ABOUT = "Mean over the reconstructions and seeds. Set Smoothing to 0 to see the figures themselves."


def course_scalars(rows: Sequence[Row]) -> dict[str, list[Callable[[], Any]]]:
    """Returns for each experiment the calls of `tf.summary` that write its course.

    The tags are `course <method> (<budget>)/cost` and `course <method> (<budget>)/confidence`.

    Args:
      rows: rows of kind "course"; those that differ only in the seed are averaged.
    """
    runs: dict[str, list[Callable[[], Any]]] = {}
    for (experiment, method, budget), course in group(rows, "experiment", "method", "budget").items():
        name = f"course {method} ({budget})" if budget else f"course {method}"
        for key in ("cost", "confidence"):
            for (step,), step_rows in sorted(group(course, "step").items()):
                mean = summarise(step_rows, key).mean
                if mean is not None:
                    write = functools.partial(tf.summary.scalar, f"{name}/{key}", mean, int(step), _ABOUT)
                    runs.setdefault(str(experiment), []).append(write)
    return runs


def write_course_images(
    logdir: str | os.PathLike, steps: np.ndarray, images: np.ndarray, *, run: str, tag: str
) -> pathlib.Path:
    """Writes the images of a course: one picture per step, with all images side by side.

    A later call with the same run and tag replaces them; `write_tensorboard` keeps them. TensorBoard loads ten steps of a tag
    unless it is started with `--samples_per_plugin=images=0`.

    Args:
      logdir: folder for TensorBoard.
      steps: (k,) number of steps run, rising.
      images: (k, m, H, W, C) float in [0, 1], of the same m reconstructions at each step.
      run: name of the experiment, as in its rows, so that TensorBoard shows images and scalars together.
      tag: of the pictures, such as the method.

    Returns:
      `logdir`.

    Raises:
      UserError: the shapes do not match, an image is of another kind, or `logdir` cannot be written to.
    """
    steps, images = np.asarray(steps), np.asarray(images)
    if images.ndim != 5 or not images.size or steps.shape != (len(images),):
        raise expected("steps of shape (k,) and images of shape (k, m, H, W, C)", f"{steps.shape} and {images.shape}")
    writes = [
        functools.partial(tf.summary.image, tag, tile(step_images)[np.newaxis], int(step))
        for step, step_images in zip(steps, images, strict=True)
    ]
    return write_runs(logdir, {run_name(run): writes}, f".tfinv-course-{run_name(f'{run}-{tag}')}")


def tile(images: np.ndarray) -> np.ndarray:
    """Places images side by side in rows of at most ten, enlarged by a whole factor.

    Args:
      images: (m, H, W, 1 or 3) float in [0, 1].

    Returns:
      One uint8 image (height, width, 1 or 3).

    Raises:
      UserError: an image is of another kind.
    """
    scale = max(1, math.ceil(_MIN_SIDE / max(images.shape[1:3])))
    pixels = [np.round(255 * canvas.check_image(i, "the course")).astype(np.uint8) for i in images]
    tiles = [
        np.pad(i.repeat(scale, 0).repeat(scale, 1), ((_EDGE,) * 2, (_EDGE,) * 2, (0, 0)), constant_values=255)
        for i in pixels
    ]
    columns = min(10, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])
