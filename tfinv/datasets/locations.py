"""Locations of data sets: a folder with `tensorflow_datasets/` (prepared) and `manual/` (downloaded by hand)."""

import os
import pathlib

from tfinv import paths

VARIABLE = "TFINV_DATA_DIR"
HINT = f"The data folder is set with --data_dir or {VARIABLE}."


def data_dir(folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Returns the absolute path of the data folder: the argument, else TFINV_DATA_DIR, else ~/.cache/tfinv."""
    path = folder or os.environ.get(VARIABLE)
    if not path:
        path = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "tfinv"
    return paths.expand(path).absolute()


def prepared_dir(folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Returns the folder of the data sets prepared by TensorFlow Datasets, its `data_dir`."""
    return data_dir(folder) / "tensorflow_datasets"


def manual_dir(folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Returns the folder of manually downloaded files."""
    return data_dir(folder) / "manual"
