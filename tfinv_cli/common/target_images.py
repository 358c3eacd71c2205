"""Images of the common flags, fitted to the model, and what a reader must know of both: notes, and the order of the classes."""

import dataclasses
from typing import Any

from tfinv import datasets
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset, classes


def load_images(
    values: Any, split: str, limit: int | None, size: tuple[int, int] | None, classifier: Classifier | None
) -> Dataset:
    """Returns a split of --dataset, in the size, the channels and the classes of the model, with notes on what was changed.

    Args:
      values: the flags.
      split: of the data set.
      limit: number of images, or None for all.
      size: of --image_size, or None for that of the model.
      classifier: whose images they are to be; None for images as they come.

    Raises:
      UserError: see `datasets.load`.
    """
    options: dict[str, Any] = {"data_dir": values.data_dir, "limit": limit, "image_size": size}
    options["resize"] = getattr(values, "resize", None)
    if classifier is None:
        return datasets.load(values.dataset, split, **options)
    height, width, channels = classifier.input_shape
    options |= {"image_size": size or (height, width), "num_classes": classifier.num_classes}
    options["channels"] = channels if channels in (1, 3) else None
    names = classifier.class_names
    try:
        return datasets.load(values.dataset, split, class_names=names, **options)
    except classes.MismatchError:
        if names is None or values.class_names:
            raise
    data = datasets.load(values.dataset, split, **options)
    note = (
        f"the model's own class names ({classes.show(names)}) are not those of the data set ({classes.show(data.class_names)}): "
        "labels are taken by number; if that is wrong, pass --class_names in the order of the model's outputs"
    )
    return dataclasses.replace(data, notes=(*data.notes, note))


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
