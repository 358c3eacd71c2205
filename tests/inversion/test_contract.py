"""Tests of all inversions, from every start, and of the pipeline that they share."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import LOSSES, METHODS, STARTS, Gradient, Knowledge, MIFace, invert, method

SHAPE, CLASSES = (4, 4, 1), 5
# A new method must be added here, small enough to be quick.
SETTINGS = {
    "gradient": {"steps": 8, "total_variation": 0.1},
    "miface": {"steps": 8, "rate": 0.5},
    "projected": {"steps": 8, "eps": 1.0, "rate": 0.2},
    "gmi": {"steps": 8, "updates": 20, "latent": 6, "width": 4},
    "plg": {"steps": 8, "updates": 20, "latent": 6, "width": 4, "crop": 1.0, "rate": 0.2},
    "miface_dae": {"steps": 8, "updates": 20, "latent": 6, "units": 8, "rate": 1.0, "process": "identity"},
    "network": {"steps": 20, "width": 4},
    "multiscale": {"steps": 8, "octaves": 2, "rate": 0.2},
    "laplacian": {"steps": 8, "rate": 0.05},
    "deepinversion": {"steps": 8, "rate": 0.05, "batch_norm": 0.5, "jitter": 0, "flip": False},
    "brep": {"steps": 8, "space": "pixels", "radius": 0.3},
}
# Most that the latent's prior can add to the cost: |z|^2 / 2 of six dimensions within +-1.
PRIOR = {"gmi": 3.0}
SEARCHES = [name for name in SETTINGS if name != "network"]
DRAWN = ("noise", "gaussian", "auxiliary")
WITHOUT_COST = ("network", "brep")
BOUNDS = [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]
ALL = pytest.mark.parametrize("name", SETTINGS)
START = pytest.mark.parametrize("start", STARTS)


def test_every_method_is_tried():
    assert set(SETTINGS) == set(METHODS)


@functools.cache
def victim(bounds=(0.0, 1.0)):
    keras.utils.set_random_seed(4)
    low, high = bounds
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / (high - low), offset=-low / (high - low)),
            keras.layers.Conv2D(3, 3, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=5)),
            keras.layers.Softmax(),
        ]
    )
    return Classifier.from_keras(model, bounds), model


@functools.cache
def knowledge():
    images = np.random.default_rng(6).uniform(size=(20, *SHAPE))
    return Knowledge(images, np.arange(20) % CLASSES, begin=images[:2], source="images")


@functools.cache
def reconstruct(name, start, bounds=(0.0, 1.0), labels=(0, 1, 2, 3, 4), samples=2, seed=0):
    classifier, _ = victim(bounds)
    inversion_method = METHODS[name](start=start, **SETTINGS[name])
    return invert(classifier, labels, inversion_method, samples=samples, knowledge=knowledge(), seed=seed)


def cost(name, classifier, images, labels):
    inversion_method = METHODS[name](**SETTINGS[name])
    unit = tf.constant(classifier.to_unit(images))
    points = tf.zeros([len(images), 1])
    logits, penalty = inversion_method.logits_and_penalty(classifier, tf.constant(images))
    return (inversion_method.cost(logits, tf.constant(labels), unit, points) + penalty).numpy()


# All starts in the first bounds, and one in the others, since `test_starts` tests starts in all bounds.
@ALL
@pytest.mark.parametrize(
    ("start", "bounds"), [*((s, BOUNDS[0]) for s in STARTS), *(("auxiliary", bounds) for bounds in BOUNDS[1:])]
)
def test_images_are_in_the_bounds_and_their_cost_is_what_it_says(name, start, bounds):
    classifier, _ = victim(bounds)
    result = reconstruct(name, start, bounds)
    assert result.images.shape == (10, *SHAPE)
    assert result.images.dtype == np.float32
    for images in (result.images, result.starts):
        assert images.min() >= bounds[0]
        assert images.max() <= bounds[1]
    np.testing.assert_array_equal(result.labels, np.repeat(np.arange(5), 2))
    # A method that finds no image of the class to start from takes no step.
    least = (result.confidence > 0) if METHODS[name].ACCESS != "labels" else 0
    assert ((result.steps >= least) & (result.steps <= SETTINGS[name]["steps"])).all()
    if name in WITHOUT_COST:
        assert np.isnan(result.cost).all()
        return
    after = cost(name, classifier, result.images, result.labels)
    if name in PRIOR:
        after = np.clip(result.cost, after, after + PRIOR[name])
    np.testing.assert_allclose(result.cost, after, rtol=1e-5, atol=1e-6)
    before = cost(name, classifier, result.starts, result.labels) + PRIOR.get(name, 0.0)
    if METHODS[name].COUPLED:
        assert result.cost.mean() < before.mean()
        return
    assert (result.cost <= before + 1e-6).all()
    assert (result.cost < before).mean() > 0.5


@ALL
@START
def test_confidence_is_the_probability_of_the_label(name, start):
    classifier, model = victim()
    result = reconstruct(name, start)
    probabilities = model(result.images, training=False).numpy()[np.arange(10), result.labels]
    np.testing.assert_allclose(result.confidence, probabilities, rtol=1e-4)
    assert result.confidence.dtype == np.float64


@ALL
@START
def test_a_seed_gives_the_same_images(name, start):
    classifier, _ = victim()
    inversion_method = METHODS[name](start=start, **SETTINGS[name])
    again = invert(classifier, range(5), inversion_method, samples=2, knowledge=knowledge(), seed=0)
    np.testing.assert_array_equal(again.images, reconstruct(name, start).images)
    other = reconstruct(name, start, seed=1)
    assert np.array_equal(other.starts, again.starts) == (name not in SEARCHES or start not in DRAWN)


@pytest.mark.parametrize("name", [n for n in SETTINGS if not getattr(METHODS[n], "COUPLED", False)])
@START
def test_a_label_does_not_depend_on_the_others(name, start):
    together = reconstruct(name, start)
    for labels, samples in [((3,), 2), ((3, 1), 2), ((2, 3), 1)]:
        result = reconstruct(name, start, labels=labels, samples=samples)
        rows, rows_together = result.labels == 3, np.flatnonzero(together.labels == 3)[:samples]
        np.testing.assert_allclose(result.starts[rows], together.starts[rows_together], atol=1e-6)
        np.testing.assert_allclose(result.images[rows], together.images[rows_together], atol=1e-5)
        np.testing.assert_array_equal(result.steps[rows], together.steps[rows_together])


@pytest.mark.parametrize("name", SEARCHES)
def test_samples_from_noise_differ_and_so_do_labels(name):
    starts = reconstruct(name, "noise").starts.reshape(10, -1)
    assert len(np.unique(starts, axis=0)) == 10
    twice = reconstruct(name, "noise", labels=(3, 3), samples=1).starts.reshape(2, -1)
    np.testing.assert_allclose(twice, starts[6:8], atol=1e-6)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_starts(bounds):
    classifier, _ = victim(bounds)
    np.testing.assert_array_equal(reconstruct("gradient", "zeros", bounds).starts, np.full((10, *SHAPE), bounds[0]))
    mean = classifier.to_unit(reconstruct("gradient", "average", bounds).starts[4])
    np.testing.assert_allclose(mean, knowledge().average, atol=1e-6)
    images = classifier.to_unit(reconstruct("gradient", "given", bounds).starts)
    np.testing.assert_allclose(images, np.tile(knowledge().images[:2], (5, 1, 1, 1)), atol=1e-6)
    noise = classifier.to_unit(reconstruct("gradient", "noise", bounds).starts)
    assert 0.4 < noise.mean() < 0.6
    assert noise.std() == pytest.approx(12**-0.5, abs=0.05)


@pytest.mark.parametrize("name", ["gradient", "brep"])
def test_another_start_or_number_of_steps_traces_nothing_anew(name):
    traces = []

    def fn(x):
        traces.append(1)
        return tf.reshape(x, [-1, 16])[:, :CLASSES]

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=CLASSES, outputs="logits")
    inversion_method = METHODS[name](**SETTINGS[name] | {"start": "noise"})
    invert(classifier, range(CLASSES), inversion_method, knowledge=knowledge(), seed=0)
    before = len(traces)
    for other in (
        dataclasses.replace(inversion_method, start="auxiliary"),
        dataclasses.replace(inversion_method, steps=5),
    ):
        invert(classifier, range(CLASSES), other, knowledge=knowledge(), seed=0)
    assert len(traces) == before


@ALL
def test_the_model_is_unchanged(name):
    classifier, model = victim()
    before = [v.numpy().copy() for v in model.variables]
    invert(classifier, [0], METHODS[name](start="noise", **SETTINGS[name]), knowledge=knowledge())
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@ALL
def test_bad_calls_are_refused(name):
    classifier, _ = victim()
    inversion_method = METHODS[name](**SETTINGS[name] | {"start": "zeros"})
    for labels in ([5], [-1], [0, 5]):
        with pytest.raises(UserError, match="labels from 0 to 4"):
            invert(classifier, labels, inversion_method)
    with pytest.raises(UserError, match="label"):
        invert(classifier, [], inversion_method)
    with pytest.raises(UserError, match="integer labels"):
        invert(classifier, [0.5], inversion_method)
    with pytest.raises(UserError, match="samples"):
        invert(classifier, [0], inversion_method, samples=0)
    warm = dataclasses.replace(inversion_method, start="average")
    needed = "images" if "images" in inversion_method.needs else "average"
    with pytest.raises(UserError, match=rf"Expected knowledge of `{needed}`.*Knowledge\({needed}="):
        invert(classifier, [0], warm)
    with pytest.raises(UserError, match="shape"):
        invert(classifier, [0], warm, knowledge=Knowledge(np.zeros((2, 5, 5, 1))))
    with pytest.raises(UserError, match=r"average in \[0, 1\]"):
        Knowledge(average=np.full(SHAPE, 2.0))
    black_box = Classifier.from_predict(
        lambda x: x.reshape(len(x), -1)[:, :2], input_shape=SHAPE, num_classes=2, outputs="logits"
    )
    if inversion_method.ACCESS == "gradients":
        with pytest.raises(UserError, match="a classifier with gradients"):
            invert(black_box, [0], inversion_method)


BAD = [("steps", 0), ("steps", 1.5), ("start", "black"), ("loss", "hinge"), ("rate", 0), ("rate", float("nan"))]
BAD += [
    ("beta", -1),
    ("gamma", 0),
    ("gamma", float("nan")),
    ("total_variation", -1),
    ("patience", -1),
    ("tolerance", -1),
]


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [(n, a, v) for n in SETTINGS for a, v in BAD if a in METHODS[n].__dataclass_fields__],
)
def test_bad_arguments_are_named(name, argument, value):
    with pytest.raises(UserError, match=rf"Expected .*{argument}"):
        METHODS[name](**{argument: value})


def test_text_form():
    assert method("gradient(loss=logit,steps=20)") == Gradient(loss="logit", steps=20)
    assert method("miface", steps=7, rate=0.5, eps=1.0) == MIFace(steps=7, rate=0.5)
    with pytest.raises(UserError, match="gradient, laplacian, miface, miface_dae"):
        method("gan")


def test_losses():
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    labels = tf.constant([1, 2])
    np.testing.assert_allclose(LOSSES["cross_entropy"](logits, labels), -np.log([0.25, 0.8]), rtol=1e-6)
    np.testing.assert_allclose(LOSSES["logit"](logits, labels), -np.log([0.25, 0.8]), rtol=1e-6)
    np.testing.assert_allclose(LOSSES["miface"](logits, labels), [0.75, 0.2], rtol=1e-6)
    np.testing.assert_allclose(LOSSES["margin"](logits, labels), np.log([0.5 / 0.25, 0.1 / 0.8]), rtol=1e-6)
    assert set(inversion.LOSSES) == {"cross_entropy", "logit", "margin", "poincare", "miface"}
