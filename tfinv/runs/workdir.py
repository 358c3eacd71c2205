"""A working folder whose finished stages are kept, so that a killed command goes on where it was."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfinv import files
from tfinv.errors import expected
from tfinv.training.backup import trained_once

_CONFIG = "config.json"
# Goes up when what a stage holds comes to mean something else: figures of two meanings don't belong in one report.
_FORMAT = 2


class Workdir:
    """The folder of one command and configuration.

    Args:
      path: created if missing.
      config: the resolved configuration; must be JSON.
      writes: whether it keeps what is made; otherwise it reads what another worker keeps, and makes the rest for itself.
      resume: whether to go on with what it has.

    Raises:
      UserError: the folder cannot be written to, belongs to another configuration, or was begun where none is to be resumed.
    """

    def __init__(self, path: str | os.PathLike, config: dict[str, Any], *, writes: bool = True, resume: bool = True):
        self.path, self.writes = pathlib.Path(path), writes
        config = {"workdir_format": _FORMAT, **config}
        kept = self.path / _CONFIG
        if self.path.exists() and not self.path.is_dir():
            raise expected("a folder", f"the file {self.path}", "Change --workdir.")
        # One that no run has begun may be about to be replaced, by the worker that writes.
        if kept.exists() and _begun(self.path):
            if writes and not resume:
                raise expected(
                    "a --workdir that no run has begun, with --noresume",
                    self.path,
                    "Change --workdir, remove that folder, or leave out --noresume.",
                )
            old = files.read_json(kept)
            if not isinstance(old, dict):
                raise expected("the configuration of a run", kept, "Change --workdir, or remove that folder.")
            different = sorted(k for k in {*old, *config} if old.get(k) != config.get(k))
            if different:
                shown = ", ".join(f"{k}={old.get(k)!r} there, {config.get(k)!r} now" for k in different)
                raise expected(
                    f"a --workdir of this configuration in {self.path}",
                    shown,
                    "Change --workdir, or remove that folder.",
                )
        elif writes:
            files.write_json(kept, config)

    def json(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, a JSON value: computed once, then read from `stages/name.json`."""
        path = self.path / "stages" / f"{name}.json"
        if path.exists():
            return files.read_json(path)
        made = make()
        if not self.writes:
            return made
        files.write_json(path, made)
        return files.read_json(path)

    def arrays(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What `make` returns, arrays by name: computed once, then read from `stages/name.npz`."""
        path = self.path / "stages" / f"{name}.npz"
        if not path.exists():
            made = make()
            if not self.writes:
                return made
            with files.atomic_path(path) as temporary:
                np.savez(temporary, **made)  # type: ignore[arg-type]
        return files.read_arrays(path, "a whole stage of an earlier run", "Remove that file, to make it again.")

    def model(self, name: str, make: Callable[[pathlib.Path], keras.Model]) -> keras.Model:
        """The model that `make` trains, given a folder; see `trained_once`. Its file is `models/name.keras`."""
        path, folder = self.path / "models" / f"{name}.keras", self.path / "training" / name
        return trained_once(path, folder, make) if self.writes or path.exists() else make(folder)


def _begun(path: pathlib.Path) -> bool:
    """Whether a run has left more than its configuration: one that was refused has not, and the next may have other flags."""
    return any(p.name != _CONFIG for p in path.iterdir())


def read_config(path: str | os.PathLike) -> dict[str, Any]:
    """The configuration that a working folder belongs to.

    Raises:
      UserError: there is none.
    """
    return files.read_json(pathlib.Path(path) / _CONFIG)
