"""Checks of a pretrained model, for those in the package and for one that a test has created."""

import hashlib
import math
import re
import shlex
import zipfile

import numpy as np

from tfinv import datasets, models
from tfinv.classifier import Classifier
from tfinv.evaluation.statistics.intervals import rate_interval
from tfinv.models.pretrained import MOST_BYTES, golden_images
from tfinv.training import defences
from tfinv_cli import evaluate, reproduce, train
from tfinv_cli.common import command

COMMANDS = {"train": train.COMMAND, "evaluate": evaluate.COMMAND, "reproduce": reproduce.COMMAND}


def check_whole(name):
    """The file is small and plain Keras, and the card is complete and belongs to this file."""
    card, model = models.card(name), models.pretrained(name)
    with models.pretrained_file(name) as path:
        content = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            modules = re.findall(r'"module": "([\w.]+)"', archive.read("config.json").decode())
    assert len(content) <= MOST_BYTES
    assert card.sha256 == hashlib.sha256(content).hexdigest()
    assert {module.split(".")[0] for module in modules} == {"keras"}
    assert all(v.dtype != "float16" for v in model.weights)
    assert card.name == name
    assert (card.parameters, len(card.classes)) == (model.count_params(), model.output_shape[1])
    built = models.build(card.architecture, model.input_shape[1:], len(card.classes))
    assert [w.shape for w in built.weights] == [w.shape for w in model.weights]
    assert defences.show(defences.defence(card.recipe)) == card.recipe
    assert shlex.split(card.command)[:2] in (["tfinv", "train"], ["tfinv", "reproduce"])
    assert f"--seed={card.seed}" in card.command
    # Both command lines are still valid.
    for line in (card.command, card.evaluation):
        _, verb, *flags = shlex.split(line)
        values, rest = command.parse(COMMANDS[verb], [*flags, "--workdir=w"])
        if verb == "reproduce":
            reproduce.resolved(*rest, values)
    # A comparison trains and evaluates in one command.
    assert f"--model=pretrained:{name}" in card.evaluation or card.evaluation == card.command
    assert card.seconds > 0
    assert card.epochs > 0
    assert "keras" in card.machine
    assert card.robust, "no accuracy under attack"
    for score in (card.clean, *card.robust):
        hits = score.accuracy * score.n
        assert math.isclose(hits, round(hits), abs_tol=1e-6)
        np.testing.assert_allclose(score.ci95, rate_interval(round(hits), score.n), atol=1e-9)
        assert (score.eps == 0) == (score.attack == "none") == (score.norm is None)
    assert any(score.attack.startswith("autoattack") for score in card.robust)
    assert card.weights in ("float32", "float16")


def check_scores(name, test=None):
    """The model has the logits and the accuracy of its card: on `mnist5k`, or on `test`."""
    card, model = models.card(name), models.pretrained(name)
    logits = np.asarray(model(golden_images(model.input_shape[1:])))
    np.testing.assert_allclose(logits, card.golden_logits, rtol=1e-3, atol=1e-3)
    if test is not None:
        assert Classifier.from_keras(model).accuracy(test.images, test.labels) == card.clean.accuracy
    elif card.embedded is not None:
        digits = datasets.load("mnist5k", "test")
        correct = np.sum(Classifier.from_keras(model).predict(digits.images).argmax(1) == digits.labels)
        assert (int(correct), len(digits)) == card.embedded
