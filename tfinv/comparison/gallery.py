"""The pictures of a comparison of inversions: collected for one seed, then drawn."""

import pathlib
from collections.abc import Mapping

import numpy as np

from tfinv.datasets import Dataset
from tfinv.evaluation.measurement import CONVERGENCE, FRESH_DECODER
from tfinv.evaluation.reconstruction import TrainingSet, nearest_pixels
from tfinv.evaluation.references import CLASS_MEAN, START
from tfinv.reporting import Figure
from tfinv.reporting.figures import Neighbours, image_grid, neighbour_grid

SHOWN = 10  # classes in the pictures
HELD_OUT = "held-out image"
_SAID = " The row of the start is what the attack began with, on whichever model."


class Gallery:
    """Collects the pictures.

    Args:
      labels: the classes that are reconstructed, of which the first `SHOWN` are drawn.
      train: the training split, for names and neighbours.
      test: held-out images, for the fresh decoders.
      against: the class means.
      featured: a class of which each model's different samples stand side by side; None for none.
    """

    def __init__(
        self, labels: np.ndarray, train: Dataset, test: Dataset, against: TrainingSet, featured: int | None = None
    ):
        self._featured = featured
        self._samples: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        self._labels, self._train, self._test, self._against = labels[:SHOWN], train, test, against
        self._names = [train.class_names[k] for k in self._labels]
        self._grids: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        self._pairs: dict[str, list[Neighbours]] = {}
        self._shown = [int(np.flatnonzero(test.labels == k)[0]) for k in self._labels if np.any(test.labels == k)]
        self._decoded: dict[str, list[np.ndarray]] = {"image": [test.images[i] for i in self._shown]}

    def add(self, label: str, method: str, budget: str, found: Mapping[str, np.ndarray]) -> None:
        """Takes the first reconstruction of each class, and what it began with.

        Args:
          label: of the model.
          method: of the inversion.
          budget: likewise.
          found: "images", "starts" and "labels", as `judging.arrays_of` makes them.
        """
        images, labels = found["images"], found["labels"]
        first = [int(np.flatnonzero(labels == k)[0]) for k in self._labels]
        grid = self._grids.setdefault((method, budget), self._real())
        _add_row(grid, label, images[first], found["starts"][first])
        several = np.flatnonzero(labels == self._featured)[:SHOWN] if self._featured is not None else ()
        if len(several) > 1:
            samples = self._samples.setdefault((method, budget), {})
            _add_row(samples, label, images[several], found["starts"][several])
        if method == "gradient" and budget == CONVERGENCE:
            near = nearest_pixels(images[first], labels[first], self._against)
            self._pairs[label] = [
                Neighbours(images[i], [self._train.images[j]], [f"{j}: {d:.1f}"])
                for i, j, d in zip(first, near.indices, near.distances, strict=True)
            ][: SHOWN // 2]

    def _real(self) -> dict[str, list[np.ndarray]]:
        """The rows above those of models: what each class looks like."""
        real = {CLASS_MEAN: [self._against.class_means[k] for k in self._labels]}
        if len(self._shown) == len(self._labels):
            real[HELD_OUT] = [self._test.images[i] for i in self._shown]
        return real

    def add_decoded(self, label: str, images: np.ndarray) -> None:
        """Takes what a fresh decoder makes of the held-out images."""
        self._decoded[label] = [images[i] for i in self._shown]

    def draw(self, folder: pathlib.Path) -> list[Figure]:
        """Writes the figures under folder/figures."""
        figures = []

        def add(name, title, caption, write, grid, columns):
            path = pathlib.Path("figures") / f"{name}.png"
            write(grid, folder / path, columns=columns)
            figures.append(Figure(name, title, caption, str(path)))

        for (method, budget), grid in self._grids.items():
            add(
                f"{method}-{budget}",
                f"Reconstructions: {method}, {budget}",
                "One column a class; the first row is the mean of the class's training images, which no attacker saw."
                + (" The second is one of the held-out images." if HELD_OUT in grid else "")
                + (_SAID if START in grid else ""),
                image_grid,
                grid,
                self._names,
            )
        for (method, budget), samples in self._samples.items():
            add(
                f"{method}-{budget}-samples",
                f"Different samples of {self._train.class_names[int(self._featured or 0)]}: {method}, {budget}",
                "One row a model; each starts from another image." + (_SAID if START in samples else ""),
                image_grid,
                samples,
                [],
            )
        if self._pairs:
            add(
                "neighbours",
                "Reconstructions beside the nearest training image of the class",
                "Gradient inversion to convergence; below each training image its number and its L2 distance over pixels.",
                neighbour_grid,
                self._pairs,
                self._names[: SHOWN // 2],
            )
        if self._shown and len(self._decoded) > 1:
            add(
                FRESH_DECODER,
                "What a fresh decoder makes of the encoding of held-out images",
                "The first row is the image; each other row a decoder trained anew on that model's frozen encoder.",
                image_grid,
                self._decoded,
                [],
            )
        return figures


def _add_row(grid: dict[str, list[np.ndarray]], label: str, images: np.ndarray, starts: np.ndarray) -> None:
    """A model's images; above those of all models their starts, where these differ among themselves and not between models."""
    models = set(grid) - {CLASS_MEAN, HELD_OUT, START}
    if not models and not np.all(starts == starts[0]):
        grid[START] = list(starts)
    elif START in grid and not np.allclose(grid[START], starts, atol=1e-3):
        del grid[START]
    grid[label] = list(images)
