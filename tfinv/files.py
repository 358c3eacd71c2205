"""Atomic writes: a file is either whole or absent, and a killed write leaves the old file or none."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfinv import paths
from tfinv.errors import UserError, expected


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, and moves it there when the block ends without an error.

    The temporary name keeps the suffix, since writers such as Keras choose the format by it.

    Raises:
      UserError: the folder cannot be written to, or the disk is full.
    """
    path = paths.expand(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
    except OSError as error:
        raise unwritable(path.parent, error) from error
    try:
        temporary = scratch / path.name
        yield temporary
        with open(temporary, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def digest(path: str | os.PathLike) -> str:
    """Returns the SHA-256, in hexadecimal, of a file, or of all files of a folder with their names."""
    root, sha256 = paths.expand(path), hashlib.sha256()
    for part in sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]:
        sha256.update(str(part.relative_to(root)).encode())
        with open(part, "rb") as file:
            sha256.update(hashlib.file_digest(file, "sha256").digest())
    return sha256.hexdigest()


def slug(text: str) -> str:
    """Returns a file name of at most 69 characters that is unique to the text."""
    plain = "".join(c if c.isalnum() or c in "-_.=" else "-" for c in text)[:60].strip("-")
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def unwritable(path: str | os.PathLike, error: OSError) -> UserError:
    """Returns the error for a path that cannot be written to."""
    reason = error.strerror or str(error)
    return expected("a folder that can be written to", f"{path} ({reason})", "Change --workdir.")


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a whole text file or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes a whole JSON file or nothing. NaN and infinity, which JSON lacks, are refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file.

    Raises:
      UserError: it is missing, cannot be read, or is not JSON.
    """
    try:
        return json.loads(paths.expand(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise expected("an existing file", path) from error
    except OSError as error:
        raise expected("a file that can be read", f"{path} ({error.strerror})") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise expected("a JSON file", f"{path} ({error})") from error


def read_arrays(path: str | os.PathLike, description: str, hint: str = "") -> dict[str, np.ndarray]:
    """Reads the arrays of an .npz file, by name.

    Args:
      path: of the file.
      description: the kind of file that is expected, for the error.
      hint: how to repair it, for the error.

    Raises:
      UserError: it is missing, damaged, or needs code to be read.
    """
    try:
        with open(paths.expand(path), "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (
        OSError,
        ValueError,
        EOFError,
        AttributeError,
        TypeError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # AttributeError and TypeError: a bare .npy array, whatever its name, is no context manager
        raise expected(description, f"{path} ({error})", hint) from error
