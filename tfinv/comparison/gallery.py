"""The pictures of a comparison of inversions: collected for one seed, then drawn."""

import pathlib
from collections.abc import Mapping

import numpy as np

from tfinv.datasets import Dataset
from tfinv.evaluation.inversion.reconstruction import TrainingSet, nearest_pixels
from tfinv.evaluation.inversion.references import CLASS_MEAN, START
from tfinv.evaluation.statistics.measurement import CONVERGENCE, FRESH_DECODER
from tfinv.reporting import Figure
from tfinv.reporting.figures import Neighbours, contrast, image_grid, neighbour_grid

MAX_COLUMNS = 10  # classes or samples in a picture
HELD_OUT = "held-out image"
_START_NOTE = " The row of the start is what the attack began with, on whichever model."


class Gallery:
    """Collector of the pictures of a comparison.

    Args:
      classes: the classes that are reconstructed, of which the first `MAX_COLUMNS` are drawn.
      train: the training split, for names and neighbours.
      test: held-out images, for the fresh decoders.
      training_set: holds the class means.
      featured: a class whose samples are drawn side by side, one row a model; None for none.
    """

    def __init__(
        self, classes: np.ndarray, train: Dataset, test: Dataset, training_set: TrainingSet, featured: int | None = None
    ):
        self._featured = featured
        self._samples: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        self._classes, self._train, self._test, self._training_set = classes[:MAX_COLUMNS], train, test, training_set
        self._names = [train.class_names[k] for k in self._classes]
        self._grids: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        self._pairs: dict[str, list[Neighbours]] = {}
        # Rows of the first held-out image of each class that has any.
        self._held_out = [int(np.flatnonzero(test.labels == k)[0]) for k in self._classes if np.any(test.labels == k)]
        self._decoded: dict[str, list[np.ndarray]] = {"image": [test.images[i] for i in self._held_out]}

    def add(self, label: str, method: str, budget: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds the first reconstruction of each class, and its start.

        Args:
          label: of the model.
          method: of the inversion.
          budget: of the inversion.
          arrays: "images", "starts" and "labels", as `evaluators.to_arrays` makes them.
        """
        images, starts, labels = arrays["images"], arrays["starts"], arrays["labels"]
        first = [int(np.flatnonzero(labels == k)[0]) for k in self._classes]
        grid = self._grids.setdefault((method, budget), self._real_rows())
        _add_row(grid, label, images[first], starts[first])
        samples = np.flatnonzero(labels == self._featured)[:MAX_COLUMNS] if self._featured is not None else ()
        if len(samples) > 1:
            _add_row(self._samples.setdefault((method, budget), {}), label, images[samples], starts[samples])
        if method == "gradient" and budget == CONVERGENCE:
            nearest = nearest_pixels(images[first], labels[first], self._training_set)
            self._pairs[label] = [
                Neighbours(images[i], [self._train.images[j]], [f"{j}: {d:.1f}"])
                for i, j, d in zip(first, nearest.indices, nearest.distances, strict=True)
            ][: MAX_COLUMNS // 2]

    def _real_rows(self) -> dict[str, list[np.ndarray]]:
        """Returns the rows above the models': the mean, and a real image, of each class."""
        rows = {CLASS_MEAN: [self._training_set.class_means[k] for k in self._classes]}
        if len(self._held_out) == len(self._classes):
            rows[HELD_OUT] = [self._test.images[i] for i in self._held_out]
        return rows

    def add_decoded(self, label: str, images: np.ndarray) -> None:
        """Adds a fresh decoder's reconstructions of the held-out images."""
        self._decoded[label] = [images[i] for i in self._held_out]

    def draw(self, folder: pathlib.Path) -> list[Figure]:
        """Writes the figures under folder/figures."""
        figures = []

        def draw_figure(name, title, caption, write, grid, columns):
            path = pathlib.Path("figures") / f"{name}.png"
            write(grid, folder / path, columns=columns)
            figures.append(Figure(name, title, caption, str(path)))

        for (method, budget), grid in self._grids.items():
            draw_figure(
                f"{method}-{budget}",
                f"Reconstructions: {method}, {budget}",
                "One column a class; the first row is the mean of the class's training images, which no attacker saw."
                + (" The second is one of the held-out images." if HELD_OUT in grid else "")
                + (_START_NOTE if START in grid else ""),
                image_grid,
                grid,
                self._names,
            )
        for (method, budget), samples in self._samples.items():
            draw_figure(
                f"{method}-{budget}-samples",
                f"Different samples of {self._train.class_names[int(self._featured or 0)]}: {method}, {budget}",
                "One row a model; each starts from another image." + (_START_NOTE if START in samples else ""),
                image_grid,
                samples,
                [],
            )
        if self._pairs:
            draw_figure(
                "neighbours",
                "Reconstructions beside the nearest training image of the class",
                "Gradient inversion to convergence; below each training image its number and its L2 distance over pixels.",
                neighbour_grid,
                self._pairs,
                self._names[: MAX_COLUMNS // 2],
            )
        if self._held_out and len(self._decoded) > 1:
            draw_figure(
                FRESH_DECODER,
                "What a fresh decoder makes of the encoding of held-out images",
                "The first row is the image; each other row a decoder trained anew on that model's frozen encoder.",
                image_grid,
                self._decoded,
                [],
            )
        return figures


def _add_row(grid: dict[str, list[np.ndarray]], label: str, images: np.ndarray, starts: np.ndarray) -> None:
    """Adds a model's row to a grid; above the models stand their starts, if these differ by class but not by model."""
    models = set(grid) - {CLASS_MEAN, HELD_OUT, START}
    if not models and not np.all(starts == starts[0]):
        grid[START] = list(starts)
    elif START in grid and not np.allclose(grid[START], starts, atol=1e-3):
        del grid[START]
    grid[label] = list(images)
    if contrast.are_faint(images):
        grid[f"{label}, contrast stretched"] = list(contrast.stretched(images))
