"""Adversarial images as .npy files that grow a chunk at a time, and have their name only when they are whole."""

import pathlib

import numpy as np

from tfinv import files

_UNFINISHED = ".unfinished.npy"
_LONGEST = 200  # bytes; file systems allow 255


class AdversarialFiles:
    """A folder of one array an attack.

    Args:
      folder: made when the first images come.
      count: images in the end.
      shape: (H, W, C) of one.
    """

    def __init__(self, folder: pathlib.Path, count: int, shape: tuple[int, int, int]):
        self._folder, self._shape = folder, (count, *shape)

    def write(self, name: str, rows: np.ndarray, images: np.ndarray) -> None:
        """Stores images at their rows.

        Raises:
          UserError: the folder cannot be written to.
        """
        # With a "-" for each "/" two surrogates' paths could become one name.
        plain = files.slug(name) if "/" in name or len(name.encode()) > _LONGEST else name
        path = self._folder / f"{plain}{_UNFINISHED}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with files.atomic_path(path) as temporary:
                    np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=self._shape).flush()
            array = np.lib.format.open_memmap(path, mode="r+")
            array[rows] = images
            array.flush()
        except OSError as error:
            raise files.unwritable(path, error) from error

    def finish(self, labels: np.ndarray) -> None:
        """Gives the files their names, and stores the labels beside them."""
        for path in self._folder.glob(f"*{_UNFINISHED}"):
            path.replace(path.with_name(path.name.removesuffix(_UNFINISHED) + ".npy"))
        with files.atomic_path(self._folder / "labels.npy") as temporary:
            np.save(temporary, labels)
