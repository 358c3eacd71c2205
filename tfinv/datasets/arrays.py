"""Arrays of images and labels: the checks of what a `Dataset` holds, and the forms that are made so or refused with the reason."""

from collections.abc import Callable, Sequence

import numpy as np

from tfinv.datasets import classes
from tfinv.errors import UserError, expected

_CHANNELS = (1, 3)
_ALPHA = (2, 4)
_FLOATS = "Divide by 255, or store images as uint8."

Labels = tuple[list[np.ndarray], tuple[str, ...], tuple[str, ...]]


def check_pixels(name: str, pixels: np.ndarray) -> np.ndarray:
    """Returns the pixels of the data set `name`.

    Raises:
      UserError: not (n, height, width, 1 or 3) uint8, or float32 in [0, 1]; no image; NaN.
    """
    if pixels.dtype not in (np.uint8, np.float32):
        hint = "Store images as uint8 in 0..255 or as float32 in [0, 1]."
        raise expected(f"images of {name} as uint8 or float32", pixels.dtype, hint)
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        expectation = f"images of {name} as (count, height, width, channels) with 1 or 3 channels"
        raise expected(expectation, f"shape {pixels.shape}", "Change the images to grey or RGB. Put the channels last.")
    if 0 in pixels.shape:
        raise expected(f"at least one image of {name}", f"shape {pixels.shape}", "Use another split or seed.")
    if pixels.dtype == np.float32:
        low, high = pixels.min(), pixels.max()  # NaN if any is NaN
        if np.isnan(low):
            raise expected(f"images of {name} without NaN", f"{np.isnan(pixels).sum()} NaN")
        if low < 0 or high > 1:
            hint = "Divide by 255, or store images as uint8."
            raise expected(f"images of {name} in [0, 1]", f"values in [{low:g}, {high:g}]", hint)
    return pixels


def check_labels(name: str, labels: np.ndarray, num_images: int, num_classes: int) -> np.ndarray:
    """Returns the labels of the data set `name` as int64.

    Raises:
      UserError: not (num_images,) integers in 0..num_classes-1.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        one_hot = labels.ndim == 2
        hint = "Labels are class numbers, not one-hot rows." if one_hot else "Store numbers of classes, from 0."
        raise expected(f"labels of {name} as whole numbers, (n,)", f"{labels.dtype} {labels.shape}", hint)
    if len(labels) != num_images:
        raise expected(f"one label for each of the {num_images} images of {name}", f"{len(labels)} labels")
    if labels.min() < 0 or labels.max() >= num_classes:
        received = f"labels in {labels.min()}..{labels.max()}"
        raise expected(f"labels of {name} in 0..{num_classes - 1}", received, "Check labels and class names.")
    return labels.astype(np.int64)


def to_pixels(parts: Sequence[np.ndarray], key: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Returns images as a data set holds them, and notes on what was done.

    Channels first, transparency, whole numbers of other types, floats in 0..255 and 16-bit levels are changed; all parts alike.

    Args:
      parts: arrays of one file, of one type and one shape beyond the first axis.
      key: of the first, for errors.

    Returns:
      (n, height, width, channels) arrays, uint8 or float32; what can't be read is left to the checks of `Dataset`.

    Raises:
      UserError: a range or a type that has several meanings.
    """
    notes: list[str] = []
    images = [part[..., None] if part.ndim == 3 else part for part in parts]
    shape = images[0].shape
    if images[0].ndim == 4 and shape[-1] not in (*_CHANNELS, *_ALPHA) and shape[1] in (*_CHANNELS, 4):
        images = [np.moveaxis(part, 1, -1) for part in images]
        notes.append(f"images stored channels first, {shape[1:]}, with the channels moved to the end")
    if images[0].ndim == 4 and images[0].shape[-1] in _ALPHA and images[0].shape[-1] != shape[2]:
        notes.append(f"the last of {images[0].shape[-1]} channels, transparency, is dropped")
        images = [part[..., :-1] for part in images]
    if any(part.size for part in images):
        levels, note = _levels(images, key)
        return levels, (*notes, *note)
    return images, tuple(notes)


