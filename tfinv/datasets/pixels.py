"""`FilePixels`: the pixels of image files as an array that decodes them as they are asked for.

Each file is decoded once when the data set is loaded, so that all damaged ones are known; few are kept in memory.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv.datasets import images
from tfinv.errors import UserError, expected

# Bytes of decoded images in memory: a few batches of photographs.
_CACHE = 96 << 20
# Data sets of at most so many bytes become an array at once.
_SMALL = 32 << 20
_NAMED = 10  # damaged files in one message


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Form in which all files of a data set are decoded.

    Attributes:
      channels: 1 or 3.
      resizing: "keras" or "pillow".
      image_size: (height, width).
      resized: whether a file of the data set, in whichever split, has another size: all pixels are then of one type.
    """

    channels: int
    resizing: str
    image_size: tuple[int, int]
    resized: bool

    @property
    def dtype(self) -> np.dtype:
        """float32 in [0, 1] where Keras resizes, since it doesn't round; else uint8."""
        return np.dtype(np.float32 if self.resized and self.resizing == images.KERAS else np.uint8)

    def read(self, file: pathlib.Path, header: images.Header) -> tuple[np.ndarray, str]:
        """Reads one file, (height, width, channels), and says which decoder read it; see `images.read`."""
        pixels, decoder = images.read(file, header, self.channels, self.resizing)
        pixels = images.resize(pixels[None], self.image_size, self.resizing)[0]
        if pixels.dtype != self.dtype:
            pixels = np.divide(pixels, np.float32(255), dtype=np.float32)
        return pixels, decoder


class _Decoder:
    """Files that are decoded on demand, by several threads, of which the latest stay in memory."""

    def __init__(self, files: Sequence[pathlib.Path], headers: Sequence[images.Header], decoding: Decoding):
        self.files, self.headers, self.decoding = tuple(files), tuple(headers), decoding
        self.digests: dict[int, bytes] = {}
        self._start()

    def _start(self) -> None:
        self._recent: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("_recent", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def image(self, index: int) -> np.ndarray:
        """Pixels of one file.

        Raises:
          UserError: it was damaged or removed since the data set was loaded.
        """
        with self._lock:
            if index in self._recent:
                self._recent.move_to_end(index)
                return self._recent[index]
        pixels, _ = self.decoding.read(self.files[index], self.headers[index])
        self._keep(index, pixels)
        return pixels

    def scan(self, index: int) -> str:
        """Decodes one file for the first time, and returns which decoder read it."""
        pixels, decoder = self.decoding.read(self.files[index], self.headers[index])
        self.digests[index] = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
        self._keep(index, pixels)
        return decoder

    def _keep(self, index: int, pixels: np.ndarray) -> None:
        most = max(1, _CACHE // max(1, pixels.nbytes))
        with self._lock:
            self._recent[index] = pixels
            while len(self._recent) > most:
                self._recent.popitem(last=False)


class FilePixels:
    """Pixels of image files, (n, height, width, channels), read like an array: by slices, indices or masks of the images.

    `numpy.asarray` decodes all of them.

    Args:
      decoder: the files.
      rows: (n,) their places among those of the decoder.
    """

    def __init__(self, decoder: _Decoder, rows: np.ndarray):
        self._decoder, self._rows = decoder, rows
        self.dtype = decoder.decoding.dtype
        self.shape = (len(rows), *decoder.decoding.image_size, decoder.decoding.channels)
        self.ndim = len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all images would take in memory."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def select(self, rows: Any) -> "FilePixels":
        """Returns some of the images, of which none is decoded for it."""
        return FilePixels(self._decoder, self._rows[rows])

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        rows = self._rows[key]
        if np.ndim(rows) == 0:
            return self._decoder.image(int(rows))
        pixels = np.empty((len(rows), *self.shape[1:]), self.dtype)

        def fill(place: int) -> None:
            pixels[place] = self._decoder.image(int(rows[place]))

        for _ in _threads(fill, range(len(rows))):
            pass
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def digests(self) -> list[bytes]:
        """Returns the SHA-256 of each image's pixels, as they were when the data set was loaded."""
        return [self._decoder.digests[int(row)] for row in self._rows]


def file_pixels(
    files: Sequence[pathlib.Path], headers: Sequence[images.Header], decoding: Decoding
) -> tuple[np.ndarray | FilePixels, int]:
    """Decodes all files once, and returns their pixels: few as an array.

    Args:
      files: of the data set.
      headers: theirs.
      decoding: their form.

    Returns:
      (n, height, width, channels) pixels, and the number of files that Pillow decoded although Keras's decoder was asked for.

    Raises:
      UserError: files that are damaged or have more than 8 bits a channel; all of them are in the message.
    """
    decoder = _Decoder(files, headers, decoding)
    errors: list[UserError] = []

    def scan(index: int) -> str:
        try:
            return decoder.scan(index)
        except UserError as error:
            errors.append(error)
            return ""

    decoders = list(_threads(scan, range(len(files))))
    refuse(errors)
    pixels = FilePixels(decoder, np.arange(len(files)))
    by_pillow = sum(name == images.PILLOW for name in decoders) if decoding.resizing == images.KERAS else 0
    return (np.asarray(pixels) if pixels.nbytes <= _SMALL else pixels), by_pillow


def damaged(files: Sequence[pathlib.Path], headers: Sequence[images.Header], resizing: str) -> list[UserError]:
    """Returns the errors of the files that can't be decoded.

    Args:
      files: with a header that could be read.
      headers: theirs.
      resizing: "keras" or "pillow".
    """
    errors: list[UserError] = []

    def look(index: int) -> None:
        try:
            images.read(files[index], headers[index], 3, resizing)
        except UserError as error:
            errors.append(error)

    for _ in _threads(look, range(len(files))):
        pass
    return errors


def refuse(errors: Sequence[UserError]) -> None:
    """Raises one error for all files that can't be read, unless there are none.

    Raises:
      UserError: there are some; of one, it is that error.
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    messages = sorted(error.complaint.partition("Received: ")[2].rstrip(".") for error in errors)
    rest = f"; and {len(messages) - _NAMED} more" if len(messages) > _NAMED else ""
    received = f"{len(messages)} files that can't be read: {'; '.join(messages[:_NAMED])}{rest}"
    raise expected("readable images of 8 bits a channel", received, "Replace or remove these files.")


def _threads(function, items):
    """Results of a function of each item, in order, computed by a few threads: decoding holds no lock of Python's."""
    workers = min(4, os.cpu_count() or 1, max(1, len(items)))
    if workers == 1:
        yield from map(function, items)
        return
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        yield from pool.map(function, items)
