"""Adversarial images as files: each chunk leaves a part, and the parts become one array, folder or record file an attack."""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np

from tfinv import files
from tfinv.errors import expected
from tfinv.evaluation.rounding_checks import Predict, Rounding
from tfinv.runs.adversarial_forms import SUFFIXES, WRITERS, Contents, count_saved, levels_of

_LONGEST = 200  # bytes; file systems allow 255
_AGAIN = "Remove --workdir, to make them again."


class AdversarialFiles:
    """A folder of one array, folder or file an attack.

    Args:
      folder: made with the first of them.
      parts: folder for the chunks until then; of the same workdir.
      contents: number and form of the images, and the classes.
      form: "npy", "npz", "png" or "tfrecord"; see `adversarial_forms`.

    Raises:
      UserError: images of a number of channels that the form does not hold.
    """

    def __init__(self, folder: pathlib.Path, parts: pathlib.Path, contents: Contents, form: str = "npy"):
        if form in ("png", "tfrecord") and contents.shape[-1] not in (1, 3):
            raise expected(
                f"images of 1 or 3 channels for --save={form}", f"{contents.shape[-1]} channels", "Pass --save=npy."
            )
        self._folder, self._parts, self._contents, self._form = folder, parts, contents, form

    @property
    def rounds(self) -> bool:
        """Whether the form rounds images to 8 bits."""
        return self._form in ("png", "tfrecord")

    def write(self, name: str, rows: np.ndarray, images: np.ndarray) -> None:
        """Stores the images of some rows, in a file of their own.

        Raises:
          UserError: the folder cannot be written to.
        """
        with files.atomic_path(self._part(name, rows)) as temporary:
            np.savez(temporary, rows=rows, images=images)

    def has(self, name: str, rows: np.ndarray) -> bool:
        """Whether the images of some rows are there: as a part, or among those of a run that ended."""
        return self._part(name, rows).exists() or self._is_whole(_plain(name))

    def finish(self, labels: np.ndarray, predict: Predict | None = None) -> dict[str, Rounding]:
        """Joins the parts, and stores the labels with or beside the images.

        Args:
          labels: (n,) of all images.
          predict: from images in the classifier's bounds to logits, to find out what rounding to 8 bits changes.

        Returns:
          For a form that rounds, what it changed, by the name of the file or folder; read from disk where it was found out before.

        Raises:
          UserError: a part is missing, as where it was removed by hand, or the folder cannot be written to.
        """
        outcomes = {}
        for parts in sorted(self._parts.iterdir()) if self._parts.exists() else ():
            if not self._is_whole(parts.name):  # else a run was killed between the two steps
                self._join(parts, labels, predict)
            shutil.rmtree(parts)
        if self.rounds:
            for path in sorted(self._rounding("*").parent.glob("*.json")):
                outcomes[path.stem] = Rounding(**files.read_json(path))
        if self._form == "npy":
            with files.atomic_path(self._folder / "labels.npy") as temporary:
                np.save(temporary, labels)
        return outcomes

    def _part(self, name: str, rows: np.ndarray) -> pathlib.Path:
        return self._parts / _plain(name) / f"{rows[0]}.npz"

    def _path(self, plain: str) -> pathlib.Path:
        return self._folder / f"{plain}{SUFFIXES[self._form]}"

    def _rounding(self, plain: str) -> pathlib.Path:
        return self._parts.parent / "rounding" / f"{plain}.json"

    def _is_whole(self, plain: str) -> bool:
        path = self._path(plain)
        if self.rounds and not self._rounding(plain).exists():
            return False
        return count_saved(path) == self._contents.count if path.is_dir() else path.exists()

    def _join(self, parts: pathlib.Path, labels: np.ndarray, predict: Predict | None) -> None:
        self._check(parts)
        path = self._path(parts.name)
        if path.is_dir():
            shutil.rmtree(path)
        WRITERS[self._form](path, self._chunks(parts), labels, self._contents)
        if self.rounds:
            outcome = Rounding()
            for rows, images in self._chunks(parts):
                if predict is not None:
                    rounded = self._contents.from_levels(levels_of(images, self._contents.bounds))
                    outcome += Rounding.of(predict, images, rounded, labels[rows])
            files.write_json(self._rounding(parts.name), dataclasses.asdict(outcome))

    def _chunks(self, parts: pathlib.Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and images of each part, in the order of the first rows."""
        for part in sorted(parts.iterdir(), key=lambda path: int(path.stem) if path.stem.isdigit() else -1):
            arrays = files.read_arrays(part, "adversarial images", _AGAIN)
            yield arrays["rows"], arrays["images"]

    def _check(self, parts: pathlib.Path) -> None:
        missing = np.ones(self._contents.count, bool)
        for part in parts.iterdir():
            missing[files.read_arrays(part, "adversarial images", _AGAIN)["rows"]] = False
        if missing.any():
            raise expected(
                f"adversarial images of all {len(missing)} images in {parts}", f"none of {missing.sum()}", _AGAIN
            )


def _plain(name: str) -> str:
    """The name of an attack as that of a file: with a "-" for each "/" two surrogates' paths could become one name."""
    return files.slug(name) if "/" in name or len(name.encode()) > _LONGEST else name
