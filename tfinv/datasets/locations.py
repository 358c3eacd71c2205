"""Where data sets lie: a folder with `tensorflow_datasets/` (prepared) and `manual/` (downloaded by hand)."""

import os
import pathlib

VARIABLE = "TFINV_DATA_DIR"
HINT = f"The data folder is set with --data_dir or {VARIABLE}."


def data_dir(given: str | os.PathLike | None = None) -> pathlib.Path:
    """The data folder, absolute: the argument, else TFINV_DATA_DIR, else ~/.cache/tfinv."""
    chosen = given or os.environ.get(VARIABLE)
    if not chosen:
        chosen = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "tfinv"
    return pathlib.Path(chosen).expanduser().absolute()


def prepared_dir(given: str | os.PathLike | None = None) -> pathlib.Path:
    """Where TensorFlow Datasets keeps what it has prepared: its own `data_dir`."""
    return data_dir(given) / "tensorflow_datasets"


def manual_dir(given: str | os.PathLike | None = None) -> pathlib.Path:
    """Where files that are downloaded by hand belong."""
    return data_dir(given) / "manual"
