"""The table of images: one line an image, as CSV for spreadsheets and as Parquet for data frames."""

import csv
import importlib
import importlib.util
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfinv import paths
from tfinv.errors import expected
from tfinv.files import atomic_path

CSV, PARQUET = "records.csv", "records.parquet"

# A spreadsheet runs a cell that begins with one of these as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_records(folder: str | os.PathLike, columns: Mapping[str, np.ndarray]) -> list[pathlib.Path]:
    """Writes the table as `records.csv`, and as `records.parquet` where pyarrow is installed, as it is with tensorflow-datasets.

    The CSV is that of RFC 4180 in UTF-8: a header, lines that end in CR LF, quotes where a text needs them. NaN is an empty field.
    A text that a spreadsheet would run as a formula has an apostrophe in front. Parquet has the values as they are, NaN as null.
    Each file is whole or absent; a Parquet file of an earlier table is removed where it can't be replaced.

    Args:
      folder: which is made if it does not exist.
      columns: (n,) numbers, booleans or texts by the name of the column, all of one length.

    Returns:
      The paths of what was written.

    Raises:
      UserError: there are no columns, they differ in length or have more than one dimension, or the folder can't be written to.
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if not arrays or len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise expected("columns (n,) of one length, at least one", shapes or "none", "Change `columns`.")
    folder = paths.expand(folder)
    with atomic_path(folder / CSV) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_safe(str(name)) for name in arrays])
        writer.writerows(zip(*map(_cells, arrays.values()), strict=True))
    if importlib.util.find_spec("pyarrow") is None:
        (folder / PARQUET).unlink(missing_ok=True)
        return [folder / CSV]
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    # from_pandas: NaN becomes null, without pandas being needed.
    table = arrow.table({str(name): arrow.array(_plain(array), from_pandas=True) for name, array in arrays.items()})
    with atomic_path(folder / PARQUET) as temporary:
        parquet.write_table(table, temporary)
    return [folder / CSV, folder / PARQUET]


def _cells(array: np.ndarray) -> list[str]:
    """The values as texts; of a number the shortest that reads back as the same number of its type."""
    if array.dtype.kind == "f":
        return ["" if np.isnan(value) else str(value) for value in array]
    if array.dtype.kind in "iub":
        return [str(value) for value in array]
    return [_safe(str(value)) for value in array]


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(array: np.ndarray) -> np.ndarray | list[str]:
    """A column as pyarrow takes it: NumPy's texts of one width are not among that."""
    return array if array.dtype.kind in "iubf" else [str(value) for value in array]