def to_labels(parts: Sequence[np.ndarray], key: str, names: tuple[str, ...] | None, num_classes: int | None) -> Labels:
    """Returns labels as numbers, the names of the classes, and notes on what was done.

    Args:
      parts: arrays of one file, (n,), (n, 1), or one-hot (n, K).
      key: of the first, for errors.
      names: of the classes in the order of their numbers, if the file has them.
      num_classes: of the file or of the model, if it is known: K labels 1..K are then seen to begin at 1.

    Raises:
      UserError: labels that are not the numbers or names of classes; the reason is in the message.
    """
    whole = np.concatenate([np.atleast_1d(part) for part in parts]) if _alike(parts) else np.asarray(parts[0])
    if whole.ndim == 2 and whole.shape[1] == 1:
        whole = whole[:, 0]
    notes: tuple[str, ...] = ()
    if whole.ndim == 2 and whole.dtype.kind in "biuf" and len(whole):
        whole, notes = _of_one_hot(whole, key)
    if whole.dtype.kind in "SU":
        whole, names, notes = _of_texts(whole, key, names)
    elif whole.dtype.kind in "bf":
        whole, notes = _of_numbers(whole, key)
    if num_classes and whole.size and whole.dtype.kind in "iu" and whole.min() >= 1 and whole.max() == num_classes:
        whole = whole - 1
        notes += (f"labels 1 to {num_classes}, lowered by 1 to begin at 0",)
    if names is None:
        highest = int(whole.max()) if whole.size and whole.dtype.kind in "iu" else 0
        names = tuple(str(label) for label in range(highest + 1))
    ends = np.cumsum([len(np.atleast_1d(part)) for part in parts])[:-1]
    return np.split(whole, ends), names, notes


def _alike(parts: Sequence[np.ndarray]) -> bool:
    return len({part.shape[1:] for part in parts}) == 1 and len({part.dtype.kind in "SU" for part in parts}) == 1


