"""Data sets that are a folder of class folders of image files."""

import os
import pathlib

import numpy as np

from tfinv.datasets import images
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.splitting import eighty_twenty, split_indices
from tfinv.errors import expected


def load_folder(
    path: str | os.PathLike, split: str, limit: int | None, seed: int, image_size: tuple[int, int] | None
) -> Dataset:
    """Reads a folder of class folders.

    Args:
      path: a folder whose folders are the classes, in the order of their names; or one that has train/ and
        test/, each such a folder. Files that are not images, hidden files and deeper folders are ignored.
      split: "train", "test" or "all". Without train/ and test/, a stratified 80/20 split is drawn by `seed`.
      limit: read only that many images of the split, or None for all.
      seed: of that split, and of the order of the images in every split.
      image_size: (height, width) to resize each image to, or None if all have one size.

    Returns:
      Pixels with one channel if every file is grey, otherwise RGB; transparency is dropped.

    Raises:
      UserError: no classes or images, an image that cannot be read, or sizes that differ.
    """
    root = pathlib.Path(path).resolve()  # so that .. has a name
    parts = ("train", "test") if all((root / part).is_dir() for part in ("train", "test")) else (".",)
    classes = _folders(root / parts[0])
    files: list[pathlib.Path] = []
    labels: list[int] = []
    part_of: list[str] = []
    for part in parts:
        for file, label in _listing(root / part, classes, whole=part != "test"):
            files.append(file)
            labels.append(label)
            part_of.append(part)
    if not files:
        what = f"a folder of class folders of images, or of train/ and test/, at {root}"
        raise expected(what, "no class folders")
    chosen = _chosen(np.array(labels, np.int64), np.array(part_of), len(classes), split, seed)
    if not len(chosen):
        hint = "Give a class two images or more, or use train/ and test/."
        raise expected(f"images for the split {split} in {root}", "none", hint)
    chosen = chosen[:limit]
    grey = all(images.is_grey(file) for file in files)  # over all splits, so that all have the same channels
    pixels = _pixels([files[i] for i in chosen], grey, image_size)
    return Dataset(root.name, split, pixels, np.array(labels, np.int64)[chosen], tuple(classes))


def _chosen(labels: np.ndarray, part_of: np.ndarray, num_classes: int, split: str, seed: int) -> np.ndarray:
    if "train" not in part_of:
        return split_indices(labels, split, eighty_twenty(labels, num_classes), seed)
    order = split_indices(labels, "all", np.zeros(num_classes, np.int64), seed)
    return order if split == "all" else order[part_of[order] == split]


def _folders(path: pathlib.Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _listing(path: pathlib.Path, classes: list[str], whole: bool) -> list[tuple[pathlib.Path, int]]:
    """The images of `path` with their labels. If `whole`, no class may be without."""
    unknown = sorted(set(_folders(path)) - set(classes))
    if unknown:
        raise expected(f"in {path} the classes of train/ only", ", ".join(unknown))
    found: list[tuple[pathlib.Path, int]] = []
    for label, name in enumerate(classes):
        files = _images(path / name)
        if whole and not files:
            what = f"images ({' '.join(sorted(images.EXTENSIONS))}) in each class folder"
            raise expected(what, f"none in {path / name}", "Fill or remove that folder.")
        found += [(file, label) for file in files]
    return found


def _images(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return []
    visible = (p for p in path.iterdir() if not p.name.startswith("."))
    return sorted(p for p in visible if p.suffix.lower() in images.EXTENSIONS and p.is_file())


def _pixels(files: list[pathlib.Path], grey: bool, image_size: tuple[int, int] | None) -> np.ndarray:
    pixels = np.empty(0)
    for i, file in enumerate(files):
        image = images.read(file, grey)
        if image_size is not None:
            image = images.resize(image[None], image_size)[0]
        if i == 0:
            pixels = np.empty((len(files), *image.shape), np.uint8)
        if image.shape != pixels.shape[1:]:
            sizes = " and ".join(
                f"{h}x{w} in {f}" for (h, w, _), f in ((pixels.shape[1:], files[0]), (image.shape, file))
            )
            hint = "Set --image_size=HEIGHT,WIDTH to resize them."
            raise expected("images of one size (height x width)", sizes, hint)
        pixels[i] = image
    return pixels
