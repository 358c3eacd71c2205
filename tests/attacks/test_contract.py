"""What holds of every attack, on every kind of model."""

import dataclasses
import functools
import gc
import math
import pathlib
import tempfile
import warnings
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfinv
from tfinv import attacks
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE, CLASSES, COUNT = (6, 6, 1), 3, 13
WRONG = [0, 7, 12]  # rows whose label is not what the model says

# A new attack must be added here, small enough to be quick.
SETTINGS = {
    "fgsm": {},
    "rfgsm": {},
    "nfgsm": {},
    "bim": {"steps": 5},
    "pgd": {"steps": 11, "restarts": 2},
    "mifgsm": {"steps": 5},
    "difgsm": {"steps": 5, "smallest": 0.5, "probability": 0.9},
    "tifgsm": {"steps": 5, "kernel": 3},
    "noise": {"draws": 3},
    "apgd": {"steps": 10},
    "apgdt": {"steps": 8},
    "fab": {"steps": 8},
    "deepfool": {},
    "cw": {"steps": 50, "binary_search_steps": 8, "learning_rate": 0.2},
    "ead": {"steps": 20, "binary_search_steps": 4},
    "fmn": {"steps": 12},
    "autoattack": {"steps": 6, "queries": 40},
    "worst_case": {"members": "bim(steps=3),pgd(steps=5)"},
    "square": {"queries": 30},
    "hopskipjump": {"queries": 120, "evaluations": 20},
    "boundary": {"queries": 400},
    "transfer": {"attack": "mifgsm(steps=5)"},
}
DRAWLESS = {"fab", "deepfool", "cw", "ead", "fmn", "fgsm", "bim", "mifgsm", "tifgsm", "transfer"}
KINDS = {
    "logits": (0, 1),
    "softmax": (0, 255),
    "batch norm": (-1, 1),
    "mixed_bfloat16": (0, 255),
    "h5": (0, 1),
    "saved model": (0, 1),
    "callable": (-1, 1),
}


def of(name):
    return attacks.ATTACKS[name]


def follows_gradients(name):
    return of(name).NEEDS == "gradients"


MORE = {"steps", "draws", "queries", "restarts"}
CASES = [(name, norm) for name in SETTINGS for norm in of(name).NORMS]
ALL = pytest.mark.parametrize("name", SETTINGS)
EACH = pytest.mark.parametrize(("name", "norm"), CASES, ids=map("-".join, CASES))
KIND = pytest.mark.parametrize("kind", KINDS)
BATCHED = pytest.mark.parametrize("kind", ["softmax", "batch norm"])  # what a batch could mix up


def test_every_attack_is_tried():
    assert set(SETTINGS) == set(attacks.ATTACKS)


@functools.cache
def victim(kind):
    """A classifier, its model, images in its bounds, and labels that are wrong in the rows of WRONG."""
    low, high = bounds = KINDS[kind]
    keras.utils.set_random_seed(2)
    layers = [
        keras.Input(SHAPE),
        keras.layers.Rescaling(1 / (high - low), offset=-low / (high - low)),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=5)),
    ]
    if kind == "batch norm":
        layers[3:3] = [keras.layers.BatchNormalization(momentum=0.1), keras.layers.Dropout(0.5)]
    if kind == "softmax":
        layers += [keras.layers.Softmax()]
    if kind == "mixed_bfloat16":
        keras.mixed_precision.set_global_policy(kind)
        try:
            layers[1:] = [layer.__class__.from_config(_without_type(layer)) for layer in layers[1:]]
        finally:
            keras.mixed_precision.set_global_policy("float32")
    model = keras.Sequential(layers)
    if kind == "batch norm":
        model(np.random.default_rng(3).uniform(low, high, (50, *SHAPE)), training=True)
    if kind in ("h5", "saved model"):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / ("model.h5" if kind == "h5" else "model")
            _save(model, path)
            classifier = tfinv.load_classifier(path, bounds)
    elif kind == "callable":
        classifier = Classifier.from_callable(
            lambda x: model(x, training=False), input_shape=SHAPE, num_classes=CLASSES, bounds=bounds, outputs="logits"
        )
    else:
        classifier = Classifier.from_keras(model, bounds)
    x = classifier.from_unit(np.random.default_rng(1).uniform(size=(COUNT, *SHAPE)))
    x[1, :3], x[1, 3:] = low, high
    y = classifier.predict(x).argmax(1)
    y[WRONG] = (y[WRONG] + 1) % CLASSES
    return classifier, model, x, y


def _save(model, path):
    if path.suffix:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls the format old, which is why there are so many such files
            model.save(path)
    else:
        model.export(path, verbose=False)


