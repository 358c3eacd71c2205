"""FER2013 in the forms in which Kaggle has it: the csv of the challenge, that of its later copies, and folders of pictures."""

import csv
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from tfinv.errors import UserError, expected

SIDE = 48
CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
_COLUMNS = ("emotion", "pixels", "usage")
_CSV_FILES = ("fer2013.csv", "icml_face_data.csv")
_ROW = "emotion,pixels,Usage"
# Other names that the folders have in some copies.
_ALIASES = {
    "anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad", "surprised": "surprise",
}  # fmt: skip
_AGAIN = "Download it again."

Example = dict[str, Any]


def splits_of(path: Any) -> tuple[str, ...]:
    """Returns the names of the splits that a csv file, an archive or a folder tells apart.

    Folders have the two test sets in one; where the files have their names in front (PublicTest_1.jpg), they are told apart.
    """
    if not path.is_dir():
        return tuple(USAGES)
    names = [file.name for _, file in _files(path / "test")]
    of_kaggle = names and all(name.startswith(("PublicTest_", "PrivateTest_")) for name in names)
    return tuple(USAGES) if of_kaggle else ("train", "test")


def examples(path: Any, split: str) -> Iterator[Example]:
    """Yields the images and labels of a split. All rows of a csv are validated, also those of other splits.

    Args:
      path: a csv file, the archive of the challenge, which is never extracted to disk, or a folder with train/ and test/.
      split: "train", "validation" or "test".

    Raises:
      UserError: it is damaged, or of another form.
    """
    if path.is_dir():
        yield from _pictures(path, split)
        return
    try:
        for number, emotion, pixels, usage in _rows(path):
            if usage not in USAGES.values():
                raise _broken(path, number, f"not the three fields {_ROW}: usage {usage[:20]!r}")
            if usage == USAGES[split]:
                yield _example(path, number, emotion, pixels)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, tarfile.TarError, zlib.error) as error:
        raise expected("a whole file of FER2013", f"{path} ({error})", _AGAIN) from error


def _rows(path: Any) -> Iterator[tuple[int, str, str, str]]:
    """Yields line number, emotion, pixels and usage of each row, whatever the order of the columns."""
    reader = csv.reader(_lines(path))
    header = next(reader, None)
    if header is None:
        return
    columns = [name.strip().lower() for name in header]
    if sorted(columns) != sorted(_COLUMNS):
        raise expected(
            "a csv of FER2013 with the columns emotion, pixels and Usage, as fer2013.csv of Kaggle's challenge or "
            "icml_face_data.csv have them",
            f"{path} line 1: the header {','.join(header)[:80]!r}",
            "Name its columns so, or download one of these.",
        )
    places = [columns.index(name) for name in _COLUMNS]
    for fields in reader:
        if not fields:
            continue
        if len(fields) != len(_COLUMNS):
            raise _broken(path, reader.line_num, f"not the three fields {_ROW}: {','.join(fields)[:40]!r}")
        emotion, pixels, usage = (fields[place].strip() for place in places)
        yield reader.line_num, emotion, pixels, usage


def _lines(path: Any) -> Iterator[str]:
    """Yields the lines of the .csv file, or of the one in the archive."""
    with path.open("rb") as file:
        if path.suffix == ".csv":
            with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                yield from text
            return
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.rpartition("/")[2] in _CSV_FILES:
                    content = archive.extractfile(member)
                    assert content is not None  # since it is a file
                    with io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as text:
                        yield from text
                    return
    raise expected("fer2013.csv in the archive", f"{path} without it", _AGAIN)


def _pictures(path: Any, split: str) -> Iterator[Example]:
    """Yields the pictures of class folders, in the order of the numbers in their names, so that the classes are mixed."""
    part = path / ("train" if split == "train" else "test")
    told = len(splits_of(path)) == len(USAGES)
    files = [
        (int(number[-1]) if (number := re.findall(r"\d+", file.name)) else 0, label, file)
        for label, file in _files(part)
        if split == "train" or not told or file.name.startswith(f"{USAGES[split]}_")
    ]
    for _, label, file in sorted(files, key=lambda entry: (entry[0], entry[1], entry[2].name)):
        try:
            with Image.open(io.BytesIO(file.read_bytes())) as image:
                if image.size != (SIDE, SIDE):
                    raise _unreadable(file, f"{image.width} x {image.height} pixels")
                yield {"image": np.asarray(image.convert("L"))[..., None], "label": label}
        except UserError:
            raise
        except (OSError, SyntaxError, EOFError, ValueError, Image.DecompressionBombError) as error:
            raise _unreadable(file, str(error)) from error


def _files(part: Any) -> list[tuple[int, Any]]:
    """The label, that of the csv, and the path of each file of a split's class folders."""
    labels = {name: label for label, name in enumerate(CLASS_NAMES)}
    folders = {p.name: p for p in part.iterdir() if p.is_dir() and not p.name.startswith(".")} if part.is_dir() else {}
    label_of = {name: labels.get(_ALIASES.get(name.strip().lower(), name.strip().lower())) for name in folders}
    if sorted(label for label in label_of.values() if label is not None) != list(range(len(CLASS_NAMES))) or (
        None in label_of.values()
    ):
        shown = ", ".join(sorted(folders)) or "none"
        raise expected(
            f"the folders {', '.join(CLASS_NAMES)} in {part}, as Kaggle's copies of FER2013 as pictures have them",
            shown,
            _AGAIN,
        )
    suffixes = (".jpg", ".jpeg", ".png")
    return [
        (label_of[name], file)  # type: ignore[misc]
        for name, folder in folders.items()
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not file.name.startswith(".")
    ]


def _example(path: Any, number: int, emotion: str, pixels: str) -> Example:
    try:
        label = int(emotion)
        levels = np.array([int(level) for level in pixels.split()])
    except ValueError as error:
        raise _broken(path, number, str(error)) from error
    if not 0 <= label < len(CLASS_NAMES):
        raise _broken(path, number, f"emotion {label}")
    if levels.size != SIDE * SIDE or levels.min() < 0 or levels.max() > 255:
        raise _broken(path, number, f"{levels.size} grey levels, or some outside 0..255")
    return {"image": levels.astype(np.uint8).reshape(SIDE, SIDE, 1), "label": label}


def _unreadable(file: Any, reason: str) -> UserError:
    return expected("pictures of FER2013, 48 x 48 pixels", f"{file} ({reason})", _AGAIN)


def _broken(path: Any, number: int, reason: str) -> UserError:
    expectation = "rows of emotion 0..6, 2304 grey levels 0..255, and Training, PublicTest or PrivateTest"
    return expected(expectation, f"{path} line {number}: {reason}", _AGAIN)
