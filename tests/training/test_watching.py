"""Held-out images while training: the measurements, the best epoch, and the end of a training."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from tfinv.attacks import FGSM, PGD, Noise
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.training.base import ClassifierTraining
from tfinv.training.watching import Epoch, Record, Watch, has_collapsed, withstands_only_single_steps

# Grey images of two classes, which a threshold tells apart; a perturbation in L-inf moves the grey by eps.
GREYS = np.array([0.2, 0.4, 0.45, 0.8], np.float32)
DATA = Dataset("greys", "train", np.tile(GREYS[:, None, None, None], (1, 2, 2, 1)), np.array([0, 0, 1, 1]), ("a", "b"))


def threshold(training, at):
    """Makes the classifier say "b" above a grey."""
    kernel = np.array([[0, 0.25]] * 4, np.float32)
    training.classifier.set_weights([kernel, np.array([0, -at], np.float32)])


def make(data=DATA, **kwargs):
    network = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    training = ClassifierTraining(network)
    training.compile()
    training.stop_training = False
    watch = Watch(data, **kwargs)
    watch.set_model(training)
    watch.set_params({"epochs": 9})
    return training, watch


def after(watch, epoch, **logs):
    watch.on_epoch_begin(epoch)
    watch.on_epoch_end(epoch, logs)
    return logs


def test_the_best_epoch_has_the_highest_robust_accuracy():
    training, watch = make(attack=PGD(eps=0.15, steps=5))
    # .42 is right everywhere, .6 wrong at .45 and right with room at the others.
    expected = {0.42: (1.0, 0.5), 0.6: (0.75, 0.75), 0.43: (1.0, 0.5)}
    for epoch, (at, (accuracy, robust)) in enumerate(expected.items()):
        threshold(training, at)
        assert after(watch, epoch) == {
            "val_accuracy": accuracy,
            "val_robust_accuracy": robust,
            "val_single_step_accuracy": robust,
        }
    assert watch.record.best == Epoch(1, 0.75, 0.75, 0.75)
    watch.on_train_end()
    assert training.classifier.get_weights()[1][1] == np.float32(-0.6)


def test_of_an_averaging_optimizer_the_averaged_network_is_measured_and_kept():
    training, watch = make()
    training.compile(keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5))
    threshold(training, 0.26)
    still = [np.zeros(v.shape, np.float32) for v in training.trained_variables]
    training.optimizer.apply_gradients(zip(still, training.trained_variables, strict=True))
    threshold(training, 0.6)
    training.optimizer.apply_gradients(zip(still, training.trained_variables, strict=True))
    # Of the average, .43, all is right; of the weights as they are, .6, the grey .45 is not.
    assert after(watch, 0) == {"val_accuracy": 1.0}
    assert watch.record.weights[1][1] == pytest.approx(-0.43)
    assert training.classifier.get_weights()[1][1] == np.float32(-0.6)


def test_without_an_attack_it_is_the_accuracy_and_the_first_of_equals():
    training, watch = make()
    for epoch, at in enumerate((0.6, 0.42, 0.43)):
        threshold(training, at)
        assert after(watch, epoch).keys() == {"val_accuracy"}
    assert (watch.record.best.number, watch.record.best.score) == (1, (1.0, 1.0))


def test_of_equally_robust_epochs_the_more_accurate_is_best():
    best = [Epoch(0, 0.3, 0.0), Epoch(1, 0.9, 0.0), Epoch(2, 0.8, 0.0)]
    assert max(best, key=lambda e: e.score).number == 1


def test_it_measures_every_so_often_and_at_the_end():
    training, watch = make(every=4)
    threshold(training, 0.42)
    assert [epoch for epoch in range(9) if after(watch, epoch)] == [3, 7, 8]


def test_a_broken_epoch_is_not_measured():
    training, watch = make()
    threshold(training, 0.42)
    assert after(watch, 0, loss=math.nan).keys() == {"loss"}
    assert watch.record is None


BEST = Epoch(3, 0.8, 0.45, 0.5)


@pytest.mark.parametrize(
    ("robust", "single", "expected"),
    [(0.0, 0.9, True), (0.24, 0.5, True), (0.26, 0.9, False), (0.0, 0.49, False), (math.nan, math.nan, False)],
)
def test_collapse_is_a_fall_under_several_steps_but_not_under_one(robust, single, expected):
    assert has_collapsed(BEST, Epoch(4, 0.85, robust, single), 1000, 0.1) is expected


@pytest.mark.parametrize(
    ("robust", "single", "n", "majority_rate", "expected"),
    [
        (0.0, 0.3, 1000, 0.02, True),
        (0.059, 0.3, 1000, 0.02, True),  # less than half
        (0.061, 0.3, 1000, 0.02, False),
        (0.0, 0.19, 1000, 0.02, False),  # weaker under one step, too
        (0.0, 0.3, 20, 0.02, False),  # two of twenty images and none: chance
        (0.0, 0.3, 1000, 0.12, False),  # no more than who always says the same
        (math.nan, math.nan, 1000, 0.02, False),
    ],
)
def test_what_withstood_little_collapses_by_half_of_it(robust, single, n, majority_rate, expected):
    assert has_collapsed(Epoch(3, 0.5, 0.12, 0.2), Epoch(4, 0.6, robust, single), n, majority_rate) is expected


def test_chance_is_no_collapse_of_what_withstood_much():
    assert not has_collapsed(Epoch(3, 0.8, 0.5, 0.5), Epoch(4, 0.85, 0.25, 0.5), 12, 0.1)


def test_a_collapsed_training_ends_with_the_best_weights(tmp_path, monkeypatch):
    path = tmp_path / "best.npz"
    training, watch = make(DATA.subset(np.arange(400) % 4), attack=PGD(eps=0.1), path=path)
    epochs = [Epoch(0, 0.9, 0.6, 0.7), Epoch(1, 0.9, 0.8, 0.8), Epoch(2, 0.9, 0.7, 0.85), Epoch(3, 0.9, 0.5, 0.9)]
    monkeypatch.setattr(watch, "measure", lambda epoch: epochs[epoch])
    for epoch in range(4):
        assert not training.stop_training
        threshold(training, epoch / 10)
        after(watch, epoch)
    assert training.stop_training
    record = Record.read(path)
    assert (record.best, record.collapse) == (epochs[1], epochs[3])
    watch.on_train_end()
    assert training.classifier.get_weights()[1][1] == np.float32(-0.1)


@pytest.mark.parametrize(
    ("robust", "single", "n", "expected"),
    [
        (0.048, 0.88, 1000, True),  # digits, fast(eps=.3,step_size=.6)
        (0.53, 0.945, 1000, False),  # the same at eps .2: much was won
        (0.338, 0.399, 1000, False),  # CIFAR-10
        (0.0, 0.19, 1000, False),
        (0.0, 0.3, 10, False),  # three images of ten
        (math.nan, math.nan, 1000, False),
    ],
)
def test_what_withstands_only_single_steps(robust, single, n, expected):
    assert withstands_only_single_steps(Epoch(9, 0.9, robust, single), n) is expected


@pytest.mark.parametrize(("perturbed", "collapse"), [(True, 2), (False, None)])
def test_with_nothing_to_lose_a_training_on_perturbations_is_judged_at_its_end(
    perturbed, collapse, tmp_path, monkeypatch
):
    """Not before: while eps rises, all of them look so."""
    path = tmp_path / "best.npz"
    data = DATA.subset(np.arange(400) % 4)
    training, watch = make(data, attack=PGD(eps=0.1), perturbed=perturbed, path=path)
    watch.set_params({"epochs": 3})
    epochs = [Epoch(0, 0.8, 0.02, 0.5), Epoch(1, 0.9, 0.05, 0.6), Epoch(2, 0.9, 0.04, 0.7)]
    monkeypatch.setattr(watch, "measure", lambda epoch: epochs[epoch])
    for epoch in range(3):
        assert Record.read(path) is None or Record.read(path).collapse is None
        after(watch, epoch)
    record = Record.read(path)
    assert record.best == epochs[1]
    assert record.collapse == (None if collapse is None else epochs[collapse])
    assert not training.stop_training


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "best.npz").write_bytes(b"garbage")
    with pytest.raises(UserError, match=r"Expected the best weights of a training. Received: .*best\.npz.*Remove"):
        Record.read(tmp_path / "best.npz")


def test_a_record_survives_and_a_new_training_forgets_it(tmp_path):
    path = tmp_path / "best.npz"
    assert Record.read(path) is None
    Record(Epoch(2, 0.5), [np.arange(3.0), np.ones((2, 1), np.float32)]).write(path)
    training, watch = make(path=path)
    assert dataclasses.replace(watch.record.best, robust=0, single_step=0) == Epoch(2, 0.5, 0, 0)
    assert [w.tolist() for w in watch.record.weights] == [[0, 1, 2], [[1], [1]]]
    threshold(training, 0.6)
    watch.on_epoch_begin(3)
    assert watch.record.best.number == 2
    after(watch, 0)
    assert watch.record.best == dataclasses.replace(watch.record.best, number=0, accuracy=0.75)


@pytest.mark.parametrize("attack", [FGSM(eps=0.1), PGD(eps=0.1, steps=1), Noise(eps=0.1), PGD(eps=0.1, norm="l1")])
def test_collapse_is_told_by_several_steps_against_one_alone(attack):
    training, watch = make(attack=attack)
    threshold(training, 0.5)
    epoch = watch.measure(0)
    assert not math.isnan(epoch.robust)
    assert math.isnan(epoch.single_step)
