"""Trainings that go on where they were killed: Keras's BackupAndRestore with backups that are whole or absent, and their end."""

import math
import os
import pathlib
import shutil
from collections.abc import Callable

import keras

from tfinv import files
from tfinv.errors import expected


class WholeBackup(keras.callbacks.BackupAndRestore):
    """Writes each epoch's weights and number into a folder that is renamed into place.

    Keras overwrites its two files one after the other: killed in the first it can't restore, and between the two it restores the
    weights of one epoch with the number of another, and trains that epoch twice.

    A damaged backup is an error that names it.

    The last backup stays when the training ends, for a kill before the model is saved; `trained_once` removes it then.

    Args:
      folder: of the backups.
      writes: whether it does anything to the folder; otherwise it only goes on from what another worker wrote there.
    """

    def __init__(self, folder: str | os.PathLike, writes: bool = True):
        super().__init__(str(folder), delete_checkpoint=False)
        self._folder, self._writes = pathlib.Path(folder), writes

    def on_epoch_end(self, epoch, logs=None):
        """Backs up, unless the epoch broke down: a training that goes on from such weights would end without a loss to tell it."""
        if all(math.isfinite(float(v)) for v in (logs or {}).values()):
            super().on_epoch_end(epoch, logs)

    def _point_at(self, place: pathlib.Path) -> None:
        self._weights_path = str(place / "latest.weights.h5")
        self._training_metadata_path = str(place / "training_metadata.json")

    def _load_model(self):
        whole = self._whole()
        if whole:
            self._point_at(whole[-1])
            try:
                super()._load_model()
            except (OSError, ValueError, KeyError) as error:
                raise expected(
                    "a whole backup of a training", f"{whole[-1]} ({error})", "Remove that folder."
                ) from error

    def _save_model(self):
        if not self._writes:
            return
        partial = self._folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._point_at(partial)
        super()._save_model()
        old = self._whole()
        os.rename(partial, self._folder / f"epoch-{self._current_epoch:06d}")
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)

    def _whole(self) -> list[pathlib.Path]:
        return sorted(self._folder.glob("epoch-*"))


def trained_once(path: pathlib.Path, folder: pathlib.Path, make: Callable[[pathlib.Path], keras.Model]) -> keras.Model:
    """The model that `make` trains, given its training's folder; trained once, then read from the file.

    The folder's `backup/` is removed when the model is stored, and no sooner.

    Args:
      path: the .keras file.
      folder: of the training.
      make: trains and returns the model.

    Raises:
      UserError: the file is damaged.
    """
    if not path.exists():
        model = make(folder)
        with files.atomic_path(path) as temporary:
            model.save(temporary)
        shutil.rmtree(folder / "backup", ignore_errors=True)
    try:
        return keras.models.load_model(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise expected("a whole model", f"{path} ({reason})", "Remove that file, to train it again.") from error
