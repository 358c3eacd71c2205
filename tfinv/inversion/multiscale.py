"""Gradient inversion at several scales: a small image first, for the coarse shapes (arXiv 1906.06449)."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfinv.errors import expected
from tfinv.inversion.base import check_real, check_whole
from tfinv.inversion.descent import Descent
from tfinv.inversion.problem import Course, Problem, Reconstructions
from tfinv.inversion.processing import blur

_SMALLEST = 2  # pixels on a side of the smallest octave
_BLURRED = 3  # pixels that the blur needs


@dataclasses.dataclass(frozen=True)
class Multiscale(Descent):
    """Optimises octaves from small to large; each starts from a blend of the start at its size and the smaller octave's result.

    The starts of the octaves are made from large to small: blurred, then scaled down. In each, gradient steps are taken on an image
    of its size, which the model sees scaled up; the defaults are those of the authors' notebook, but for the steps' length: theirs
    are `loss=logit, optimiser=descent, rate=.01, alpha_norm=1, start=noise`. The last octave is plain gradient inversion, whose
    iterate of the lowest cost is returned.

    Attributes:
      steps: of all octaves together, divided evenly.
      octaves: at most so many; an image of 2 pixels on a side has no smaller one.
      factor: ratio of the sizes of neighbouring octaves.
      keep: share of the start in the blend; the rest is the smaller octave's result.
    """

    steps: int = 96
    octaves: int = 3
    factor: float = 2.0
    keep: float = 0.4

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 1, "octaves")
        check_real(self, 1, "factor", above=True)
        check_real(self, 0, "keep")
        if self.keep > 1:
            raise expected("keep of at most 1", self.keep, "Change the argument `keep`.")

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of each octave, from large to small; fewer octaves for a small image or few steps."""
        sizes = [(height, width)]
        for k in range(1, min(self.octaves, self.steps)):
            size = round(height / self.factor**k), round(width / self.factor**k)
            if min(sizes[-1]) < _BLURRED or min(size) < _SMALLEST or size == sizes[-1]:
                break
            sizes.append(size)
        return sizes

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Optimises the octaves, from small to large."""
        height, width = points.shape[1:3]
        sizes = self.sizes(height, width)
        starts = [points]
        for size in sizes[1:]:
            starts.append(_resize(blur(tf.constant(starts[-1])), size))
        remainder = self.steps % len(sizes)
        results: list[Reconstructions] = []
        for k in reversed(range(len(sizes))):
            octave = self._octave(self.steps // len(sizes) + (remainder if k == len(sizes) - 1 else 0), height, width)
            start = starts[k]
            if results:
                start = self.keep * start + (1 - self.keep) * _resize(results[-1].points, sizes[k])
            # Each octave has its own draws; the largest has those of plain gradient inversion.
            results.append(octave.optimise(dataclasses.replace(problem, seed=problem.seed + k), start))
        steps = np.sum([result.steps for result in results], axis=0)
        return dataclasses.replace(results[-1], steps=steps, course=_join(results))

    def _octave(self, steps: int, height: int, width: int) -> "_Octave":
        common = {f.name: getattr(self, f.name) for f in dataclasses.fields(Descent)} | {"steps": steps}
        return _Octave(**common, height=height, width=width)


@dataclasses.dataclass(frozen=True)
class _Octave(Descent):
    """Descent on images of another size than the model's, (height, width)."""

    height: int = 0
    width: int = 0

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) images at the model's size."""
        size = self.height, self.width
        return points if tuple(points.shape[1:3]) == size else tf.image.resize(points, size)


def _resize(images: np.ndarray | tf.Tensor, size: tuple[int, int]) -> np.ndarray:
    return tf.image.resize(images, size).numpy()


def _join(results: list[Reconstructions]) -> Course | None:
    """The courses of all octaves, one after the other."""
    courses = [result.course for result in results if result.course is not None]
    if not courses:
        return None
    # An octave that all rows ended early still counts in full, so that the steps of the records never fall.
    offsets = np.cumsum([0] + [int(course.steps[-1]) for course in courses[:-1]])
    steps = np.concatenate([course.steps + offset for course, offset in zip(courses, offsets, strict=True)])
    arrays = [np.concatenate([getattr(c, name) for c in courses]) for name in ("cost", "confidence", "images")]
    return Course(steps, *arrays)
