"""Resumption of killed trainings: Keras's BackupAndRestore with atomic backups, and trainings whose model is stored once."""

import math
import os
import pathlib
import shutil
from collections.abc import Callable

import keras

from tfinv import files, paths
from tfinv.errors import expected


class AtomicBackup(keras.callbacks.BackupAndRestore):
    """Writes each epoch's weights and number into a folder that is renamed into place.

    Keras overwrites its two files one after the other. Killed during the first, it can't restore; killed between the two, it
    restores the weights of one epoch with the number of another, and trains that epoch twice.

    A damaged backup raises an error that names it.

    The last backup stays when the training ends, in case of a kill before the model is saved; `trained_once` removes it.

    Args:
      folder: of the backups.
      writes: whether it writes to the folder; otherwise it only restores the backups of another worker.
    """

    def __init__(self, folder: str | os.PathLike, writes: bool = True):
        super().__init__(str(folder), delete_checkpoint=False)
        self._folder, self._writes = paths.expand(folder), writes

    def on_epoch_end(self, epoch, logs=None):
        """Backs up unless a metric is not finite: a training resumed after its last epoch has no loss to show that."""
        if all(math.isfinite(float(v)) for v in (logs or {}).values()):
            super().on_epoch_end(epoch, logs)

    def _set_paths(self, folder: pathlib.Path) -> None:
        self._weights_path = str(folder / "latest.weights.h5")
        self._training_metadata_path = str(folder / "training_metadata.json")

    def _load_model(self):
        backups = self._backups()
        if backups:
            self._set_paths(backups[-1])
            try:
                super()._load_model()
            except (OSError, ValueError, KeyError) as error:
                raise expected(
                    "a whole backup of a training", f"{backups[-1]} ({error})", "Remove that folder."
                ) from error

    def _save_model(self):
        if not self._writes:
            return
        partial = self._folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._set_paths(partial)
        super()._save_model()
        old = self._backups()
        os.rename(partial, self._folder / f"epoch-{self._current_epoch:06d}")
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)

    def _backups(self) -> list[pathlib.Path]:
        """Complete backups, oldest first."""
        return sorted(self._folder.glob("epoch-*"))


def trained_once(path: pathlib.Path, folder: pathlib.Path, make: Callable[[pathlib.Path], keras.Model]) -> keras.Model:
    """Trains a model and stores it, or reads it from the file if it exists.

    The folder's `backup/` is removed only after the model is stored.

    Args:
      path: the .keras file.
      folder: of the training.
      make: trains and returns the model, given the folder.

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
