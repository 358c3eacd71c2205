"""One classifier from schedule to file: every option at once, killed and resumed."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.attacks import APGD, PGD
from tfinv.comparison.defended import train_defended, validation_attack
from tfinv.comparison.member import Member
from tfinv.errors import UserError
from tfinv.runs.workdir import Workdir
from tfinv.training.assembly import training_model
from tfinv.training.clock import Clock
from tfinv.training.defences import defence
from tfinv.training.fast import Fast
from tfinv.training.fit import fit
from tfinv.training.schedule import Schedule
from tfinv.training.watching import Epoch, Record

DATA, TEST = stripes(96), stripes(40, seed=1)
NETWORK = "resnet(depth=8,width=4)"
# Everything at once, but for the augmentation's mirror, which turns no stripe.
EVERYTHING = Schedule(
    NETWORK,
    epochs=5,
    batch_size=16,
    optimizer="sgd",
    learning_rate=0.05,
    rate_schedule="cyclic",
    weight_decay=5e-4,
    augmentation="crop_flip",
    label_smoothing=0.1,
    ema=0.8,
    precision="mixed_bfloat16",
    validation=32,
)


class Kill(keras.callbacks.Callback):
    """Ends the training in the middle of its fourth epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.params["steps"] * 3 + 1 < int(self.model.optimizer.iterations.numpy()):
            raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class Killed(Fast):
    """Is killed."""

    def callbacks(self, images, logdir):
        return (Kill(),)


def train(folder, value, schedule=EVERYTHING):
    return train_defended(value, DATA, TEST, schedule, Workdir(folder, {}), label="it", seed=2)


def figures(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.proof
def test_with_every_option_a_killed_training_ends_the_same(tmp_path):
    whole, rows = train(tmp_path / "whole", Fast(eps=0.1))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", Killed(eps=0.1))
    best = Record.read(tmp_path / "killed" / "training" / f"{NETWORK}-it-2" / "best.npz")
    assert best.best.number < 3
    resumed, again = train(tmp_path / "killed", Fast(eps=0.1))
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, actual)
    assert figures(rows) == figures(again)
    # The epochs before the kill count.
    assert Clock(tmp_path / "killed" / "training" / f"{NETWORK}-it-2" / "seconds.json").total > 0
    assert again[0]["seconds"] > 0
    metrics = {row["metric"]: row["value"] for row in rows}
    assert metrics.keys() >= {"test_accuracy", "best_epoch", "best_epoch_robust_accuracy"}
    assert metrics["best_epoch_single_step_accuracy"] >= metrics["best_epoch_robust_accuracy"]
    assert {layer.compute_dtype for layer in resumed.layers} == {"float32"}
    events = list((tmp_path / "killed").glob("training/*/tensorboard/validation/*"))
    assert events


@pytest.mark.proof
def test_the_averaged_network_of_a_batch_normalised_one_is_good(tmp_path):
    schedule = Schedule(NETWORK, epochs=12, batch_size=16, learning_rate=0.02, ema=0.9)
    _, rows = train(tmp_path, defence("none"), schedule)
    assert rows[0]["value"] > 0.95


