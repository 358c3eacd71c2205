"""Descriptions of a model and its images for a reader: what they are, what was done to either, and the order of the classes."""

import dataclasses
from typing import Any

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset, classes


def class_names(classifier: Classifier, data: Dataset) -> tuple[str, ...]:
    """Returns the names of the classes in the order of the model's outputs: the model's, or else the data set's."""
    return classifier.class_names or data.class_names


def introduction(classifier: Classifier, data: Dataset) -> str:
    """Returns the lines that a command begins with: the model, the images, what was done to either, the classes."""
    of_model = [f"  model: {note}" for note in classifier.notes]
    plain = dataclasses.replace(classifier, notes=(), class_names=None)
    return "\n".join([str(plain), *of_model, describe(data, class_names(classifier, data))])


def describe(data: Dataset, names: tuple[str, ...] | None = None) -> str:
    """Returns the lines on images: the data set, what was done to it, the classes.

    Args:
      data: the images.
      names: of the classes, or None for the data set's.
    """
    names = names or data.class_names
    shown = f"0 to {len(names) - 1}" if classes.are_numbers(names) else classes.show(names)
    return "\n".join([str(data), *(f"  images: {note}" for note in data.notes), f"classes: {shown}"])


def about(classifier: Classifier, data: Dataset) -> dict[str, Any]:
    """Returns the same for the environment of the results: the classes in full, and the notes."""
    return {
        "classes": list(class_names(classifier, data)),
        "notes on the model": list(classifier.notes),
        "notes on the images": list(data.notes),
    }
