"""Invalid arguments of every attack, its checkpoints, and that it keeps no classifier alive."""

import dataclasses
import functools
import gc
import math
import weakref

import numpy as np
import pytest
import tensorflow as tf

from attack_contract import ALL, CLASSES, SETTINGS, SHAPE, attack_class, follows_gradients, make, victim
from tfinv import attacks
from tfinv.classifier import Classifier
from tfinv.errors import UserError

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
    cls = attack_class(name)
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


@pytest.mark.parametrize("name", [name for name in SETTINGS if attack_class(name).TARGETED])
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
        with pytest.raises(UserError, match=r"gradients for .*--attacks=square"):
            attack(classifier, x, y)
    else:
        assert attack(classifier, x, y).success.any()


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


@functools.cache
def scaled_victim():
    """Returns another classifier: the victim with larger logits."""
    classifier = victim("logits")[0]
    return Classifier.from_callable(
        lambda v: 3 * classifier.logits(v),
        input_shape=classifier.input_shape,
        num_classes=classifier.num_classes,
        bounds=classifier.bounds,
        outputs="logits",
    )


def count_stages(monkeypatch, attack, classifier, interrupted=None):
    """Returns a list that grows with each stage of an attack, which is interrupted in the stage of this number."""
    calls = []

    def counting(original):
        def perturb(self, problem):
            calls.append(1)
            if len(calls) == interrupted:
                raise KeyboardInterrupt
            return original(self, problem)

        return perturb

    # All methods are read before any is replaced, because some are inherited.
    for member, original in [(kind, kind.perturb) for kind in {type(m) for m, _ in attack.stages(classifier)}]:
        monkeypatch.setattr(member, "perturb", counting(original))
    return calls


@ALL
def test_a_checkpoint_ends_as_an_unbroken_run(name, tmp_path, monkeypatch):
    classifier, _, x, y = victim("logits")
    attack = make(name, classifier, 0.02)
    whole = attack(classifier, x, y, seed=1)
    path = tmp_path / "state.npz"
    stages = len(attack.stages(classifier))
    count_stages(monkeypatch, attack, classifier, interrupted=max(1, stages))
    with pytest.raises(KeyboardInterrupt):
        attack(classifier, x, y, seed=1, checkpoint=path)
    monkeypatch.undo()
    calls = count_stages(monkeypatch, attack, classifier)
    again = attack(classifier, x, y, seed=1, checkpoint=path)
    monkeypatch.undo()
    assert len(calls) == 1  # only the interrupted stage
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(whole, field.name))
    with pytest.raises(UserError, match="checkpoint of the same attack"):
        attack(classifier, x, y, seed=2, checkpoint=path)
    with pytest.raises(UserError, match="checkpoint of the same attack"):
        attack(scaled_victim(), x, y, seed=1, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="checkpoint of an attack"):
        attack(classifier, x, y, seed=1, checkpoint=path)