def _levels(images: list[np.ndarray], key: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Grey levels as uint8, or float32 in [0, 1]."""
    dtype = images[0].dtype
    if dtype == np.bool_:
        return [part.astype(np.float32) for part in images], ("images of true and false, as 1 and 0",)
    if dtype.kind not in "iuf":
        return images, ()
    low, high = min(part.min() for part in images if part.size), max(part.max() for part in images if part.size)
    if dtype.kind == "f":
        return _floats(images, float(low), float(high), key)
    if dtype == np.uint8:
        black = ("the largest level of all images is 1 of 255: multiply black and white by 255",) if high <= 1 else ()
        return images, black
    if low < 0 or high <= 1:
        hint = "Store images as uint8 in 0..255 or as floats in [0, 1]."
        raise expected(f"{key} as levels of 0..255", f"{dtype} from {low} to {high}", hint)
    if high <= 255:
        return [part.astype(np.uint8) for part in images], (f"images of {dtype} in 0..255, as uint8",)
    if dtype == np.uint16 and high >= 2**15:
        return _map(images, lambda x: x / np.float32(65535)), ("16-bit images, divided by 65,535",)
    raise expected(
        f"{key} as uint8, or as uint16 that uses its range",
        f"{dtype} up to {high}, which may be levels of 10, 12 or 16 bits",
        "Divide by the largest possible level, and store floats in [0, 1].",
    )


def _floats(images: list[np.ndarray], low: float, high: float, key: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Floats in [0, 1], or in 0..255 where they can be nothing else."""
    whole = high > 1 and all(np.array_equal(part, np.rint(part)) for part in images)
    if low >= 0 and 1 < high <= 255 and (whole or high > 127):
        return _map(images, lambda x: x / np.float32(255)), ("images of floats in 0..255, divided by 255",)
    if -1 <= low < 0 and high <= 1:
        hint = "Store (x + 1) / 2 in its place; to a model of -1..1 --bounds=-1,1 gives them so again."
        raise expected(f"{key} in [0, 1]", f"values in [{low:g}, {high:g}]", hint)
    if low < 0 and np.isfinite([low, high]).all():
        hint = (
            "Store the images as they were before, in 0..255 or [0, 1], and pass what was done as "
            "--preprocessing=mean=...,std=...: an attack needs the pixels."
        )
        raise expected(f"{key} in [0, 1]", f"values in [{low:g}, {high:g}], which were standardised", hint)
    if 1 < high < np.inf and low >= 0:
        raise expected(f"{key} in [0, 1]", f"values in [{low:g}, {high:g}]", _FLOATS)
    return _map(images, lambda x: x), ()  # NaN and infinity are for the checks of the data set


def _map(images: list[np.ndarray], function: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    return [function(part).astype(np.float32) for part in images]


def _of_one_hot(labels: np.ndarray, key: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers of the classes of one-hot rows."""
    ones = (labels == 1).sum(axis=1)
    if np.isin(labels, (0, 1)).all() and (ones == 1).all():
        return labels.argmax(axis=1), ("one-hot labels, as numbers of classes",)
    if np.isin(labels, (0, 1)).all():
        reason = f"rows of 0 and 1 with {ones.min()} to {ones.max()} classes an image"
        raise expected(f"one class an image in {key}", reason, "Store one number of a class an image.")
    row = labels[np.flatnonzero(~np.isin(labels, (0, 1)).all(axis=1))[0]]
    shown = ", ".join(f"{value:g}" for value in row[:6])
    hint = "If they are probabilities, store labels.argmax(axis=1)."
    raise expected(f"{key} as numbers of classes, or one-hot rows", f"rows such as {shown}", hint)


def _of_texts(
    labels: np.ndarray, key: str, names: tuple[str, ...] | None
) -> tuple[np.ndarray, tuple[str, ...] | None, tuple[str, ...]]:
    """Numbers of the classes that texts name, the names, and notes."""
    if labels.ndim != 1:
        raise expected(f"one text an image in {key}", f"texts of shape {labels.shape}", "Store a text an image.")
    texts = np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels
    texts = np.char.strip(texts)
    if all(text.isascii() and text.isdigit() for text in np.unique(texts)):
        return texts.astype(np.int64), names, ("labels of texts that are numbers, as numbers",)
    numbers, sorted_names = classes.text_labels(texts)
    if names is None:
        return numbers, sorted_names, (f"labels of texts, as numbers: {classes.show(sorted_names)}",)
    of_file, notes = classes.match(sorted_names, names, f"the texts in {key}")
    return of_file[numbers], names, ("labels of texts, as numbers in the order of class_names", *notes)


def _of_numbers(labels: np.ndarray, key: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Whole numbers of booleans and of floats that are whole."""
    if labels.dtype.kind == "b":
        return labels.astype(np.int64), ("labels of false and true, as 0 and 1",)
    if not np.isfinite(labels).all():
        raise expected(f"{key} as whole numbers", f"{(~np.isfinite(labels)).sum()} that are NaN or infinite")
    if labels.ndim == 1 and not np.array_equal(labels, np.rint(labels)):
        raise expected(
            f"{key} as whole numbers, those of classes",
            f"{_fraction(labels)} among {labels.dtype} labels",
            "Scores, or values that a regression learns, are no classes: store numbers of classes from 0.",
        )
    return labels.astype(np.int64), ("labels of floats that are whole, as whole numbers",)


def _fraction(labels: np.ndarray) -> str:
    return f"{labels[np.flatnonzero(labels != np.rint(labels))[0]]:g}"


def error_of_classes(labels: np.ndarray, num_classes: int) -> UserError | None:
    """Returns the error for labels beyond a model's classes, with the real reason; None if all are within.

    Args:
      labels: (n,) numbers.
      num_classes: of the model.
    """
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < num_classes:
        return None
    return expected(
        f"labels of the model's {num_classes} classes, 0 to {num_classes - 1}",
        f"labels from {low} to {high}",
        "Give the data set that the model was trained on, or number its classes from 0.",
    )