def test_held_out_images_are_not_trained_on_and_the_best_epoch_is_left(tmp_path):
    # At this rate the last epochs are no better than earlier ones.
    schedule = Schedule("softmax", 6, 16, learning_rate=0.5, rate_schedule="constant", validation=32)
    model, rows = train(tmp_path, defence("none"), schedule)
    record = Record.read(next(tmp_path.glob("training/*/best.npz")))
    for one, two in zip(model.get_weights(), record.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    right = model.predict(DATA.images[64:], verbose=0).argmax(1) == DATA.labels[64:]
    assert record.best.accuracy == right.mean()
    assert [r["value"] for r in rows if r["metric"] == "best_epoch"] == [record.best.number + 1]
    # What it would have been without the last 32 images, up to the best epoch.
    keras.utils.set_random_seed(2)
    alone = training_model(defence("none"), DATA.take(64), schedule, seed=2)
    fit(alone, DATA.take(64), epochs=record.best.number + 1, batch_size=16, seed=2)
    for one, two in zip(model.get_weights(), alone.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_killed_after_a_collapse_it_is_not_trained_further(tmp_path):
    schedule = Schedule("softmax", 2, 16, validation=32)
    folder = tmp_path / "training" / "softmax-it-2"
    weights = [np.full((64, 2), 0.5, np.float32), np.array([1, 2], np.float32)]
    Record(Epoch(0, 0.9, 0.5, 0.6), weights, Epoch(1, 0.9, 0.1, 0.9)).write(folder / "best.npz")
    model, rows = train(tmp_path, Fast(eps=0.1), schedule)
    for one, two in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, two)
    metrics = {row["metric"]: row["value"] for row in rows}
    assert (metrics["best_epoch"], metrics["collapse_epoch"], metrics["collapse_epoch_robust_accuracy"]) == (1, 2, 0.1)


def test_the_attack_is_the_recipes_own_unless_given():
    schedule = Schedule(validation=5)
    assert validation_attack(defence("none"), schedule) is None
    assert validation_attack(defence("atat"), schedule) is None
    assert validation_attack(defence("fast(eps=.2,norm=l2)"), schedule) == PGD(eps=0.2, norm="l2", steps=10)
    assert validation_attack(defence("trades(eps=.2)+reversal"), schedule) == PGD(eps=0.2, steps=10)
    with_attack = dataclasses.replace(schedule, validation_attack="apgd(steps=7)")
    assert validation_attack(defence("fast(eps=.2)"), with_attack) == APGD(eps=0.2, steps=7)
    with_attack = dataclasses.replace(schedule, validation_attack="apgd(eps=.1)")
    assert validation_attack(defence("none"), with_attack) == APGD(eps=0.1)


def test_an_attack_without_eps_is_refused_for_a_training_without():
    with pytest.raises(UserError, match=r"with eps.*pgd\(steps=3\).*--validation_attack"):
        validation_attack(defence("none"), Schedule(validation=5, validation_attack="pgd(steps=3)"))
    for recipe, attack in (("fast(eps=.03)", "pgd(norm=l2)"), ("fast(norm=l2)", "apgd(norm=linf)")):
        with pytest.raises(UserError, match=r"has none in that norm.*norm=.*--validation_attack"):
            validation_attack(defence(recipe), Schedule(validation=5, validation_attack=attack))
    schedule = Schedule(validation=5, validation_attack="pgd(norm=l2,eps=1)")
    assert validation_attack(defence("fast(eps=.03)"), schedule) == PGD(eps=1.0, norm="l2")


@pytest.mark.parametrize("spec", ["atat", "atat+reversal"])
def test_atat_is_refused_in_half_precision(spec):
    with pytest.raises(UserError, match="precision float32 with atat"):
        training_model(defence(spec), DATA, Schedule("softmax", 1, 16, precision="mixed_bfloat16"))


def test_only_robust_models_of_a_comparison_are_chosen_by_robust_accuracy():
    schedule = Schedule(validation=5, validation_attack="pgd(eps=.1)")
    for spec, attack in {
        "none": None,
        "atat+reversal": None,
        "fast": "pgd(eps=.1)",
        "fast+reversal": "pgd(eps=.1)",
    }.items():
        assert Member(spec, defence(spec), schedule).schedule.validation_attack == attack


def test_nls_refuses_a_second_smoothing():
    with pytest.raises(UserError, match="label_smoothing 0 with nls"):
        training_model(defence("nls"), DATA, Schedule(label_smoothing=0.1))


def test_two_forms_of_an_architecture_share_a_file(tmp_path):
    train(tmp_path, defence("none"), Schedule("softmax()", 1, 16))
    assert [p.name for p in pathlib.Path(tmp_path).glob("models/*")] == ["softmax-it-2.keras"]
