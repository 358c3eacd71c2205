"""Grids of one inversion: each class's samples beside its mean, each reconstruction beside the training images nearest to it."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfinv.errors import expected
from tfinv.reporting import canvas
from tfinv.reporting.grids import Strip, draw_grid

_MOST = 40  # rows; a taller picture is no longer looked at


@dataclasses.dataclass(frozen=True)
class Ranked:
    """The training images nearest to each reconstruction, the nearest first.

    Attributes:
      indices: (n, k) into the training set; -1 where there is none.
      similarities: (n, k), such as the cosine of the features.
    """

    indices: np.ndarray
    similarities: np.ndarray

    def __post_init__(self):
        shape = np.shape(self.indices)
        if len(shape) != 2 or shape != np.shape(self.similarities):
            received = f"{shape} and {np.shape(self.similarities)}"
            raise expected("indices and similarities of one shape (n, k)", received)


def class_grid(
    images: np.ndarray,
    labels: np.ndarray,
    class_means: np.ndarray,
    names: Sequence[str],
    path: str | os.PathLike,
    *,
    samples: int = 8,
    title: str = "",
) -> pathlib.Path:
    """Draws one row a class: its name, the mean of its training images, and its reconstructions.

    Args:
      images: (n, H, W, C) float reconstructions in [0, 1].
      labels: (n,) the class of each.
      class_means: (classes, H, W, C); NaN for a class without images, which leaves a gap.
      names: of the classes.
      path: the PNG to write.
      samples: at most so many of a class, the first ones.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, there are more than 40 classes, or an image is of another kind.
    """
    labels = _labels(images, labels)
    classes = np.unique(labels)
    if len(classes) > _MOST:
        raise expected(f"at most {_MOST} classes in a picture", len(classes), "Draw a part of them.")
    rows = []
    for k in classes:
        mean = class_means[k] if np.isfinite(class_means[k]).all() else None
        rows.append((str(names[k]), [Strip((mean,)), Strip(tuple(images[labels == k][:samples]))]))
    return canvas.write(draw_grid(rows, ("class mean", "inverted"), title), path)


def nearest_grid(
    images: np.ndarray,
    labels: np.ndarray,
    training_images: np.ndarray,
    training_labels: np.ndarray,
    any_class: Ranked,
    same_class: Ranked,
    names: Sequence[str],
    path: str | os.PathLike,
    *,
    title: str = "",
) -> pathlib.Path:
    """Draws one row a reconstruction: itself, framed, the nearest training images of any class, and of its class.

    Under each training image are its index, its class and its similarity.

    Args:
      images: (n, H, W, C) float reconstructions in [0, 1], at most 40.
      labels: (n,) the class of each.
      training_images: (m, H, W, C) float in [0, 1].
      training_labels: (m,).
      any_class: of (n, k) nearest among all of them.
      same_class: of (n, k) nearest among those of the reconstruction's class.
      names: of the classes.
      path: the PNG to write.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw or too much, the sizes do not fit, or an image is of another kind.
    """
    labels = _labels(images, labels)
    if len(images) > _MOST:
        raise expected(f"at most {_MOST} reconstructions in a picture", len(images), "Draw a part of them.")
    for ranked in (any_class, same_class):
        if len(ranked.indices) != len(images):
            raise expected(f"neighbours of {len(images)} reconstructions", len(ranked.indices))
        if ranked.indices.size and ranked.indices.max() >= len(training_images):
            raise expected(f"indices below {len(training_images)}", int(ranked.indices.max()))

    def neighbours(ranked: Ranked, i: int) -> Strip:
        found = [(int(j), float(s)) for j, s in zip(ranked.indices[i], ranked.similarities[i], strict=True)]
        shown = [training_images[j] if j >= 0 else None for j, _ in found]
        captions = [f"no. {j}\n{names[training_labels[j]]}\n{s:.3f}" if j >= 0 else "" for j, s in found]
        return Strip(shown, captions)

    rows = [
        (str(names[k]), [Strip((image,), framed=True), neighbours(any_class, i), neighbours(same_class, i)])
        for i, (image, k) in enumerate(zip(images, labels, strict=True))
    ]
    heads = ("inverted", "nearest of any class", "nearest of its class")
    return canvas.write(draw_grid(rows, heads, title), path)


def _labels(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if not len(images) or labels.shape != (len(images),):
        raise expected(f"labels of shape ({len(images)},), at least 1", labels.shape)
    return labels