def _without_type(layer):
    return {k: v for k, v in layer.get_config().items() if k not in ("dtype", "name")}


def make(name, classifier, share, norm=None, **more):
    norm = norm or of(name).NORMS[0]
    low, high = classifier.bounds
    scale = {"linf": 1.0, "l2": math.sqrt(math.prod(SHAPE)), "l1": math.prod(SHAPE)}[norm]
    if name == "transfer":
        more = {"surrogate": classifier} | more
    return of(name)(**{"eps": share * (high - low) * scale, "norm": norm} | SETTINGS[name] | more)


def beginnings(name, classifier, targets):
    """What a targeted attack on labels starts from: an image of each target."""
    if not (of(name).MINIMAL and of(name).NEEDS == "labels"):
        return {}
    drawn = np.random.default_rng(8).uniform(size=(2000, *SHAPE)) ** np.linspace(0.1, 5, 2000).reshape(-1, 1, 1, 1)
    drawn = classifier.from_unit(drawn)
    predicted = classifier.predict(drawn).argmax(1)
    return {"start": drawn[[np.flatnonzero(predicted == target)[0] for target in targets]]}


@functools.cache
def attacked(name, norm, kind, batch_size=256, seed=1):
    classifier, _, x, y = victim(kind)
    return make(name, classifier, 0.07, norm)(classifier, x, y, seed=seed, batch_size=batch_size)


@EACH
@KIND
def test_budget_bounds_and_success_are_exact_and_what_is_wrong_costs_nothing(name, norm, kind):
    classifier, model, x, y = victim(kind)
    before = [v.numpy().copy() for v in model.variables]
    result = attacked(name, norm, kind)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    eps = make(name, classifier, 0.07, norm).eps
    low, high = classifier.bounds
    assert result.images.dtype == np.float32
    assert result.images.shape == x.shape
    moved = np.abs(result.images.astype(np.float64) - x.astype(np.float64)).reshape(COUNT, -1)
    sizes = {"linf": moved.max(1), "l2": np.sqrt(np.square(moved).sum(1)), "l1": moved.sum(1)}[norm]
    assert (sizes <= eps).all()
    np.testing.assert_array_equal(result.distances, sizes)
    if not of(name).MINIMAL:
        assert sizes.max() > 0.5 * eps
    else:
        assert (sizes[~result.success] == 0).all()
    assert result.images.min() >= low
    assert result.images.max() <= high
    np.testing.assert_array_equal(result.success, classifier.predict(result.images).argmax(1) != y)
    np.testing.assert_array_equal(result.images[WRONG], x[WRONG])
    assert result.success[WRONG].all()
    assert not result.gradient_calls[WRONG].any()
    assert not result.zero_gradients[WRONG].any()
    right = np.setdiff1d(np.arange(COUNT), WRONG)
    assert not result.queries[WRONG].any()
    if of(name).NEEDS == "gradients":
        assert (result.gradient_calls[right] > 0).all()
    else:
        assert (result.queries[right] > 0).all()
        assert not result.gradient_calls.any()
    if not of(name).MINIMAL:
        assert (result.distances[right] > 0).all()


@EACH
@BATCHED
def test_the_seed_gives_the_images_whatever_the_batch_size(name, norm, kind):
    whole = attacked(name, norm, kind)
    for batch_size in (1, 5):
        part = attacked(name, norm, kind, batch_size)
        np.testing.assert_allclose(part.images, whole.images, atol=1e-5 * np.ptp(KINDS[kind]))
        np.testing.assert_array_equal(part.success, whole.success)
        np.testing.assert_array_equal(part.gradient_calls, whole.gradient_calls)


@ALL
def test_the_seed_counts_for_those_that_draw(name):
    norm = of(name).NORMS[0]
    one, two = attacked(name, norm, "logits"), attacked(name, norm, "logits", seed=2)
    assert np.array_equal(one.images, two.images) == (name in DRAWLESS)


@EACH
@BATCHED
def test_targeted_moves_towards_the_target(name, norm, kind):
    classifier, _, x, y = victim(kind)
    if not of(name).TARGETED:
        with pytest.raises(UserError, match="targeted=False"):
            make(name, classifier, 0.1, norm, targeted=True)
        return
    right = np.setdiff1d(np.arange(COUNT), WRONG)
    x, y = x[right], y[right]
    targets = (y + 1) % CLASSES
    attack = make(name, classifier, 0.1, norm, targeted=True)
    result = attack(classifier, x, y, targets=targets, seed=1, **beginnings(name, classifier, targets))

    def margin(images):
        logits = classifier.predict(images)
        own = logits[np.arange(len(y)), targets]
        logits[np.arange(len(y)), targets] = -np.inf
        return own - logits.max(1)

    gain = margin(result.images) - margin(x)
    np.testing.assert_array_equal(result.success, classifier.predict(result.images).argmax(1) == targets)
    assert gain.mean() > 0
    if of(name).MINIMAL:
        assert (gain[result.success] > 0).all()
    elif follows_gradients(name) and name not in ("rfgsm", "nfgsm", "difgsm"):  # in so few steps chance may win
        assert (gain > 0).all()
    assert (result.distances <= attack.eps).all()


