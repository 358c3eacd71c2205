"""Grids of one inversion: samples beside their class mean, and reconstructions beside their nearest training images."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfinv.errors import expected
from tfinv.reporting.figures import canvas, contrast
from tfinv.reporting.figures.grids import Strip, draw_grid

_MAX_ROWS = 40  # a taller picture is no longer looked at


@dataclasses.dataclass(frozen=True)
class RankedImages:
    """Training images nearest to each reconstruction, nearest first.

    Attributes:
      indices: (n, k) into the training set; -1 where there is none.
      similarities: (n, k), such as cosine similarities of features.
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
    """Draws one row per class: its name, the mean of its training images, and its reconstructions.

    Reconstructions that are mostly too dark or too dull to see are drawn once more, stretched; see `contrast`.

    Args:
      images: (n, H, W, C) float reconstructions in [0, 1].
      labels: (n,) class of each.
      class_means: (classes, H, W, C); NaN for a class without images, which leaves a gap.
      names: of the classes.
      path: PNG to write.
      samples: number of reconstructions per class at most; the first ones are drawn.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, there are more than 40 classes, or an image is of another kind.
    """
    labels = _check_labels(images, labels)
    classes = np.unique(labels)
    if len(classes) > _MAX_ROWS:
        raise expected(f"at most {_MAX_ROWS} classes in a picture", len(classes), "Draw a part of them.")
    drawn = {"inverted": images}
    if contrast.are_faint(images):
        drawn["inverted, contrast stretched"] = contrast.stretched(images)
    rows = []
    for k in classes:
        mean = class_means[k] if np.isfinite(class_means[k]).all() else None
        inverted = [Strip(tuple(pictures[labels == k][:samples])) for pictures in drawn.values()]
        rows.append((str(names[k]), [Strip((mean,)), *inverted]))
    return canvas.write(draw_grid(rows, ("class mean", *drawn), title), path)


def nearest_grid(
    images: np.ndarray,
    labels: np.ndarray,
    training_images: np.ndarray,
    training_labels: np.ndarray,
    any_class: RankedImages,
    same_class: RankedImages,
    names: Sequence[str],
    path: str | os.PathLike,
    *,
    title: str = "",
) -> pathlib.Path:
    """Draws one row per reconstruction: itself, framed, its nearest training images of any class, and those of its class.

    Under each training image are its index, its class and its similarity.

    Args:
      images: (n, H, W, C) float reconstructions in [0, 1], at most 40.
      labels: (n,) class of each.
      training_images: (m, H, W, C) float in [0, 1].
      training_labels: (m,).
      any_class: the nearest of all training images.
      same_class: the nearest of the reconstruction's class.
      names: of the classes.
      path: PNG to write.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw or too much, the sizes do not match, or an image is of another kind.
    """
    labels = _check_labels(images, labels)
    if len(images) > _MAX_ROWS:
        raise expected(f"at most {_MAX_ROWS} reconstructions in a picture", len(images), "Draw a part of them.")
    for ranked in (any_class, same_class):
        if len(ranked.indices) != len(images):
            raise expected(f"neighbours of {len(images)} reconstructions", len(ranked.indices))
        if ranked.indices.size and ranked.indices.max() >= len(training_images):
            raise expected(f"indices below {len(training_images)}", int(ranked.indices.max()))

    def strip(ranked: RankedImages, i: int) -> Strip:
        neighbours = [(int(j), float(s)) for j, s in zip(ranked.indices[i], ranked.similarities[i], strict=True)]
        captions = [f"no. {j}\n{names[training_labels[j]]}\n{s:.3f}" if j >= 0 else "" for j, s in neighbours]
        return Strip([training_images[j] if j >= 0 else None for j, _ in neighbours], captions)

    rows = [
        (str(names[k]), [Strip((image,), framed=True), strip(any_class, i), strip(same_class, i)])
        for i, (image, k) in enumerate(zip(images, labels, strict=True))
    ]
    columns = ("inverted", "nearest of any class", "nearest of its class")
    return canvas.write(draw_grid(rows, columns, title), path)


def _check_labels(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if not len(images) or labels.shape != (len(images),):
        raise expected(f"labels of shape ({len(images)},), at least 1", labels.shape)
    return labels
