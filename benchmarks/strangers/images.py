"""Images for the models: noise, and labelled ones of public data sets or of the authors' own repositories."""

import dataclasses
import functools
import pathlib
import re

import numpy as np
from PIL import Image

from tfinv import datasets

NOISE, LABELLED = 8, 500
_ALL = "-all"
# Files in the folder of images, and the part of the path that is the label.
_FILES = {
    "sudoku": ("danipaco0-sudoku-digits/data2/testing_data/*/*", r"/(\d)/[^/]*$"),
    "letters": ("decaptcha-letters/extracted_images/*/*", r"/([A-Z])/[^/]*$"),
    "captcha-characters": ("oliwiarejman-captcha/processed_images/*", ""),
    "braille": ("braille/img/*", r"/(\w)[^/]*$"),
    "pencil": ("holleman-pencil/training/dataset/*/*", r"/(pencil|no_pencil)/[^/]*$"),
    "flowers": ("k2tf-flowers/flowers/raw_data/*/*/*.jpg", r"/(\w+)/[^/]*$"),
    "mri": ("mri/brain_tumor_dataset/*/*.jpg", r"/(yes|no)/[^/]*$"),
}


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Labelled images: (n, H, W, C) uint8, (n,) labels, and the names of the classes in the order of the labels."""

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    def in_order(self, order: str) -> np.ndarray:
        """(n,) labels as numbers of outputs whose names are joined with |; as they are for an empty text."""
        if not order:
            return self.labels
        return np.array([order.split("|").index(name) for name in self.names])[self.labels]


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """(8, H, W, C) uint8: half of it plain noise, half of it in blocks, that some contrast passes the poolings."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NOISE, *shape), np.uint8)
    rows, columns = np.arange(shape[0]) // 4, np.arange(shape[1]) // 4
    images[NOISE // 2 :] = images[NOISE // 2 :][:, rows][:, :, columns]
    return images


@functools.lru_cache(maxsize=4)
def labelled(data: str, shape: tuple[int, ...], folder: pathlib.Path) -> Labelled:
    """Labelled images of a size: the first 500 of a data set's test split, or 500 drawn from an author's own.

    Args:
      data: name; with "-all" behind it for the whole test split.
      shape: (H, W, C).
      folder: with the images of authors.
    """
    if data in _FILES:
        return _from_files(data, shape, folder)
    if data == "digits8":
        return _digits()
    limit = None if data.endswith(_ALL) else LABELLED
    loaded = datasets.load(
        data.removesuffix(_ALL), split="test", limit=limit, image_size=shape[:2], channels=shape[2], resize="pillow"
    )
    pixels = np.rint(loaded.images * 255).astype(np.uint8)
    return Labelled(pixels, np.asarray(loaded.labels), loaded.class_names)


def _from_files(data: str, shape: tuple[int, ...], folder: pathlib.Path) -> Labelled:
    pattern, label = _FILES[data]
    paths = sorted(folder.glob(pattern))
    chosen = np.random.default_rng(0).permutation(len(paths))[:LABELLED]
    pixels, texts = [], []
    for path in (paths[i] for i in chosen):
        image = Image.open(path).convert("L" if shape[2] == 1 else "RGB")
        if image.size != (shape[1], shape[0]):
            image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        pixels.append(np.asarray(image).reshape(shape))
        match = re.search(label, str(path)) if label else None
        # The captcha's characters are files such as 226md_3.png, of the fourth character.
        texts.append(match.group(1) if match else path.stem.split("_")[0][int(path.stem.split("_")[1])])
    names, labels = np.unique(texts, return_inverse=True)
    return Labelled(np.stack(pixels), labels, tuple(str(name) for name in names))


def _digits() -> Labelled:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images[:LABELLED, ..., None] * (255 / 16)).astype(np.uint8)
    return Labelled(pixels, digits.target[:LABELLED], tuple(str(k) for k in range(10)))