@EACH
def test_success_rises_with_eps(name, norm):
    """On logits (0, w x - c) an attack that keeps its direction gets no weaker as eps grows."""
    w = np.random.default_rng(0).normal(size=36).astype(np.float32)
    classifier = Classifier.from_callable(
        lambda x: tf.reshape(x - 0.5, [-1, 36]) @ np.stack([0 * w, w], 1) - [0.0, 2.0],
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )
    x = np.random.default_rng(1).uniform(0.4, 0.6, (40, *SHAPE)).astype(np.float32)
    y = np.zeros(40, int)
    shares = [0.0, 0.01, 0.03, 0.1, 0.3, 0.5]
    rates = [make(name, classifier, s, norm)(classifier, x, y, seed=0).success.mean() for s in shares]
    assert rates == sorted(rates)
    assert rates[0] == 0.0
    assert rates[-1] > (0.5 if follows_gradients(name) else 0.0)


@EACH
def test_an_infinite_budget_is_all_of_the_bounds(name, norm):
    classifier, _, x, y = victim("softmax")
    result = make(name, classifier, math.inf, norm)(classifier, x, y, seed=1)
    assert np.isfinite(result.images).all()
    assert result.images.min() >= 0
    assert result.images.max() <= 255
    if name == "pgd" or of(name).MINIMAL:
        assert result.success.all()
    if not of(name).MINIMAL:
        assert result.distances.max() > 0.3 * 255


@EACH
def test_no_budget_changes_nothing(name, norm):
    classifier, _, x, y = victim("logits")
    result = make(name, classifier, 0.0, norm)(classifier, x, y)
    np.testing.assert_array_equal(result.images, x)
    np.testing.assert_array_equal(np.flatnonzero(result.success), WRONG)


@ALL
def test_any_real_number_is_an_eps(name):
    classifier, _, x, y = victim("softmax")
    for eps in (8, np.float32(8)):
        assert make(name, classifier, 0, eps=eps)(classifier, x, y).distances.max() <= 8


@EACH
def test_an_eps_sweep_traces_once(name, norm):
    traces = []

    def fn(x):
        traces.append(1)
        return tf.reshape(x, [-1, 36]) @ np.random.default_rng(0).normal(size=(36, CLASSES)).astype(np.float32)

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=CLASSES, outputs="logits")
    x = np.random.default_rng(1).uniform(size=(11, *SHAPE)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    make(name, classifier, 0.01, norm)(classifier, x, y, batch_size=4)
    before = len(traces)
    assert before > 0
    for share in (0.02, 0.05, 0.1, 1.0):
        make(name, classifier, share, norm)(classifier, x, y, seed=3, batch_size=4)
    make(name, classifier, 0.02, norm)(classifier, x[:7], y[:7], batch_size=7)
    assert len(traces) == before


@ALL
def test_an_attack_does_not_keep_the_classifier_alive(name):
    classifier = Classifier.from_callable(
        lambda x: tf.reduce_mean(x, [1, 2]) * [1.0, -1.0], input_shape=SHAPE, num_classes=2, outputs="logits"
    )
    x = np.full((2, *SHAPE), 0.5, np.float32)
    make(name, classifier, 0.1)(classifier, x, np.zeros(2, int))
    gone = weakref.ref(classifier)
    del classifier
    gc.collect()
    assert gone() is None


BAD = {
    "eps": (-1, math.nan, "0.1", None),
    "norm": ("l0", None),
    "loss": ("hinge",),
    "steps": (0, 1.5),
    "restarts": (0,),
    "step_size": (0, math.inf),
    "draws": (0, 1.5),
    "queries": (0,),
    "n_targets": (0,),
}


@ALL
def test_bad_arguments_are_named(name):
    cls = of(name)
    for argument in BAD.keys() & cls.__dataclass_fields__.keys():
        for value in BAD[argument]:
            with pytest.raises(UserError, match=rf"Expected .*{argument}"):
                cls(**SETTINGS[name] | {"norm": cls.NORMS[0], argument: value})


def test_restarts_need_random_starts():
    with pytest.raises(UserError, match="random_start"):
        attacks.PGD(restarts=2, random_start=False)


@ALL
def test_bad_calls_are_refused(name):
    classifier, _, x, y = victim("logits")
    attack = make(name, classifier, 0.1)
    for images, labels, message in [
        (x + 1, y, "bounds"),
        (x[..., 0], y, "shape"),
        (np.full_like(x, np.nan), y, "finite"),
        (x, y + CLASSES, "labels from 0 to 2"),
        (x, y[1:], "as many labels"),
    ]:
        with pytest.raises(UserError, match=message):
            attack(classifier, images, labels)
    with pytest.raises(UserError, match="targets"):
        attack(classifier, x, y, targets=(y + 1) % CLASSES)
    with pytest.raises(UserError, match="batch_size"):
        attack(classifier, x, y, batch_size=0)


@pytest.mark.parametrize("name", [name for name in SETTINGS if of(name).TARGETED])
def test_bad_targets_are_refused(name):
    classifier, _, x, y = victim("logits")
    aimed = make(name, classifier, 0.1, targeted=True)
    with pytest.raises(UserError, match="targets"):
        aimed(classifier, x, y)
    with pytest.raises(UserError, match=r"differ from the labels.*13 equal"):
        aimed(classifier, x, y, targets=y)
    with pytest.raises(UserError, match="labels from 0 to 2"):
        aimed(classifier, x, y, targets=y + CLASSES)


@ALL
def test_a_black_box_needs_an_attack_without_gradients(name):
    weights = np.random.default_rng(0).normal(size=(36, CLASSES))
    classifier = Classifier.from_predict(
        lambda x: x.reshape(len(x), -1) @ weights, input_shape=SHAPE, num_classes=CLASSES, outputs="logits"
    )
    x = np.random.default_rng(1).uniform(size=(20, *SHAPE)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    twin = Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, 36]) @ weights.astype(np.float32),
        input_shape=SHAPE,
        num_classes=CLASSES,
        outputs="logits",
    )
    attack = make(name, classifier, 0.4, **({"surrogate": twin} if name == "transfer" else {}))
    if follows_gradients(name):
        with pytest.raises(UserError, match=r"gradients for .* such as square"):
            attack(classifier, x, y)
    else:
        assert attack(classifier, x, y).success.any()


