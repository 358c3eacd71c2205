"""Everything there is to see of one inversion: grids, nearest training images, its course, a projector."""

import os
import pathlib
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.feature_space import features
from tfinv.evaluation.reconstruction import TrainingSet
from tfinv.inversion import InversionResult
from tfinv.recipes.nearest import Nearest
from tfinv.reporting import Figure
from tfinv.reporting.course_log import write_course_images
from tfinv.reporting.figures import class_grid, nearest_grid
from tfinv.reporting.nearest import Ranked
from tfinv.reporting.projector import Points, write_projector

_CLASSES, _ROWS = 40, 20
_AMONG = 1000  # training images in the projector


def draw(
    images: np.ndarray,
    labels: np.ndarray,
    nearest: Nearest | None,
    train: Dataset,
    against: TrainingSet,
    folder: str | os.PathLike,
    *,
    name: str,
    title: str,
) -> list[Figure]:
    """Writes the figures of one inversion under folder/figures.

    Args:
      images: (n, H, W, C) reconstructions in [0, 1].
      labels: (n,) the class of each.
      nearest: training images of the victim, as it sees them; None for a victim without features, which has no such figure.
      train: what the victim was trained on.
      against: the class means.
      folder: the workdir.
      name: of the files.
      title: the method, as text.
    """
    folder = pathlib.Path(folder)
    figures = []

    def add(suffix: str, about: str, caption: str, write: Any, *arguments: Any, **more: Any) -> None:
        path = pathlib.Path("figures") / f"{name}-{suffix}.png"
        write(*arguments, folder / path, **more)
        figures.append(Figure(f"{name}-{suffix}", f"{about}: {title}", caption, str(path)))

    few = np.isin(labels, np.unique(labels)[:_CLASSES])
    add(
        "classes",
        "Reconstructions",
        "One row a class, beside the mean of the class's training images, which no attacker saw.",
        class_grid,
        images[few],
        labels[few],
        against.class_means,
        train.class_names,
    )
    if nearest is not None:
        order = nearest.rows[:_ROWS]
        ranked = [Ranked(s.indices[:_ROWS], s.similarities[:_ROWS]) for s in (nearest.anyone, nearest.own)]
        add(
            "nearest",
            "Nearest training images",
            "All its training images, searched by cosine similarity of the attacked model's features. "
            f"{nearest.told()} This is the model's own view, which adversarial examples deceive.",
            nearest_grid,
            images[order],
            labels[order],
            train.images,
            train.labels,
            *ranked,
            train.class_names,
        )
    return figures


def log(
    found: InversionResult,
    classifier: Classifier,
    train: Dataset,
    against: TrainingSet,
    folder: str | os.PathLike,
    *,
    experiment: str,
    method: str,
) -> None:
    """Writes the course's images and the projector for TensorBoard, under folder/tensorboard.

    Args:
      found: n reconstructions.
      classifier: the victim.
      train: its training set, of which up to a thousand images surround the reconstructions.
      against: whose first evaluator with an encoder gives the features.
      folder: the workdir.
      experiment: of the rows.
      method: of the rows.
    """
    logdir = pathlib.Path(folder) / "tensorboard"
    if found.course is not None:
        write_course_images(logdir, found.course.steps, found.course.images, run=experiment, tag=method)
    evaluator = next(iter([*against.features, *against.evaluators]))
    shown = classifier.to_unit(found.images)
    rows = np.unique(np.linspace(0, len(train) - 1, min(_AMONG, len(train))).astype(int))
    names = train.class_names
    known = features(against.evaluators[evaluator], train.images[rows])
    around = Points("training", known, train.images[rows], [names[k] for k in train.labels[rows]], rows.tolist())
    seen = features(against.evaluators[evaluator], shown)
    ours = Points(f"{experiment}, {method}", seen, shown, [names[k] for k in found.labels])
    write_projector(logdir, [around, ours], name=evaluator, run=f"projector {experiment} {method}")
