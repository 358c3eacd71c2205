"""Preprocessors in the configurations of KerasHub's classifiers."""

import keras
import numpy as np
import pytest

from tfinv.importing import hub
from tfinv.importing.loaded import Loaded
from tfinv.importing.preprocessing import parse

CONVERTER = {
    "image_size": [8, 8], "scale": [1 / 58.4, 1 / 57.1, 1 / 57.4], "offset": [-2.1, -2.0, -1.8], "interpolation": "bicubic",
    "antialias": False, "crop_to_aspect_ratio": True, "pad_to_aspect_ratio": False,
}  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)


def model(size=8):
    return keras.Sequential(
        [keras.Input((size, size, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )


def of_hub(name, **config):
    return {"module": f"keras_hub.src.models.{name.lower()}", "class_name": name, "config": config,
            "registered_name": f"keras_hub>{name}"}  # fmt: skip


def classifier(preprocessor):
    return of_hub("ImageClassifier", backbone=of_hub("ResNetBackbone"), preprocessor=preprocessor, num_classes=2)


def complete(converter, size=8):
    inner = of_hub("ResNetImageConverter", **converter)
    return hub.complete(Loaded(model=model(size)), classifier(of_hub("Preprocessor", image_converter=inner)))


def test_scale_and_offset_go_in_front():
    loaded = complete(CONVERTER)
    front = parse(loaded.preprocessing)
    assert front.bounds == loaded.bounds == (0, 255)
    truth = IMAGES * np.float32(CONVERTER["scale"]) + np.float32(CONVERTER["offset"])
    np.testing.assert_allclose(front.apply(keras.ops.convert_to_tensor(IMAGES)), truth, rtol=1e-5)
    assert loaded.notes == (
        "its preprocessor takes images of any size to 8 x 8 (bicubic, cropped to its shape), which is left to the data set",
    )


def test_the_size_is_that_of_the_preprocessor_where_the_model_takes_any():
    assert complete(CONVERTER).image_size is None
    assert complete(CONVERTER, None).image_size == (8, 8)


def test_one_scale_for_all_channels():
    assert complete({"scale": 1 / 255}).preprocessing == "scale=0.00392156863"
    assert complete({"scale": 1 / 255}).notes == ()


def test_mean_and_variance_of_earlier_versions():
    old = {"height": 8, "width": 8, "scale": 1 / 255, "mean": [0.5, 0.4, 0.3], "variance": [0.04, 0.09, 0.16]}
    loaded = complete(old, None)
    truth = (IMAGES / 255 - np.float32(old["mean"])) / np.sqrt(np.float32(old["variance"]))
    np.testing.assert_allclose(parse(loaded.preprocessing).apply(keras.ops.convert_to_tensor(IMAGES)), truth, rtol=1e-4)
    assert loaded.image_size == (8, 8)


def test_a_converter_that_only_sizes():
    loaded = complete(
        {"image_size": [8, 8], "scale": None, "offset": None, "crop_to_aspect_ratio": False, "antialias": True}
    )
    assert (loaded.preprocessing, loaded.bounds) == (None, (0, 255))
    assert "8 x 8 (bilinear, antialiased)" in loaded.notes[0]


def test_another_preprocessor_is_said_to_be_missing():
    whitening = {"module": "mine", "class_name": "Whitening", "config": {}, "registered_name": "mine>Whitening"}
    loaded = hub.complete(Loaded(model=model()), classifier(whitening))
    assert loaded.preprocessing is None
    assert loaded.notes == ("its Whitening is not applied: say with --preprocessing what it does to the pixels",)


def test_a_converter_with_settings_of_its_own_is_said_to_be_missing():
    loaded = complete(CONVERTER | {"norm_mean": [0.5, 0.5, 0.5]})
    assert (loaded.preprocessing, loaded.image_size) == (None, None)
    assert "say with --preprocessing" in loaded.notes[0]


@pytest.mark.parametrize(
    "config", [classifier(None), {"class_name": "Sequential", "config": {"layers": []}, "module": "keras"}, [], None]
)
def test_all_else_stays_as_it_is(config):
    loaded = Loaded(model=model())
    assert hub.complete(loaded, config) is loaded
