"""`Dataset`: labelled images in memory, or decoded on demand from their files, validated on creation."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfinv.datasets.arrays import check_labels, check_pixels
from tfinv.datasets.pixels import FilePixels
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images of one size.

    Pixels keep their type, since uint8 takes a quarter of the memory of float32; `images` and `as_tf` convert them to float32
    in [0, 1]. `pixels` and `labels` are made read-only.

    Attributes:
      name: name of the data set, for reports.
      split: "train", "validation", "test" or "all".
      pixels: (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1]; 1 or 3 channels. An array; or of many large
        files a `FilePixels`, which decodes what it is asked for: `numpy.asarray` makes it an array.
      labels: (n,) int64 in 0..num_classes-1.
      class_names: names of the classes, in the order of the labels.
      notes: what was done to images and labels to make them what they are, each a phrase for reports.

    Raises:
      UserError: the arrays are not as above: NaN, out of range, another rank or type, different counts, or
        no image.
    """

    name: str
    split: str
    pixels: np.ndarray | FilePixels
    labels: np.ndarray
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        pixels: np.ndarray | FilePixels
        if isinstance(self.pixels, FilePixels):  # which were checked when they were first decoded
            pixels = self.pixels
        else:
            pixels = _read_only(check_pixels(self.name, np.asarray(self.pixels)))
        labels = check_labels(self.name, np.asarray(self.labels), len(pixels), len(names))
        object.__setattr__(self, "pixels", pixels)
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
        """All images, (n, height, width, channels) float32 in [0, 1]. Converted on each access."""
        return self.images_at(slice(None))

    def images_at(self, rows: slice | np.ndarray) -> np.ndarray:
        """Returns the images of some rows, float32 in [0, 1]."""
        pixels = self.pixels[rows]
        return np.divide(pixels, np.float32(255), dtype=np.float32) if pixels.dtype == np.uint8 else pixels

    @property
    def num_classes(self) -> int:
        """The number of classes; a split need not contain all of them."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape of one image, (height, width, channels)."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def take(self, n: int) -> "Dataset":
        """Returns the first `n` images, or all if there are fewer.

        Raises:
          UserError: n is below 1.
        """
        if n < 1:
            raise expected("a number of images of at least 1", n)
        return self._at(slice(n))

    def subset(self, indices: Sequence[int] | np.ndarray) -> "Dataset":
        """Returns the images at `indices`, in that order.

        Args:
          indices: (m,) integers in 0..n-1, or a boolean mask of shape (n,).

        Raises:
          UserError: an index is out of range, or there is none.
        """
        rows = np.asarray(indices)
        if rows.dtype == np.bool_ and rows.shape == (len(self),):
            rows = np.flatnonzero(rows)
        if rows.ndim != 1 or not len(rows) or not np.issubdtype(rows.dtype, np.integer):
            raise expected(
                "a non-empty list of whole numbers",
                f"{rows.dtype} of shape {rows.shape}",
                "Change indices.",
            )
        if rows.min() < 0 or rows.max() >= len(self):
            received = f"{rows.min()}..{rows.max()}"
            raise expected(f"indices in 0..{len(self) - 1}", received, "Change indices.")
        return self._at(rows)

    def _at(self, rows: slice | np.ndarray) -> "Dataset":
        pixels = self.pixels.select(rows) if isinstance(self.pixels, FilePixels) else self.pixels[rows]
        return dataclasses.replace(self, pixels=pixels, labels=self.labels[rows])

    def digest(self) -> str:
        """Returns the SHA-256, in hexadecimal, of pixels and labels."""
        sha256 = hashlib.sha256(repr((self.pixels.shape, self.pixels.dtype)).encode())
        if isinstance(self.pixels, FilePixels):
            for digest in self.pixels.digests():
                sha256.update(digest)
        else:
            sha256.update(np.ascontiguousarray(self.pixels).data)
        sha256.update(np.ascontiguousarray(self.labels).data)
        return sha256.hexdigest()

    def as_tf(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_remainder: bool = False,
        epoch: int | tf.Variable = 0,
    ) -> tf.data.Dataset:
        """Returns batches of (images, labels) for training and evaluation.

        Indices are shuffled, not images, and images are converted to float32 batch by batch, so this takes little
        memory beyond the pixels.

        Args:
          batch_size: images per batch.
          shuffle: whether to shuffle all images, in an order that depends on `seed` and `epoch` alone.
          seed: of the shuffle.
          drop_remainder: whether to drop a last, smaller batch.
          epoch: number of the epoch. A variable is read when an epoch begins, so that a resumed training that sets it has the
            same order as an uninterrupted one.

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
        # tf.data does not infer the cardinality where the order is drawn inside.
        return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)

    def parts(
        self, batch_size: int, part_numbers: range, num_parts: int, *, seed: int = 0, epoch: int | tf.Variable = 0
    ) -> tf.data.Dataset:
        """Returns some of the equal parts of each shuffled batch of `as_tf`, for devices that share batches, epoch after epoch.

        Args:
          batch_size: images per batch; a multiple of `num_parts`.
          part_numbers: parts to return.
          num_parts: number of parts of a batch; part k starts at row k batch_size / num_parts.
          seed: of the shuffles.
          epoch: number of the first epoch; a variable is read when the iteration begins.

        Returns:
          An endless tf.data.Dataset of (images, labels), (batch_size / num_parts, height, width, channels) and
          (batch_size / num_parts,): the parts of the first batch one after another, then those of the second, and so on. The
          remainder of an epoch is dropped.
        """
        n, size = len(self), batch_size // num_parts

        def batches(epoch_number):
            order = tf.data.Dataset.from_tensor_slices(_order(n, seed, epoch_number))
            return order.batch(batch_size, drop_remainder=True)

        def parts(indices):
            rows = tf.reshape(indices, [num_parts, size])
            return tf.data.Dataset.from_tensor_slices(rows[part_numbers.start : part_numbers.stop])

        def epochs(_):
            return tf.data.Dataset.range(epoch, tf.int64.max)

        indices = tf.data.Dataset.range(1).flat_map(epochs).flat_map(batches).flat_map(parts)
        return indices.map(self._reader(), num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def _reader(self):
        """Returns the function from indices (b,) to images and labels. It runs on the CPU."""
        with tf.device("cpu"):  # where tf.data runs; the whole data set should not take the accelerator's memory
            pixels, labels = tf.constant(np.asarray(self.pixels)), tf.constant(self.labels)

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


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()  # the caller's array stays writeable
    view.setflags(write=False)
    return view
