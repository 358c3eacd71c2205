"""Data sets in a folder with one subfolder of image files per class."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfinv import paths
from tfinv.datasets import classes, fitting, images, pixels
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.fitting import Form
from tfinv.datasets.splitting import eighty_twenty, split_indices
from tfinv.errors import UserError, expected

# Names of the folder that stands beside train/, the first that is there.
_HELD_OUT = ("test", "validation", "valid", "val")


@dataclasses.dataclass(frozen=True)
class _Listing:
    """Image files of all splits.

    Attributes:
      files: (n,) paths.
      labels: (n,) numbers of their classes.
      parts: (n,) names of their splits; "." without any.
      names: of the classes.
      notes: phrases on their order.
    """

    files: list[pathlib.Path]
    labels: np.ndarray
    parts: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...]


def load_folder(path: str | os.PathLike, split: str, limit: int | None, seed: int, form: Form) -> Dataset:
    """Reads a folder of class folders.

    Args:
      path: a folder whose subfolders are the classes; or a folder with train/ and test/ (or validation/, valid/, val/), each of
        this form. Classes are in the order of their names, or of their numbers if all names are whole numbers; or matched with
        the form's class names, of which some may be missing. Files in deeper folders belong to the class, as for Keras. Files
        that are not images, and hidden ones, are ignored.
      split: "train", "test" or "all". Without train/ and test/, a stratified 80/20 split is drawn by `seed`.
      limit: number of images to read, the first of the split, or None for all.
      seed: of that split, and of the order of the images in every split.
      form: size, channels and classes of the model. Keras's pixels unless it says otherwise.

    Returns:
      Pixels with one channel if every file is grey, otherwise RGB; transparency is dropped. Many are decoded on demand.

    Raises:
      UserError: no classes or images, unreadable images, different sizes, or classes that can't be told.
    """
    root = paths.expand(path).resolve()  # so that .. has a name
    listing = _list(root, form)
    rows = _split_rows(listing, split, seed)
    if not len(rows):
        hint = "Give a class two images or more, or use train/ and test/."
        raise expected(f"images for the split {split} in {root}", "none", hint)
    rows = rows[:limit]
    array, notes = _pixels(listing.files, rows, form)
    return Dataset(root.name, split, array, listing.labels[rows], listing.names, (*listing.notes, *notes))


def _list(root: pathlib.Path, form: Form) -> _Listing:
    """Lists the files of all splits, with the labels of their classes."""
    parts, notes = _parts(root)
    folders = _folders(root / parts[0])
    if not folders:
        expectation = f"a folder of class folders of images, or of train/ and test/, at {root}"
        raise expected(expectation, "no class folders")
    _refuse_splits(root / parts[0], folders)
    files_of = {name: _images(root / parts[0] / name) for name in folders}
    empty = [name for name, files in files_of.items() if not files]
    if len(empty) == len(folders):
        expectation = f"images ({' '.join(sorted(images.EXTENSIONS))}) in each class folder"
        raise expected(expectation, f"none in {root / parts[0] / empty[0]}", "Fill or remove that folder.")
    if empty:
        notes.append(f"no images in the class folders {', '.join(empty)} of {root / parts[0]}")
    unknown = sorted({name for part in parts for name in _folders(root / part)} - set(folders))
    if unknown and form.class_names is None:
        raise expected(f"in {root / parts[-1]} the classes of {parts[0]}/ only", ", ".join(unknown))
    labels_of, names, order = _classes([*folders, *unknown], form)
    files: list[pathlib.Path] = []
    labels: list[int] = []
    part_of: list[str] = []
    for part in parts:
        for name in sorted(labels_of):  # whatever their numbers, so that these don't change the split
            images_of_class = files_of.get(name, []) if part == parts[0] else _images(root / part / name)
            files += images_of_class
            labels += [labels_of[name]] * len(images_of_class)
            part_of += [part if part in (".", "train") else "test"] * len(images_of_class)
    return _Listing(files, np.array(labels, np.int64), np.array(part_of), names, (*notes, *order))


def _parts(root: pathlib.Path) -> tuple[tuple[str, ...], list[str]]:
    """The folders of the splits, or "." for none, and notes on their names."""
    held_out = next((part for part in _HELD_OUT if (root / part).is_dir()), None)
    if held_out is None or not (root / "train").is_dir():
        return (".",), []
    return ("train", held_out), [f"the split test is the folder {held_out}/"] if held_out != "test" else []


def _classes(folders: Sequence[str], form: Form) -> tuple[dict[str, int], tuple[str, ...], tuple[str, ...]]:
    """Labels by folder, names of the classes, and notes."""
    if form.class_names is None:
        names, notes = classes.in_order(folders)
        return {name: label for label, name in enumerate(names)}, names, notes
    ordered, _ = classes.in_order(folders)
    labels, notes = classes.match(ordered, form.class_names, "class folders")
    return (
        dict(zip(ordered, map(int, labels), strict=True)),
        form.class_names,
        notes + classes.order_note(ordered, labels),
    )


def _split_rows(listing: _Listing, split: str, seed: int) -> np.ndarray:
    labels, parts, num_classes = listing.labels, listing.parts, len(listing.names)
    if "train" not in parts:
        return split_indices(labels, split, eighty_twenty(labels, num_classes), seed)
    order = split_indices(labels, "all", np.zeros(num_classes, np.int64), seed)
    return order if split == "all" else order[parts[order] == split]


def _folders(path: pathlib.Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _refuse_splits(path: pathlib.Path, folders: Sequence[str]) -> None:
    """Refuses folders that hold nothing but folders of the same names: those are splits, and not classes."""
    inner = [set(_folders(path / name)) for name in folders]
    if not set.intersection(*inner) or any(_has_image(path / name) for name in folders):
        return
    raise expected(
        f"a folder of class folders of images, or of train/ and test/, at {path}",
        f"{', '.join(folders)}, each with the folders {', '.join(sorted(set.intersection(*inner)))}",
        "Name them train/ and test/, or pass one of them as --dataset with --split=all.",
    )


def _has_image(path: pathlib.Path) -> bool:
    """Whether an image is in the folder itself."""
    return any(p.suffix.lower() in images.EXTENSIONS for p in path.iterdir() if not p.name.startswith("."))


def _images(path: pathlib.Path) -> list[pathlib.Path]:
    """The image files below a folder, in the order of their paths."""
    files = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        visible = (name for name in names if not name.startswith("."))
        files += [
            pathlib.Path(folder, name) for name in visible if pathlib.Path(name).suffix.lower() in images.EXTENSIONS
        ]
    return sorted(file for file in files if file.is_file())


def _pixels(
    files: Sequence[pathlib.Path], rows: np.ndarray, form: Form
) -> tuple[np.ndarray | pixels.FilePixels, list[str]]:
    """The pixels of some of the files, with notes on what was done to them.

    All headers are read, so that every split has the same channels and type.
    """
    resizing = form.resizing or images.KERAS
    headers = _headers(files, rows, resizing)
    grey = all(header.grey for header in headers)
    channels = form.channels or (1 if grey else 3)
    sizes = {header.size for header in headers}
    image_size = form.image_size or _one_size(files, headers)
    decoding = pixels.Decoding(channels, resizing, (image_size[0], image_size[1]), sizes != {tuple(image_size)})
    chosen = [headers[row] for row in rows]
    array, by_pillow = pixels.file_pixels([files[row] for row in rows], chosen, decoding)
    notes = []
    if any(header.format in ("JPEG", "MPO") for header in headers):
        notes.append(
            f"JPEG files decoded {'as Keras does, by TensorFlow' if resizing == images.KERAS else 'by Pillow'}"
        )
    if by_pillow:
        notes.append(f"{by_pillow} files decoded by Pillow, since Keras can't: of another format, or of other channels")
    if resizing == images.KERAS and any(header.deep for header in chosen):
        notes.append("of files with 16 bits a channel the upper 8, as Keras takes them")
    if grey and channels == 3:
        notes.append(fitting.channels_note(1))
    if not grey and channels == 1:
        notes.append(fitting.channels_note(3, " by the decoder"))
    if decoding.resized:
        notes.append(fitting.size_note(sizes - {tuple(image_size)}, image_size, resizing))
    return array, notes


def _headers(files: Sequence[pathlib.Path], rows: np.ndarray, resizing: str) -> list[images.Header]:
    """The headers of all files. If some are no images, those of the rows that are damaged further on are in the same error."""
    headers: dict[int, images.Header] = {}
    errors: list[UserError] = []
    for i, file in enumerate(files):
        try:
            headers[i] = images.read_header(file)
        except UserError as error:
            errors.append(error)
    if errors:
        whole = [row for row in rows if row in headers]
        errors += pixels.damaged([files[row] for row in whole], [headers[row] for row in whole], resizing)
    pixels.refuse(errors)
    return list(headers.values())


def _one_size(files: Sequence[pathlib.Path], headers: Sequence[images.Header]) -> tuple[int, int]:
    """The size that all files have."""
    first = headers[0].size
    other = next((i for i, header in enumerate(headers) if header.size != first), None)
    if other is None:
        return first
    shown = " and ".join(f"{h}x{w} in {f}" for (h, w), f in ((first, files[0]), (headers[other].size, files[other])))
    hint = "Set --image_size=HEIGHT,WIDTH to resize them."
    raise expected("images of one size (height x width)", shown, hint)
