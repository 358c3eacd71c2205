"""Pictures of reconstructions: one row a class, and the best of them beside their nearest training images."""

import dataclasses
import pathlib

import numpy as np

from tfinv.comparison.nearest import Arrays, NearestImages
from tfinv.datasets import Dataset
from tfinv.evaluation.inversion.reconstruction import TrainingSet
from tfinv.evaluation.statistics.measurement import Measurement
from tfinv.reporting.figures import class_grid, nearest_grid
from tfinv.reporting.figures.nearest import RankedImages
from tfinv.reporting.results import Figure

_MOST_CLASSES, _MOST_ROWS = 10, 6


@dataclasses.dataclass(frozen=True, eq=False)
class Reconstructed:
    """Reconstructions by one method.

    Attributes:
      method: its text form.
      arrays: of `evaluators.to_arrays`.
      nearest: the nearest training images; None for a model without features.
      measurement: its measures.
    """

    method: str
    arrays: Arrays
    nearest: NearestImages | None
    measurement: Measurement

    @property
    def recognised(self) -> np.ndarray:
        """(n,) share of the evaluators that see the class in each reconstruction."""
        hits = [v.values.astype(float) for v in self.measurement.values if v.measure == "acc@1"]
        return np.mean(hits, axis=0)


def draw(
    runs: list[Reconstructed], train: Dataset, training_set: TrainingSet, folder: pathlib.Path, assumption: str
) -> list[Figure]:
    """Writes the figures "reconstructions" and "nearest" of the method whose reconstructions most evaluators recognise.

    Args:
      runs: each method's.
      train: the training images that were searched.
      training_set: holds the class means.
      folder: the workdir.
      assumption: how it is known that the model was trained on these images; empty for not at all.
    """
    best = max(runs, key=lambda run: float(run.recognised.mean()))
    images, labels = best.arrays["images"], best.arrays["labels"]
    shown = np.isin(labels, np.unique(labels)[:_MOST_CLASSES])
    path = pathlib.Path("figures") / "reconstructions.png"
    class_grid(images[shown], labels[shown], training_set.class_means, train.class_names, folder / path)
    doubt = "" if assumption else " Whether the model was trained on these images is not known."
    figures = [
        Figure(
            "reconstructions",
            f"Reconstructions: {best.method}",
            f"One row a class, beside the mean of its images in the training split, which no attacker saw.{doubt}",
            str(path),
        )
    ]
    if best.nearest is None:
        return figures
    nearest, recognised = best.nearest, best.recognised[best.nearest.rows]
    similarity = nearest.same_class.similarities[:, 0]
    order = np.lexsort([-similarity, -recognised])[:_MOST_ROWS]
    any_class, same_class = (
        RankedImages(similar.indices[order], similar.similarities[order])
        for similar in (nearest.any_class, nearest.same_class)
    )
    path = pathlib.Path("figures") / "nearest.png"
    rows = nearest.rows[order]
    drawn = np.unique(np.concatenate([ranking.indices.ravel() for ranking in (any_class, same_class)]))
    pictures = np.zeros((len(train), *train.image_shape), np.float32)
    pictures[drawn[drawn >= 0]] = train.images_at(drawn[drawn >= 0])
    names = train.class_names
    nearest_grid(images[rows], labels[rows], pictures, train.labels, any_class, same_class, names, folder / path)
    caption = (
        f"The reconstructions that most evaluators recognise, and the nearest of {len(train)} training images by cosine "
        f"similarity of the attacked model's features. {nearest.summary()} This is the model's own view, which adversarial "
        f"examples deceive.{doubt}"
    )
    return [
        *figures,
        Figure("nearest", "Best reconstructions beside their nearest training images", caption, str(path)),
    ]