def scaled(scale):
    """A small net, its last layer multiplied, and images of which it gets all right."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(inputs))
    last = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1))
    model = keras.Model(inputs, last(x))
    last.kernel.assign(scale * last.kernel)
    return Classifier.from_keras(model)


@EACH
def test_the_scale_of_the_logits_changes_nothing(name, norm):
    x = np.random.default_rng(0).uniform(size=(200, *SHAPE)).astype(np.float32)
    y = scaled(1.0).predict(x).argmax(1)
    robust = []
    for scale in (1.0, 10.0, 100.0):
        classifier = scaled(scale)
        robust.append(1 - make(name, classifier, 0.12, norm)(classifier, x, y, seed=0).success.mean())
    assert max(robust) - min(robust) < 0.01
    if follows_gradients(name):
        assert robust[0] < 0.98  # so there was something to lose


@pytest.mark.parametrize(("name", "norm"), [case for case in CASES if MORE & SETTINGS[case[0]].keys()])
def test_more_steps_are_no_weaker(name, norm):
    few = MORE & SETTINGS[name].keys()
    classifier = scaled(1.0)
    x = np.random.default_rng(2).uniform(size=(150, *SHAPE)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    short, long = (
        make(name, classifier, 0.1, norm, **{k: factor * SETTINGS[name][k] for k in few})(
            classifier, x, y
        ).success.mean()
        for factor in (1, 4)
    )
    assert long >= short - 0.02


@EACH
def test_a_checkpoint_ends_as_an_unbroken_run(name, norm, tmp_path, monkeypatch):
    classifier, _, x, y = victim("logits")
    attack = make(name, classifier, 0.02, norm)
    whole = attack(classifier, x, y, seed=1)
    path = tmp_path / "state.npz"
    stages = len(attack.stages(classifier))
    calls = []
    for member in {type(m) for m, _ in attack.stages(classifier)}:
        honest = member.perturb

        def perturb(self, problem, honest=honest):
            calls.append(1)
            if len(calls) == max(1, stages):
                raise KeyboardInterrupt
            return honest(self, problem)

        monkeypatch.setattr(member, "perturb", perturb)
    with pytest.raises(KeyboardInterrupt):
        attack(classifier, x, y, seed=1, checkpoint=path)
    monkeypatch.undo()
    again = attack(classifier, x, y, seed=1, checkpoint=path)
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(whole, field.name))
    with pytest.raises(UserError, match="checkpoint of the same attack"):
        attack(classifier, x, y, seed=2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="checkpoint of an attack"):
        attack(classifier, x, y, seed=1, checkpoint=path)
