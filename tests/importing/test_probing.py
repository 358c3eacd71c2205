"""Whether images are prepared as in a model's training, and what to pass if not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import FACTS, SHAPE, linear
from tfinv.classifier import Classifier
from tfinv.importing import load_classifier
from tfinv.importing.preprocessing import parse
from tfinv.importing.probing import Setting, probe_preprocessing

LABELS = np.arange(40) % 4
LEVELS = np.array([0.125, 0.375, 0.625, 0.875], np.float32)


def greys(labels=LABELS):
    """Images of one grey each, in [0, 1]."""
    return np.tile(LEVELS[labels][:, None, None, None], (1, *SHAPE)).astype(np.float32)


def nearest(x):
    """Tells the four levels apart, in 0..1."""
    return -tf.abs(tf.reduce_mean(x, (1, 2, 3))[:, None] - LEVELS[None])


def classifier(fn, bounds=(0.0, 1.0), facts=FACTS):
    return Classifier.from_callable(fn, **facts, bounds=bounds, outputs="logits")


def test_bounds():
    """The model tells brightness apart, and expects 0..255."""
    probe = probe_preprocessing(classifier(lambda x: nearest(x / 255)), greys(), LABELS)
    assert probe.accuracy == 0.25
    assert probe.better == Setting((0, 255))
    assert probe.better_accuracy == 1
    assert (probe.only_better, probe.only_declared) == (30, 0)
    assert probe.better.flags(probe.declared) == "--bounds=0,255"
    right = probe_preprocessing(classifier(lambda x: nearest(x / 255), (0.0, 255.0)), greys(), LABELS)
    assert right.better is None
    assert right.accuracy == 1
    assert Setting((0, 255)) not in right.alternatives
    assert Setting((0, 1)) in right.alternatives


def test_in_half_of_its_range_a_model_is_not_near_chance_and_wrong_all_the_same():
    labels = np.tile([2, 3], 20)
    half = classifier(lambda x: nearest(0.5 + x / 2))
    probe = probe_preprocessing(half, greys(labels), labels)
    assert (probe.accuracy, probe.better) == (0.5, Setting((-1, 1)))


def test_a_model_without_skill_is_in_no_setting_better():
    untrained = classifier(linear)
    assert probe_preprocessing(untrained, greys(), np.random.default_rng(0).permutation(LABELS)).better is None


COLOURS = {"input_shape": (4, 4, 3), "num_classes": 3}
COLOUR_LABELS = np.arange(150) % 3


def coloured():
    """One channel is a little brighter than the others in each image, which are of any brightness."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.5, (150, 1, 1, 1))
    noise = rng.uniform(-0.02, 0.02, (150, 4, 4, 3))
    return (base + noise + 0.12 * np.eye(3)[COLOUR_LABELS][:, None, None]).astype(np.float32)


def trained(setting):
    """A classifier of the brightest channel, on what a training with this setting would give it, and on nothing else."""
    inputs = setting.model_input(coloured())
    features = inputs.mean((1, 2)).astype(np.float64)
    # Nearest neighbour among the training inputs: right on them, and next to chance on others.
    table = tf.constant(features, tf.float32)
    scale = features.std(0).astype(np.float32)

    def fn(x):
        distance = tf.norm((tf.reduce_mean(x, (1, 2))[:, None] - table[None]) / scale, axis=-1)
        return tf.stack([-tf.reduce_min(distance[:, k::3], -1) for k in range(3)], 1)

    return classifier(fn, facts=COLOURS)


SETTINGS = [
    Setting((0, 255)),
    Setting((-1, 1)),
    Setting((0, 1), "bgr"),
    Setting((0, 255), "bgr"),
    Setting((0, 255), "rgb", "caffe"),
    Setting((0, 255), "rgb", "torch"),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.flags(Setting((0, 1))))
def test_the_setting_of_the_training(setting):
    probe = probe_preprocessing(trained(setting), coloured(), COLOUR_LABELS)
    assert probe.better == setting
    assert probe.better_accuracy == 1
    assert probe.accuracy < 0.8


def test_each_image_by_its_own_mean_and_deviation():
    """Of a channel only its distance from the others counts, whatever the brightness."""
    rng = np.random.default_rng(0)
    offset = np.float32([-0.12, 0, 0.12])[COLOUR_LABELS][:, None, None, None] * np.float32([0, 0, 1])
    images = (rng.uniform(0.2, 0.6, (150, 1, 1, 1)) + rng.uniform(-0.05, 0.05, (150, 4, 4, 3)) + offset).astype(
        np.float32
    )
    model = classifier(
        lambda x: -tf.abs(tf.reduce_mean(x[..., 2], (1, 2))[:, None] - [[-1.2, 0.0, 1.2]]), facts=COLOURS
    )
    probe = probe_preprocessing(model, images, COLOUR_LABELS)
    assert probe.better == Setting((0, 255), "rgb", "standardise")
    assert probe.better_accuracy > 0.9
    assert probe.better.flags(probe.declared) == "--bounds=0,255 --preprocessing=standardise"


