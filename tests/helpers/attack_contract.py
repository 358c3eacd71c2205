"""Shared parts of the tests of every attack: small settings of each attack, and one classifier of every kind."""

import functools
import math
import pathlib
import tempfile
import warnings

import keras
import numpy as np
import pytest

import tfinv
from tfinv import attacks
from tfinv.classifier import Classifier

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
    "cw": {"steps": 50, "binary_search_steps": 5, "learning_rate": 0.2},
    "ead": {"steps": 20, "binary_search_steps": 4},
    "fmn": {"steps": 12},
    "autoattack": {"steps": 6, "queries": 40},
    "worst_case": {"members": "bim(steps=3),pgd(steps=5)"},
    "square": {"queries": 30},
    "hopskipjump": {"queries": 120, "evaluations": 20},
    "boundary": {"queries": 200},
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


def attack_class(name):
    return attacks.ATTACKS[name]


def follows_gradients(name):
    return attack_class(name).NEEDS == "gradients"


EFFORT = {"steps", "draws", "queries", "restarts"}
CASES = [(name, norm) for name in SETTINGS for norm in attack_class(name).NORMS]
ALL = pytest.mark.parametrize("name", SETTINGS)
EACH = pytest.mark.parametrize(("name", "norm"), CASES, ids=map("-".join, CASES))
BATCHED = ("softmax", "batch norm")  # kinds whose examples a batch could mix up
# Every kind of model is attacked in the first norm only: the other norms do not depend on the model.
ON_KINDS = pytest.mark.parametrize(
    ("name", "norm", "kind"),
    [
        (name, norm, kind)
        for name, norm in CASES
        for kind in (KINDS if norm == attack_class(name).NORMS[0] else BATCHED)
    ],
)
ON_BATCHED = pytest.mark.parametrize(
    ("name", "norm", "kind"), [(name, norm, kind) for name, norm in CASES for kind in BATCHED]
)


@functools.cache
def victim(kind):
    """Returns a classifier, its model, images in its bounds, and labels that are wrong in the rows of WRONG."""
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
            layers[1:] = [layer.__class__.from_config(_config_without_dtype(layer)) for layer in layers[1:]]
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
            warnings.simplefilter("ignore")  # Keras warns that the format is old
            model.save(path)
    else:
        model.export(path, verbose=False)


def _config_without_dtype(layer):
    return {k: v for k, v in layer.get_config().items() if k not in ("dtype", "name")}


def make(name, classifier, share, norm=None, **arguments):
    norm = norm or attack_class(name).NORMS[0]
    low, high = classifier.bounds
    scale = {"linf": 1.0, "l2": math.sqrt(math.prod(SHAPE)), "l1": math.prod(SHAPE)}[norm]
    if name == "transfer":
        arguments = {"surrogate": classifier} | arguments
    return attack_class(name)(**{"eps": share * (high - low) * scale, "norm": norm} | SETTINGS[name] | arguments)


def start_images(name, classifier, targets):
    """Returns the argument `start` that a targeted decision-based attack needs: an image of each target class."""
    if not (attack_class(name).MINIMAL and attack_class(name).NEEDS == "labels"):
        return {}
    images = np.random.default_rng(8).uniform(size=(2000, *SHAPE)) ** np.linspace(0.1, 5, 2000).reshape(-1, 1, 1, 1)
    images = classifier.from_unit(images)
    predicted = classifier.predict(images).argmax(1)
    return {"start": images[[np.flatnonzero(predicted == target)[0] for target in targets]]}


@functools.cache
def attack_result(name, norm, kind, seed=1):
    classifier, _, x, y = victim(kind)
    return make(name, classifier, 0.07, norm)(classifier, x, y, seed=seed)
