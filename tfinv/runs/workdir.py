"""Working folder that keeps finished stages, so that a killed command goes on where it was."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.training.backup import trained_once

_CONFIG = "config.json"
# Raised when the contents of a stage change their meaning: figures of two meanings don't belong in one report.
_FORMAT = 3


class Workdir:
    """The folder of one command and configuration.

    Args:
      path: created if missing.
      config: the resolved configuration; must be JSON.
      writes: whether stages are stored; otherwise those that another worker stores are read, and the others made in memory.
      resume: whether a folder that has stages may be used.

    Raises:
      UserError: the folder cannot be written to, belongs to another configuration, or has stages without `resume`.
    """

    def __init__(self, path: str | os.PathLike, config: dict[str, Any], *, writes: bool = True, resume: bool = True):
        self.path, self.writes = paths.expand(path), writes
        config = {"workdir_format": _FORMAT, **config}
        config_path = self.path / _CONFIG
        if self.path.exists() and not self.path.is_dir():
            raise expected("a folder", f"the file {self.path}", "Change --workdir.")
        # The configuration of a folder without stages may be about to be replaced, by the worker that writes.
        if config_path.exists() and _has_stages(self.path):
            if writes and not resume:
                raise expected(
                    "a --workdir that no run has begun, with --noresume",
                    self.path,
                    "Change --workdir, remove that folder, or leave out --noresume.",
                )
            old = files.read_json(config_path)
            if not isinstance(old, dict):
                raise expected("the configuration of a run", config_path, "Change --workdir, or remove that folder.")
            different = sorted(k for k in {*old, *config} if old.get(k) != config.get(k))
            if different:
                differences = ", ".join(f"{k}={old.get(k)!r} there, {config.get(k)!r} now" for k in different)
                raise expected(
                    f"a --workdir of this configuration in {self.path}",
                    differences,
                    "Change --workdir, or remove that folder.",
                )
        elif writes:
            files.write_json(config_path, config)

    def json(self, name: str, make: Callable[[], Any]) -> Any:
        """Returns the JSON value of `make`, which is called once; then it is read from `stages/name.json`."""
        path = self.path / "stages" / f"{name}.json"
        if path.exists():
            return files.read_json(path)
        value = make()
        if not self.writes:
            return value
        files.write_json(path, value)
        return files.read_json(path)

    def arrays(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Returns the arrays of `make`, by name, which is called once; then they are read from `stages/name.npz`."""
        path = self.path / "stages" / f"{name}.npz"
        if not path.exists():
            arrays = make()
            if not self.writes:
                return arrays
            with files.atomic_path(path) as temporary:
                np.savez(temporary, **arrays)  # type: ignore[arg-type]
        return files.read_arrays(path, "a whole stage of an earlier run", "Remove that file, to make it again.")

    def forget(self, name: str) -> None:
        """Removes the arrays of a stage, so that they are made again."""
        (self.path / "stages" / f"{name}.npz").unlink(missing_ok=True)

    def model(self, name: str, make: Callable[[pathlib.Path], keras.Model]) -> keras.Model:
        """Returns the model that `make` trains, given a folder; see `trained_once`. Its file is `models/name.keras`."""
        path, folder = self.path / "models" / f"{name}.keras", self.path / "training" / name
        return trained_once(path, folder, make) if self.writes or path.exists() else make(folder)


def _has_stages(path: pathlib.Path) -> bool:
    """Whether a run has left more than its configuration: after one that was refused, the next may have other flags."""
    return any(p.name != _CONFIG for p in path.iterdir())


def read_config(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the configuration that a working folder belongs to.

    Raises:
      UserError: there is none.
    """
    return files.read_json(paths.expand(path) / _CONFIG)
