"""Corruptions of one image (H, W, C) in [0, 1], C of 1 or 3; results may leave [0, 1], and are clipped by who calls.

All draw the same numbers whatever the severity, so that an image is corrupted more, and not otherwise, at a higher one.
"""

import io
import math

import numpy as np
from PIL import Image
from scipy import ndimage, signal

_OVERSAMPLED = 8  # points along a pixel, for kernels with smooth edges


def gaussian_noise(image: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Adds normal noise, as electronics do in the dark; `scale` is its standard deviation."""
    return image + scale * rng.normal(size=image.shape)


def shot_noise(image: np.ndarray, rng: np.random.Generator, photons: float) -> np.ndarray:
    """Counts photons: Poisson noise, where a white pixel expects so many."""
    return rng.poisson(image * photons) / photons


def impulse_noise(image: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Turns this share of the values black or white, as errors of bits do."""
    hit, white = rng.uniform(size=image.shape) < amount, rng.uniform(size=image.shape) < 0.5
    return np.where(hit, white.astype(image.dtype), image)


def defocus_blur(image: np.ndarray, rng: np.random.Generator, radius: float) -> np.ndarray:
    """Spreads each point over a disc, as a lens out of focus does; `radius` is in pixels."""
    reach = math.ceil(radius)
    fine = (np.arange((2 * reach + 1) * _OVERSAMPLED) + 0.5) / _OVERSAMPLED - reach - 0.5
    inside = fine[:, None] ** 2 + fine**2 <= radius**2
    cells = (2 * reach + 1, _OVERSAMPLED)
    return _convolve(image, inside.reshape(*cells, *cells).mean((1, 3)))


def motion_blur(image: np.ndarray, rng: np.random.Generator, reach: float, scale: float) -> np.ndarray:
    """Moves the camera along a line, at an angle of at most 45 degrees to the horizontal.

    Args:
      image: (H, W, C).
      rng: draws the angle.
      reach: length of the line, in pixels.
      scale: standard deviation along it of the half of a normal distribution that weighs its points, in pixels.
    """
    angle = rng.uniform(-math.pi / 4, math.pi / 4)
    along = np.arange(0, reach, 1 / _OVERSAMPLED)
    half = math.ceil(reach)
    kernel, _, _ = np.histogram2d(
        along * math.sin(angle),
        along * math.cos(angle),
        bins=2 * half + 1,
        range=[[-half - 0.5, half + 0.5]] * 2,
        weights=np.exp(-((along / scale) ** 2) / 2),
    )
    return _convolve(image, kernel)


def fog(image: np.ndarray, rng: np.random.Generator, amount: float, decay: float) -> np.ndarray:
    """Lays fog over the image: smooth noise in octaves, in place of the benchmark's plasma fractal, which is like it.

    Args:
      image: (H, W, C).
      rng: draws the fog.
      amount: of fog at its thickest, for an image of 1.
      decay: by which each finer octave is weaker.
    """
    height, width, _ = image.shape
    field, weight, cells = np.zeros((height, width)), 1.0, 2
    while True:
        grid = rng.uniform(size=(cells + 1, cells + 1))
        places = np.meshgrid(np.linspace(0, cells, height), np.linspace(0, cells, width), indexing="ij")
        field += weight * ndimage.map_coordinates(grid, places, order=1)
        if 2 * cells >= min(height, width):
            break
        weight, cells = weight / decay, 2 * cells
    field -= field.min()
    field /= max(field.max(), np.finfo(np.float64).tiny)
    brightest = image.max()
    return (image + amount * field[..., None]) * brightest / (brightest + amount)


def brightness(image: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Adds to the value, of hue, saturation and value; to a grey image itself."""
    value = image.max(-1, keepdims=True)
    brighter = np.minimum(value + amount, 1)
    return np.where(value > 0, image * brighter / np.where(value > 0, value, 1), brighter)


def contrast(image: np.ndarray, rng: np.random.Generator, factor: float) -> np.ndarray:
    """Moves each channel towards its mean, which this share of the differences to it survives."""
    mean = image.mean((0, 1))
    return mean + factor * (image - mean)


def pixelate(image: np.ndarray, rng: np.random.Generator, factor: float) -> np.ndarray:
    """Scales the image down by a factor, and up again without smoothing."""
    height, width, channels = image.shape
    small = max(1, int(width * factor)), max(1, int(height * factor))
    planes = [Image.fromarray(image[..., c].astype(np.float32)) for c in range(channels)]
    box = Image.Resampling.BOX
    return np.stack([np.asarray(p.resize(small, box).resize((width, height), box)) for p in planes], -1)


def jpeg_compression(image: np.ndarray, rng: np.random.Generator, quality: float) -> np.ndarray:
    """Writes the image as a JPEG of this quality, from 1 to 95, and reads it."""
    pixels = np.rint(image * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "JPEG", quality=round(quality))
    with Image.open(file) as compressed:
        return np.asarray(compressed).reshape(image.shape) / 255


def _convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The image with each point spread over a kernel of odd size, the border continued."""
    margin = len(kernel) // 2
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    return signal.fftconvolve(padded, (kernel / kernel.sum())[..., None], mode="valid", axes=(0, 1))
