"""Pixels of class folders are those of Keras's own loader, to rounding."""

import keras
import numpy as np
import pytest
from PIL import Image

from tfinv.datasets import load

# (height, width): smaller and larger than what is asked for, and uneven.
SIZES = ((40, 64), (9, 11))
FORMATS = ("jpg", "png", "bmp", "gif")


def picture(size, mode, seed=0):
    """A photograph's kind of content: smooth, with noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    levels = 128 + 90 * np.sin(rows / 5.0)[..., None] * np.cos(columns[..., None] / np.array([3.0, 6.0, 9.0]))
    levels = np.clip(levels + rng.normal(0, 12, (*size, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(levels if mode == "RGB" else levels[..., 0], mode)


def write(root, suffix, mode, count=3):
    for label, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(count):
            image = picture(SIZES[i % 2], mode, 10 * label + i)
            options = {"quality": 95} if suffix == "jpg" else {}
            image.save(root / name / f"{i}.{suffix}", **options)
    return root


def of_keras(root, size, channels):
    """Images in 0..255 by class and mean, and what our loader gives, in the same order."""
    mode = "grayscale" if channels == 1 else "rgb"
    data = keras.utils.image_dataset_from_directory(
        root, image_size=size, color_mode=mode, interpolation="bilinear", shuffle=False, verbose=False, batch_size=None
    )
    return np.stack([image for image, _ in data.as_numpy_iterator()])


def ordered(dataset):
    """The images of a loaded folder of distinct images in a canonical order, in 0..255."""
    images = dataset.images.astype(np.float64) * 255
    return images[np.argsort(images.mean((1, 2, 3)))]


@pytest.mark.parametrize("size", [(20, 30), (70, 80)], ids=["down and up", "up"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_pixels_are_those_of_keras(suffix, mode, channels, size, tmp_path):
    root = write(tmp_path / "pets", suffix, mode)
    dataset = load(root, "all", image_size=size, channels=channels)
    truth = of_keras(root, size, channels)
    np.testing.assert_allclose(ordered(dataset), truth[np.argsort(truth.mean((1, 2, 3)))], atol=1e-4)
    assert dataset.pixels.dtype == np.float32
    assert any("as Keras does, bilinear without smoothing" in note for note in dataset.notes)


@pytest.mark.parametrize("suffix", ["bmp", "gif"])
def test_pixels_of_other_formats_are_those_of_keras(suffix, tmp_path):
    root = write(tmp_path / "pets", suffix, "RGB")
    truth = of_keras(root, (20, 30), 3)
    dataset = load(root, "all", image_size=(20, 30))
    np.testing.assert_allclose(ordered(dataset), truth[np.argsort(truth.mean((1, 2, 3)))], atol=1e-4)


def test_pixels_of_files_that_have_the_size_stay_whole_numbers(tmp_path):
    (tmp_path / "cat").mkdir()
    for i in range(3):
        picture((20, 30), "RGB", i).save(tmp_path / "cat" / f"{i}.jpg", quality=90)
    dataset = load(tmp_path, "all", image_size=(20, 30))
    assert dataset.pixels.dtype == np.uint8
    truth = of_keras(tmp_path, (20, 30), 3)
    np.testing.assert_array_equal(ordered(dataset).round(), truth[np.argsort(truth.mean((1, 2, 3)))])


def test_pillow_smooths_and_decodes_jpeg_otherwise(tmp_path):
    root = write(tmp_path / "pets", "jpg", "RGB")
    dataset = load(root, "all", image_size=(20, 30), resize="pillow")
    assert dataset.pixels.dtype == np.uint8
    truth = []
    for file in sorted(root.rglob("*.jpg")):
        image = np.asarray(Image.open(file).convert("RGB"))
        channels = [Image.fromarray(image[..., c]).resize((30, 20), Image.Resampling.BILINEAR) for c in range(3)]
        truth.append(np.stack([np.asarray(c) for c in channels], axis=-1))
    truth = np.stack(truth)
    np.testing.assert_array_equal(ordered(dataset).round(), truth[np.argsort(truth.mean((1, 2, 3)))])
    assert any("by Pillow, bilinear with smoothing" in note for note in dataset.notes)
    assert "JPEG files decoded by Pillow" in dataset.notes


def test_what_keras_cannot_read_is_read_by_pillow_and_noted(tmp_path):
    (tmp_path / "cat").mkdir()
    for i, suffix in enumerate(("webp", "tiff", "ppm")):
        options = {"lossless": True} if suffix == "webp" else {}
        picture((20, 30), "RGB", i).save(tmp_path / "cat" / f"{i}.{suffix}", **options)
    dataset = load(tmp_path, "all")
    truth = np.stack([np.asarray(picture((20, 30), "RGB", i)) for i in range(3)])
    np.testing.assert_array_equal(ordered(dataset).round(), truth[np.argsort(truth.mean((1, 2, 3)))])
    assert any(note.startswith("3 files decoded by Pillow, since Keras can't") for note in dataset.notes)


def test_a_grey_gif_or_bmp_among_rgb_comes_in(tmp_path):
    """Keras's decoder takes neither in a number of channels that is not their own."""
    (tmp_path / "cat").mkdir()
    for i, (suffix, mode) in enumerate((("gif", "L"), ("bmp", "L"), ("png", "RGB"))):
        picture((20, 30), mode, i).save(tmp_path / "cat" / f"{i}.{suffix}")
    for channels in (1, 3):
        assert load(tmp_path, "all", channels=channels).image_shape == (20, 30, channels)


