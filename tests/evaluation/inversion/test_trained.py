"""The trained parts: the decoder probe on a frozen encoder, and the evaluators."""

import keras
import numpy as np
import pytest

from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.evaluation.inversion import evaluators
from tfinv.evaluation.inversion.decoder_probe import probe_encoder
from tfinv.evaluation.inversion.evaluators import train_evaluators
from tfinv.training.schedule import Schedule

SHAPE = (4, 4, 1)


def two_patterns(n):
    """Dark and bright stripes of random strength: two numbers say all of an image."""
    rng = np.random.default_rng(n)
    x = np.zeros((n, *SHAPE), np.float32)
    x[:, :, ::2], x[:, :, 1::2] = rng.uniform(size=(2, n, 1, 1, 1)).astype(np.float32)
    return x, np.arange(n) % 2


def victim(*encoder):
    inputs = keras.Input(SHAPE)
    x = inputs
    for layer in encoder:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))


def frozen(model):
    return [w.copy() for w in model.get_weights()]


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_an_encoder_that_keeps_the_image_gives_it_away(scale):
    x, y = two_patterns(1500)
    held_out = two_patterns(50)[0]
    model = victim(keras.layers.Rescaling(scale), keras.layers.Flatten(name="encoding"))
    before = frozen(model)
    probe = probe_encoder(model, x, y, held_out, epochs=12)
    assert probe.images.shape == held_out.shape
    assert probe.errors.shape == (50,)
    assert probe.errors.mean() < 0.05
    assert 1 <= probe.epochs <= 12
    # An error of e times that of the mean image.
    variance = np.mean(np.square(x - x.mean(0)))
    np.testing.assert_allclose(probe.errors, np.square(probe.images - held_out).mean((1, 2, 3)) / variance, rtol=1e-4)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_encoder_that_keeps_nothing_gives_away_the_mean_image():
    x, y = two_patterns(600)
    model = victim(keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer="zeros", name="encoding"))
    probe = probe_encoder(model, x, y, two_patterns(200)[0], epochs=6)
    assert probe.errors.mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(probe.images[0], x.mean(0), atol=0.1)


def test_the_seed_decides_and_a_missing_layer_is_named():
    x, y = two_patterns(200)
    model = victim(keras.layers.Flatten(name="encoding"))
    errors = [probe_encoder(model, x, y, x[:5], epochs=1, seed=seed).errors for seed in (0, 0, 1)]
    np.testing.assert_array_equal(errors[0], errors[1])
    assert not np.array_equal(errors[0], errors[2])
    with pytest.raises(UserError, match="'nowhere'"):
        probe_encoder(model, x, y, x[:5], layer="nowhere")


def stripes():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = rng.uniform(0, 0.3, (120, *SHAPE)).astype(np.float32)
    images[labels == 0, :, :2] += 0.7
    images[labels == 1, :, 2:] += 0.7
    return Dataset("stripes", "train", images, labels, ("left", "right"))


def test_an_evaluator_whose_defence_trains_a_copy_is_that_copy(tmp_path):
    data = stripes()
    options = {
        "architectures": ("mlp(units=16)+mid",),
        "schedule": Schedule(epochs=15, batch_size=8),
        "workdir": tmp_path,
    }
    for _ in range(2):  # trained, and read
        (evaluator,) = train_evaluators(data, **options).values()
        assert evaluator.accuracy(data.images, data.labels) > 0.9


@pytest.mark.proof
def test_evaluators_are_trained_once(tmp_path):
    data = stripes()
    images, labels = data.images, data.labels
    schedule = Schedule(epochs=40, batch_size=8)
    options = {"architectures": ("softmax", "softmax"), "schedule": schedule, "seed": 7, "workdir": tmp_path}
    first = train_evaluators(data, **options)
    assert list(first) == ["softmax-7", "softmax-8"]
    for classifier in first.values():
        assert classifier.accuracy(images, labels) > 0.9
    scores, other_scores = (c.predict(images) for c in first.values())
    assert not np.allclose(scores, other_scores)  # seeds of their own
    assert sorted(p.name for p in tmp_path.glob("*.keras")) == ["softmax-7.keras", "softmax-8.keras"]

    def times():
        return [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("*.keras"))]

    before = times()
    again = train_evaluators(data, **options | {"schedule": Schedule(epochs=10**9)})
    assert times() == before
    for old, new in zip(first.values(), again.values(), strict=True):
        np.testing.assert_allclose(new.predict(images), old.predict(images), rtol=1e-6)


def test_an_evaluator_whose_training_is_killed_goes_on(tmp_path, monkeypatch):
    data, schedule = stripes(), Schedule(epochs=6, batch_size=8)
    options = {"architectures": ("mlp(units=16)",), "schedule": schedule}
    (whole,) = train_evaluators(data, **options, workdir=tmp_path / "whole").values()

    class Killed(Exception):
        pass

    class Until(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            epochs.append(epoch)
            if epoch == stop:
                raise Killed

    def fit(*args, **keywords):
        return original(*args, **keywords | {"callbacks": [*keywords.get("callbacks", ()), Until()]})

    original, epochs, stop = evaluators.fit, [], 4
    monkeypatch.setattr(evaluators, "fit", fit)
    with pytest.raises(Killed):
        train_evaluators(data, **options, workdir=tmp_path / "cut")
    stop = None
    (resumed,) = train_evaluators(data, **options, workdir=tmp_path / "cut").values()
    assert epochs == [0, 1, 2, 3, 4, 4, 5]
    np.testing.assert_allclose(resumed.predict(data.images), whole.predict(data.images), rtol=1e-5)
    assert not [path for path in (tmp_path / "cut").rglob("backup")]


def _without_faint(images):
    changed = images.copy()
    changed[:, 1:] = 0.5
    return changed


@pytest.mark.proof
def test_an_evaluator_may_be_trained_adversarially(tmp_path):
    """Every pixel tells the class faintly, and the first row loudly."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = rng.uniform(0.4, 0.6, (200, *SHAPE)).astype(np.float32)
    images[..., 0] += np.where(labels == 0, 0.03, -0.03)[:, None, None]
    images[:, 0, :, 0] += np.where(labels == 0, 0.2, -0.2)[:, None]
    data = Dataset("faint", "train", images, labels, ("a", "b"))
    options = {"schedule": Schedule(epochs=30, batch_size=20), "seed": 7}
    classifiers = train_evaluators(data, architectures=("mlp", "mlp+adversarial"), workdir=tmp_path, **options)
    assert list(classifiers) == ["mlp-7", "mlp+adversarial-8"]
    assert sorted(p.name for p in tmp_path.glob("*.keras")) == ["mlp+adversarial-8.keras", "mlp-7.keras"]
    for classifier in classifiers.values():
        assert classifier.accuracy(images, labels) > 0.95
    # What the faint pixels say can't be trusted, so the robust one looks at them less.
    faint = [np.abs(c.predict(images) - c.predict(_without_faint(images))).mean() for c in classifiers.values()]
    loud = [np.abs(np.diff(c.predict(images), axis=1)).mean() for c in classifiers.values()]
    assert faint[1] / loud[1] < 0.8 * faint[0] / loud[0]
    for spec, message in (
        ("vgg", "one of cnn"),
        ("cnn(depth=3)", "arguments of cnn"),
        ("cnn+nothing", "as ARCHITECTURE"),
        ("cnn+fast(eps=x)", "as ARCHITECTURE"),
    ):
        with pytest.raises(UserError, match=f"{message}.*Change --evaluators"):
            train_evaluators(data, architectures=("mlp", spec), **options)