def test_grey_images_are_also_tried_inverted():
    levels = np.array([0, 1, 2, 3] * 10)
    facts = {"input_shape": (6, 6, 1), "num_classes": 4}
    model = Classifier.from_callable(lambda x: nearest(1 - x / 255), **facts, outputs="logits")
    probe = probe_preprocessing(model, greys(levels)[..., :1], levels)
    assert probe.better == Setting((0, 255), "rgb", "invert")
    assert probe.better.flags(probe.declared) == "--bounds=0,255 --preprocessing=invert"
    assert not any(alternative.channels == "bgr" for alternative in probe.alternatives)


def test_own_statistics_are_numbers_to_pass():
    """Standardised with the mean and deviation of all images, each channel by its own."""
    images = (coloured() * np.float32([0.2, 0.5, 1.0])).astype(np.float32)
    mean, std = images.mean((0, 1, 2)), images.std((0, 1, 2))
    table = tf.constant(((images - mean) / std).mean((1, 2)))

    def fn(x):
        distance = tf.norm(tf.reduce_mean(x, (1, 2))[:, None] - table[None], axis=-1)
        return tf.stack([-tf.reduce_min(distance[:, k::3], -1) for k in range(3)], 1)

    probe = probe_preprocessing(classifier(fn, facts=COLOURS), images, COLOUR_LABELS)
    assert probe.better_accuracy > 0.95
    form = parse(probe.better.preprocessing)
    np.testing.assert_allclose(form.apply(tf.constant(images)), (images - mean) / std, atol=0.05)
    assert probe.better.flags(probe.declared) == f"--preprocessing={form.text}"


def test_what_was_declared_is_compared_with_the_bare_model():
    """--preprocessing=torch and --channels=bgr of a model that needs neither."""
    model = trained(Setting((0, 255)))
    declared = Setting((0.0, 255.0), "bgr", "torch")
    front = parse("torch", (0, 255))
    wrong = classifier(lambda x: model.logits(front.apply(x[..., ::-1])), (0.0, 255.0), COLOURS)
    calls = []

    def bare():
        calls.append(1)
        return model

    probe = probe_preprocessing(wrong, coloured(), COLOUR_LABELS, declared=declared, bare=bare)
    assert probe.better == Setting((0, 255))
    assert calls == [1]
    assert probe.better.flags(declared) == "--bounds=0,255 --channels=rgb --preprocessing=none"


def test_hopeless_settings_are_left_out_after_the_first_hundred_images(monkeypatch):
    from tfinv.importing import probing

    seen = []
    real = probing.run_in_batches
    monkeypatch.setattr(probing, "run_in_batches", lambda fn, x, size: seen.append(len(x)) or real(fn, x, size))
    labels = np.tile(LABELS, 13)[:500]
    probe = probe_preprocessing(classifier(nearest), greys(labels), labels)
    assert probe.better is None
    # All 500 as declared, a hundred in every other setting.
    assert sum(seen) == 500 + 100 * len(probe.alternatives)


def test_settings_that_come_to_the_same_are_one():
    declared = Setting((0.0, 255.0), "rgb", "tf")
    model = trained(Setting((-1, 1)))
    front = parse("tf")
    probe = probe_preprocessing(
        classifier(lambda x: model.logits(front.apply(x)), (0.0, 255.0), COLOURS),
        coloured(),
        COLOUR_LABELS,
        declared=declared,
        bare=lambda: model,
    )
    assert probe.better is None
    assert Setting((-1, 1)) not in probe.alternatives
    assert len({a.flags(declared) for a in probe.alternatives}) == len(probe.alternatives) > 8


def channel_model(setting):
    """A Keras model whose logits are the means of red, green and blue in 0..1, if it gets its input by this setting."""
    probes = np.concatenate([np.full((1, 1, 1, 3), 0.3), 0.3 + 0.4 * np.eye(3)[:, None, None]]).astype(np.float32)
    inputs = setting.model_input(np.tile(probes, (1, 4, 4, 1)))[:, 0, 0].astype(np.float64)
    # The affine function that undoes the setting.
    solution = np.linalg.solve(np.concatenate([inputs, np.ones((4, 1))], 1), probes[:, 0, 0])
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D(), dense])
    dense.set_weights([20 * solution[:3], 20 * solution[3]])
    return model


@pytest.mark.parametrize(
    "setting", [Setting((0, 255), "rgb", "caffe"), Setting((0, 255), "rgb", "torch"), Setting((-1, 1), "bgr")], ids=str
)
def test_the_flags_that_are_named_give_the_accuracy(setting, tmp_path):
    """Every tenth label is wrong: of more contrast, as many images are right, and the model is far too sure of the others."""
    channel_model(setting).save(tmp_path / "m.keras")
    images, labels = coloured(), np.where(np.arange(150) % 10, COLOUR_LABELS, (COLOUR_LABELS + 1) % 3)
    probe = probe_preprocessing(load_classifier(tmp_path / "m.keras"), images, labels)
    assert probe.accuracy < 0.8
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in probe.better.flags(probe.declared).split())
    if "bounds" in flags:
        flags["bounds"] = tuple(float(value) for value in flags["bounds"].split(","))
    followed = load_classifier(tmp_path / "m.keras", **flags)
    assert followed.accuracy(followed.from_unit(images), labels) == probe.better_accuracy == 0.9
    logits = followed.predict(followed.from_unit(images))
    np.testing.assert_allclose(logits / 20, images.mean((1, 2)), atol=1e-3)