def test_npz_is_resized_as_keras_resizes(tmp_path):
    images = np.stack([np.asarray(picture((40, 64), "RGB", i)) for i in range(5)])
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(5) % 2)
    resizing = keras.layers.Resizing(20, 30, interpolation="bilinear")
    truth = resizing(images.astype(np.float32)).numpy()
    dataset = load(tmp_path / "x.npz", "all", image_size=(20, 30))
    np.testing.assert_allclose(ordered(dataset), truth[np.argsort(truth.mean((1, 2, 3)))], atol=1e-3)
    floats = np.float32(images) / 255
    np.savez(tmp_path / "y.npz", images=floats, labels=np.arange(5) % 2)
    np.testing.assert_allclose(
        ordered(load(tmp_path / "y.npz", "all", image_size=(20, 30))), ordered(dataset), atol=1e-3
    )


def test_named_sets_are_resized_by_pillow_as_before():
    small = load("mnist5k", limit=4, image_size=(14, 14))
    whole = load("mnist5k", limit=4)
    truth = [
        np.asarray(Image.fromarray(image[..., 0]).resize((14, 14), Image.Resampling.BILINEAR)) for image in whole.pixels
    ]
    np.testing.assert_array_equal(small.pixels[..., 0], truth)
    assert load("mnist5k", limit=4, image_size=(14, 14), resize="keras").pixels.dtype == np.float32


@pytest.mark.parametrize("resize", ["keras", "pillow"])
def test_channels_are_fitted_with_a_note(resize, tmp_path):
    grey, rgb = load("mnist5k", limit=3, resize=resize), load("mnist5k", limit=3, channels=3, resize=resize)
    np.testing.assert_array_equal(rgb.pixels, np.repeat(grey.pixels, 3, axis=-1))
    assert rgb.notes == ("grey images, repeated as RGB for the model",)
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[0, ..., 0], images[1, ..., 1], images[2, ..., 2] = 255, 255, 255
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(3))
    made_grey = load(tmp_path / "x.npz", "all", channels=1, resize=resize)
    assert sorted(made_grey.pixels[:, 0, 0, 0].tolist()) == [29, 76, 150]
    assert made_grey.notes == ("RGB images, turned into grey for the model",)
