"""Checks of user input: bounds, shapes, images and labels."""

from typing import Any

import numpy as np

from tfinv.errors import expected

Shape = tuple[int, int, int]
Bounds = tuple[float, float]


def check_bounds(bounds: Any) -> Bounds:
    """Returns (low, high) as floats.

    Raises:
      UserError: the bounds are not two finite numbers, the first below the second.
    """
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite([low, high]).all() and np.float32(low) < np.float32(high)):
        raise expected("bounds as two numbers, the lower one first", bounds, "Change bounds= or --bounds, as in 0,255.")
    return low, high


def check_input_shape(shape: Any) -> Shape:
    """Returns (H, W, C) as integers.

    Raises:
      UserError: the shape is not three positive integers.
    """
    try:
        height, width, channels = (int(size) for size in shape)
    except (TypeError, ValueError):
        height = width = channels = 0
    if min(height, width, channels) < 1:
        raise expected(
            "images of a fixed height, width and number of channels",
            f"a shape of {shape}",
            "Fix it with keras.Sequential([keras.Input((height, width, channels)), model]), or change input_shape=.",
        )
    return height, width, channels


def noise(shape: Shape, bounds: Bounds, count: int = 4) -> np.ndarray:
    """Returns (count, H, W, C) float32 uniform noise, the same on each call, to test a model with."""
    low, high = np.float32(bounds[0]), np.float32(bounds[1])
    values = np.random.default_rng(0).uniform(low, high, (count, *shape)).astype(np.float32)
    return np.clip(values, low, high)


def check_images(images: Any, shape: Shape, bounds: Bounds) -> np.ndarray:
    """Returns the images as a float32 (n, H, W, C) array.

    Raises:
      UserError: wrong type, rank, size or channels; no image; NaN or infinity; pixels outside the bounds.
    """
    try:
        array = np.asarray(images)
    except (TypeError, ValueError) as error:
        raise expected(f"an array of images {shape}", f"{type(images).__name__} ({error})") from error
    if array.dtype.kind not in "uif" and array.dtype.name != "bfloat16":
        raise expected("images of a real number type", array.dtype, "Convert them to float32.")
    if array.shape[1:] != shape:
        raise expected(
            f"images of shape {('n', *shape)}".replace("'", ""),
            f"shape {array.shape}",
            _shape_hint(array.shape, shape, bounds),
        )
    if not len(array):
        raise expected("at least one image", "none")
    with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, and is refused below
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        rows = np.unique(np.nonzero(~np.isfinite(array))[0])
        raise expected("finite pixels", f"NaN or infinity in {len(rows)} images, first in image {rows[0]}")
    low, high = array.min(), array.max()
    if low < np.float32(bounds[0]) or high > np.float32(bounds[1]):
        raise expected(
            f"pixels within the bounds [{bounds[0]:g}, {bounds[1]:g}]",
            f"pixels from {low:g} to {high:g}",
            "Scale the images, or change bounds= or --bounds to the range the model was trained on.",
        )
    return array


def _shape_hint(received: tuple[int, ...], shape: Shape, bounds: Bounds) -> str:
    height, width, channels = shape
    if received == shape:
        return "Add a batch axis: images[np.newaxis]."
    if channels == 1 and received[1:] == (height, width):
        return "Add a channel axis: images[..., np.newaxis]."
    if received[1:] == (channels, height, width):
        return "Move the channels to the end: np.moveaxis(images, 1, -1)."
    if channels == 4 and received[1:] == (height, width, 3):
        opaque = f"keras.ops.concatenate([x, 0 * x[..., :1] + {bounds[1]}], axis=-1)"
        return f"For a fourth channel that is opaque: x = keras.Input({received[1:]}); keras.Model(x, model({opaque}))."
    return "Change images= or the data set to what the model takes."


def check_labels(labels: Any, count: int, num_classes: int) -> np.ndarray:
    """Returns the labels as an int64 (count,) array; a column (count, 1), as in Keras's CIFAR-10, is flattened.

    Raises:
      UserError: labels that are not integers, not as many as the images, or out of range.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        one_hot = array.ndim == 2 and array.shape[1] == num_classes
        hint = "Turn one-hot rows into numbers: labels.argmax(axis=-1)." if one_hot else "Change labels=."
        raise expected("labels of shape (n,)", f"shape {array.shape}", hint)
    if array.dtype.kind not in "ui":
        raise expected("integer labels", f"labels of type {array.dtype}", "Convert them: labels.astype(int).")
    if len(array) != count:
        raise expected("as many labels as images", f"{len(array)} labels for {count} images", "Change labels=.")
    array = array.astype(np.int64)
    if array.min() < 0 or array.max() >= num_classes:
        raise expected(
            f"labels from 0 to {num_classes - 1}",
            f"labels from {array.min()} to {array.max()}",
            "Change labels= or the data set to the model's classes.",
        )
    return array


def check_class_names(names: Any, num_classes: int) -> tuple[str, ...]:
    """Returns the names of the classes as a tuple of texts.

    Raises:
      UserError: they are not as many as the classes, or two are the same.
    """
    names = tuple(str(name) for name in names)
    hint = "Change class_names= or --class_names."
    if len(names) != num_classes:
        shown = ", ".join(names[:10]) + ", ..." * (len(names) > 10)
        raise expected(f"{num_classes} class names, one a class", f"{len(names)}: {shown}", hint)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise expected("class names that differ", f"{', '.join(repeated[:5])} more than once", hint)
    return names
