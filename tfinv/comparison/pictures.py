"""Pictures of one inversion: grids, nearest training images, its course, and a projector."""

import os
import pathlib
from typing import Any

import numpy as np

from tfinv import paths
from tfinv.classifier import Classifier
from tfinv.comparison.nearest import Arrays, NearestImages
from tfinv.datasets import Dataset
from tfinv.evaluation.inversion.feature_space import features
from tfinv.evaluation.inversion.reconstruction import TrainingSet
from tfinv.inversion import InversionResult
from tfinv.reporting import Figure
from tfinv.reporting.figures import class_grid, nearest_grid
from tfinv.reporting.figures.nearest import RankedImages
from tfinv.reporting.tensorboard.course_log import write_course_images
from tfinv.reporting.tensorboard.projector import Points, write_projector

_MAX_CLASSES, _MAX_ROWS = 40, 20
_MAX_POINTS = 1000  # training images in the projector


def draw(
    arrays: Arrays,
    nearest: NearestImages | None,
    train: Dataset,
    training_set: TrainingSet,
    folder: str | os.PathLike,
    *,
    name: str,
    title: str,
) -> list[Figure]:
    """Writes the figures of one inversion under folder/figures.

    Args:
      arrays: "images" (n, H, W, C) in [0, 1], the reconstructions, and "labels" (n,).
      nearest: nearest training images in the victim's features; None for a victim without features, which has no such figure.
      train: the victim's training images.
      training_set: holds the class means.
      folder: the workdir.
      name: of the files.
      title: the method, as text.
    """
    folder, images, labels = paths.expand(folder), arrays["images"], arrays["labels"]
    figures = []

    def add(suffix: str, subject: str, caption: str, write: Any, *arguments: Any) -> None:
        path = pathlib.Path("figures") / f"{name}-{suffix}.png"
        write(*arguments, folder / path)
        figures.append(Figure(f"{name}-{suffix}", f"{subject}: {title}", caption, str(path)))

    first_classes = np.isin(labels, np.unique(labels)[:_MAX_CLASSES])
    add(
        "classes",
        "Reconstructions",
        "One row a class, beside the mean of the class's training images, which no attacker saw.",
        class_grid,
        images[first_classes],
        labels[first_classes],
        training_set.class_means,
        train.class_names,
    )
    if nearest is not None:
        rows = nearest.rows[:_MAX_ROWS]
        ranked = [
            RankedImages(similar.indices[:_MAX_ROWS], similar.similarities[:_MAX_ROWS])
            for similar in (nearest.any_class, nearest.same_class)
        ]
        add(
            "nearest",
            "Nearest training images",
            "All its training images, searched by cosine similarity of the attacked model's features. "
            f"{nearest.summary()} This is the model's own view, which adversarial examples deceive.",
            nearest_grid,
            images[rows],
            labels[rows],
            train.images,
            train.labels,
            *ranked,
            train.class_names,
        )
    return figures


def log(
    result: InversionResult,
    classifier: Classifier,
    train: Dataset,
    training_set: TrainingSet,
    folder: str | os.PathLike,
    *,
    experiment: str,
    method: str,
) -> None:
    """Writes the course's images and the projector for TensorBoard, under folder/tensorboard.

    Args:
      result: n reconstructions.
      classifier: the victim.
      train: its training set, of which up to a thousand images surround the reconstructions.
      training_set: its first evaluator with an encoder gives the features.
      folder: the workdir.
      experiment: the model's name in rows.
      method: the inversion's name in rows.
    """
    logdir = paths.expand(folder) / "tensorboard"
    if result.course is not None:
        write_course_images(logdir, result.course.steps, result.course.images, run=experiment, tag=method)
    name = next(iter([*training_set.features, *training_set.evaluators]))
    evaluator, class_names = training_set.evaluators[name], train.class_names
    rows = np.unique(np.linspace(0, len(train) - 1, min(_MAX_POINTS, len(train))).astype(int))
    images, labels = train.images[rows], train.labels[rows]
    training = Points("training", features(evaluator, images), images, [class_names[k] for k in labels], rows.tolist())
    images, labels = classifier.to_unit(result.images), result.labels
    reconstructions = Points(
        f"{experiment}, {method}", features(evaluator, images), images, [class_names[k] for k in labels]
    )
    write_projector(logdir, [training, reconstructions], name=name, run=f"projector {experiment} {method}")
