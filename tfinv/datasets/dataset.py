"""`Dataset`: labelled images in memory, checked when it is made."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfinv.errors import expected


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images of one size.

    The pixels stay in the type they came in, since uint8 takes a quarter of the memory of float32; `images`
    and `as_tf` convert them to float32 in [0, 1]. `pixels` and `labels` are made read-only.

    Attributes:
      name: the data set's name, for reports.
      split: "train", "validation", "test" or "all".
      pixels: (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1]; 1 or 3 channels.
      labels: (n,) int64 in 0..num_classes-1.
      class_names: one a class, in the order of the labels.

    Raises:
      UserError: the arrays are not as above: NaN, out of range, another rank or type, counts that differ, or
        no image at all.
    """

    name: str
    split: str
    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        pixels = _checked_pixels(self.name, np.asarray(self.pixels))
        names = tuple(str(name) for name in self.class_names)
        labels = _checked_labels(self.name, np.asarray(self.labels), len(pixels), len(names))
        object.__setattr__(self, "pixels", _read_only(pixels))
        object.__setattr__(self, "labels", _read_only(labels))
        object.__setattr__(self, "class_names", names)

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {self.split!r}, {len(self)} images of {self.image_shape}, "
            f"{self.num_classes} classes)"
        )

    @property
    def images(self) -> np.ndarray:
        """(n, height, width, channels) float32 in [0, 1], computed on each use."""
        return self.images_at(slice(None))

    def images_at(self, rows: slice | np.ndarray) -> np.ndarray:
        """The images of some rows, float32 in [0, 1]."""
        pixels = self.pixels[rows]
        return np.divide(pixels, np.float32(255), dtype=np.float32) if pixels.dtype == np.uint8 else pixels

    @property
    def num_classes(self) -> int:
        """The number of classes, of which a split may lack some."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def take(self, n: int) -> "Dataset":
        """The first `n` images, or all if there are fewer.

        Raises:
          UserError: n is below 1.
        """
        if n < 1:
            raise expected("a number of images of at least 1", n)
        return dataclasses.replace(self, pixels=self.pixels[:n], labels=self.labels[:n])

    def subset(self, indices: Sequence[int] | np.ndarray) -> "Dataset":
        """The images at `indices`, in that order.

        Args:
          indices: (m,) integers in 0..n-1, or a boolean mask of shape (n,).

        Raises:
          UserError: an index is out of range, or none is given.
        """
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_ and chosen.shape == (len(self),):
            chosen = np.flatnonzero(chosen)
        if chosen.ndim != 1 or not len(chosen) or not np.issubdtype(chosen.dtype, np.integer):
            raise expected(
                "a non-empty list of whole numbers",
                f"{chosen.dtype} of shape {chosen.shape}",
                "Change indices.",
            )
        if chosen.min() < 0 or chosen.max() >= len(self):
            received = f"{chosen.min()}..{chosen.max()}"
            raise expected(f"indices in 0..{len(self) - 1}", received, "Change indices.")
        return dataclasses.replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of pixels and labels."""
        total = hashlib.sha256(repr((self.pixels.shape, self.pixels.dtype)).encode())
        for array in (self.pixels, self.labels):
            total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()

    def as_tf(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_remainder: bool = False,
        epoch: int | tf.Variable = 0,
    ) -> tf.data.Dataset:
        """Batches of (image, label) for training and evaluation.

        Indices are shuffled, not images, and images become float32 batch by batch, so this takes little
        memory beyond the pixels.

        Args:
          batch_size: images a batch.
          shuffle: whether to shuffle all images, in an order that depends on `seed` and `epoch` alone.
          seed: of the shuffle.
          drop_remainder: whether to drop a last, smaller batch.
          epoch: number of the pass. A variable is read when a pass begins, so that a resumed training which sets it sees
            the order that the unbroken one would have seen.

        Returns:
          A tf.data.Dataset of ((b, height, width, channels) float32 in [0, 1], (b,) int64).

        Raises:
          UserError: batch_size is below 1, or drop_remainder would leave no batch.
        """
        n = len(self)
        if batch_size < 1:
            raise expected("a batch size of at least 1", batch_size, "Change batch_size.")
        if drop_remainder and batch_size > n:
            raise expected(
                f"a batch size of at most the {n} images",
                batch_size,
                "Lower batch_size or keep the remainder.",
            )
        indices = _indices(n, shuffle, seed, epoch).batch(batch_size, drop_remainder=drop_remainder)
        count = n // batch_size if drop_remainder else -(-n // batch_size)
        batches = indices.map(self._reader(), num_parallel_calls=tf.data.AUTOTUNE)
        # Known here, and lost by tf.data where the order is drawn inside.
        return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)

    def parts(
        self, batch_size: int, mine: range, parts: int, *, seed: int = 0, epoch: int | tf.Variable = 0
    ) -> tf.data.Dataset:
        """Some of the equal parts of each batch, for devices that share the batches of `as_tf`, shuffled, pass after pass.

        Args:
          batch_size: images a batch; a multiple of `parts`.
          mine: numbers of the parts.
          parts: how many there are; part k holds the rows from k batch_size / parts on.
          seed: of the shuffles.
          epoch: number of the first pass; a variable is read when the iteration begins.

        Returns:
          An endless tf.data.Dataset of ((batch_size / parts, height, width, channels), (batch_size / parts,)): the parts of the
          first batch one after another, those of the second, and so on; what is left of a pass is dropped.
        """
        n, size = len(self), batch_size // parts

        def batches(number):
            order = tf.data.Dataset.from_tensor_slices(_order(n, seed, number))
            return order.batch(batch_size, drop_remainder=True)

        def own(indices):
            return tf.data.Dataset.from_tensor_slices(tf.reshape(indices, [parts, size])[mine.start : mine.stop])

        def passes(_):
            return tf.data.Dataset.range(epoch, tf.int64.max)

        indices = tf.data.Dataset.range(1).flat_map(passes).flat_map(batches).flat_map(own)
        return indices.map(self._reader(), num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def _reader(self):
        """From indices (b,) to images and labels, on the processor."""
        with tf.device("cpu"):  # where tf.data works; the whole set should not take the accelerator's memory
            pixels, labels = tf.constant(self.pixels), tf.constant(self.labels)

        def read(indices):
            images = tf.gather(pixels, indices)
            if images.dtype == tf.uint8:
                images = tf.cast(images, tf.float32) / 255.0
            return images, tf.gather(labels, indices)

        return read


def _indices(n: int, shuffle: bool, seed: int, epoch: int | tf.Variable) -> tf.data.Dataset:
    if not shuffle:
        return tf.data.Dataset.range(n)

    def order(_):
        return tf.data.Dataset.from_tensor_slices(_order(n, seed, epoch))

    return tf.data.Dataset.range(1).flat_map(order)


def _order(n: int, seed: int, epoch: int | tf.Variable | tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(tf.range(n, dtype=tf.int64), seed=[seed, epoch])


def _checked_pixels(name: str, pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype not in (np.uint8, np.float32):
        hint = "Store images as uint8 in 0..255 or as float32 in [0, 1]."
        raise expected(f"images of {name} as uint8 or float32", pixels.dtype, hint)
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        what = f"images of {name} as (count, height, width, channels) with 1 or 3 channels"
        raise expected(what, f"shape {pixels.shape}", "Put the channels last.")
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


def _checked_labels(name: str, labels: np.ndarray, num_images: int, num_classes: int) -> np.ndarray:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        hint = "Labels are class numbers, not one-hot rows."
        raise expected(f"labels of {name} as whole numbers, (n,)", f"{labels.dtype} {labels.shape}", hint)
    if len(labels) != num_images:
        raise expected(f"one label for each of the {num_images} images of {name}", f"{len(labels)} labels")
    if labels.min() < 0 or labels.max() >= num_classes:
        received = f"labels in {labels.min()}..{labels.max()}"
        raise expected(f"labels of {name} in 0..{num_classes - 1}", received, "Check labels and class names.")
    return labels.astype(np.int64)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()  # the caller's own array stays writeable
    view.setflags(write=False)
    return view
