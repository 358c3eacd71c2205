"""Callbacks within a training: the metrics of a model that is known, early stopping by them, order, traces, KerasTuner."""

import copy

import keras
import keras_tuner
import numpy as np
import pytest

import tfinv
from tfinv.callbacks import MembershipRisk, RobustAccuracy
from tfinv.errors import UserError

SHAPE = (4, 4, 1)
ROBUST, RISK = "val_robust_accuracy", "val_membership_auc"


class Traced(keras.layers.Layer):
    """The identity, which counts how often it is traced or called."""

    calls = 0

    def call(self, x):
        type(self).calls += 1
        return x


class Steer(keras.callbacks.Callback):
    """Sets the scale of the head at the end of each epoch's training, and counts traces."""

    def __init__(self, scales):
        super().__init__()
        self.scales, self.traces = scales, []

    def on_epoch_end(self, epoch, logs=None):
        self.traces.append(Traced.calls)
        head = next(layer for layer in self.model.layers if isinstance(layer, keras.layers.Dense))
        head.set_weights(weights(head.units, self.scales[epoch]))


def weights(units, scale):
    """Of a head whose log-odds of class 1 are the scale times the sum of the pixels less 8, once for one unit, twice for two."""
    kernel, bias = np.full((16, 1), scale), np.array([-8 * scale])
    return [kernel, bias] if units == 1 else [np.hstack([-kernel, kernel]), np.concatenate([-bias, bias])]


def data(n=64):
    """Images whose sum is 8 - 1.6 or 8 + 1.6 for half of them, and 8 -+ .4 for the others: an eps of .05 takes .8."""
    labels = np.arange(n) % 2
    shift = np.where(np.arange(n) % 4 < 2, 1.6, 0.4) / 16
    values = 0.5 + np.where(labels == 1, shift, -shift)
    return (values[:, None, None, None] * np.ones((1, *SHAPE))).astype(np.float32), labels


def network(ending):
    """Sigmoid of one unit, softmax of two, or their logits."""
    units = 1 if ending == "sigmoid" else 2
    keras.utils.set_random_seed(0)
    layers = [keras.Input(SHAPE), Traced(), keras.layers.Flatten(), keras.layers.Dense(units)]
    if ending != "logits":
        layers.append(keras.layers.Activation(ending))
    model = keras.Sequential(layers)
    if units == 1:
        loss = keras.losses.BinaryCrossentropy()
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=ending == "logits")
    model.compile(keras.optimizers.SGD(0.0), loss)
    return model


def fit(model, callbacks, epochs):
    x, y = data()
    return model.fit(x, y, validation_data=(x, y), epochs=epochs, batch_size=32, verbose=0, callbacks=callbacks).history


@pytest.mark.parametrize("ending", ["sigmoid", "softmax", "logits"])
def test_the_metrics_are_those_of_the_weights_of_the_epoch(ending):
    """The right head loses half of the images at eps .05, the reversed one has all wrong. Nothing is traced twice."""
    x, y = data()
    robust = RobustAccuracy(x, y, "pgd(steps=3)", eps=0.05, limit=None)
    # Members are those with the large margins.
    large = np.abs(x.reshape(64, -1).mean(1) - 0.5) > 0.05
    risk = MembershipRisk((x[large], y[large]), (x[~large], y[~large][:, None]), limit=None)
    steer = Steer([1.0, -1.0, 1.0, 1.0])
    history = fit(network(ending), [steer, robust, risk], 4)
    assert history[ROBUST] == [0.5, 0.0, 0.5, 0.5]
    assert history[RISK] == [1.0, 0.0, 1.0, 1.0]
    assert [(m.epoch, m.value, m.n) for m in robust.measured] == [(0, 0.5, 64), (1, 0, 64), (2, 0.5, 64), (3, 0.5, 64)]
    assert robust.measured[0].ci95[0] < 0.5 < robust.measured[0].ci95[1]
    assert robust.measured[1].ci95[1] > 0
    assert steer.traces[1] == steer.traces[2] == steer.traces[3]
    assert risk.measured[0].n == 64


def test_scores_by_modified_entropy_agree():
    x, y = data()
    large = np.abs(x.reshape(64, -1).mean(1) - 0.5) > 0.05
    risk = MembershipRisk((x[large], y[large]), (x[~large], y[~large]), "modified_entropy")
    assert fit(network("softmax"), [Steer([1.0, -1.0]), risk], 2)[RISK] == [1.0, 0.0]


@pytest.mark.parametrize("first", [False, True], ids=["in front", "behind"])
def test_others_stop_and_save_by_them_whatever_the_order(first, tmp_path):
    """The second epoch is the best. One that comes behind what monitors it moves in front, with what set the weights."""
    x, y = data()

    class Scaled(RobustAccuracy):
        """Measures a known course."""

        def measure(self, classifier):
            value = [0.25, 0.75, 0.5, 0.5, 0.5][len(self.measured)]
            return value, 4, (0.0, 1.0)

    robust = Scaled(x, y)
    stopping = keras.callbacks.EarlyStopping(ROBUST, mode="max", patience=2)
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", ROBUST, mode="max", save_best_only=True)
    monitors = [stopping, saving]
    history = fit(network("softmax"), [*monitors, robust] if first else [robust, *monitors], 5)
    assert history[ROBUST] == [0.25, 0.75, 0.5, 0.5]
    assert stopping.best == 0.75
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.keras", "2.keras"]


def test_every_few_epochs_and_after_the_last():
    x, y = data()
    robust = RobustAccuracy(x, y, "fgsm", eps=0.05, every=3, limit=20)
    history = fit(network("softmax"), [Steer([1.0] * 2 + [-1.0] * 6), robust], 6)
    assert [m.epoch for m in robust.measured] == [0, 3, 5]
    assert all(m.n == 20 for m in robust.measured)
    assert history[ROBUST][0] == history[ROBUST][1] == history[ROBUST][2] > 0
    assert history[ROBUST][3:] == [0, 0, 0]
    fit(network("softmax"), [robust], 1)
    assert [m.epoch for m in robust.measured] == [0]  # of this training


def test_pixels_up_to_255():
    """The network rescales; eps stays a fraction."""
    x, y = data()
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Rescaling(1 / 255), *network("softmax").layers])
    model.compile("sgd", "sparse_categorical_crossentropy")
    robust = RobustAccuracy(255 * x, y, "pgd(steps=3)", eps=0.05, bounds=(0, 255))
    model.fit(255 * x, y, epochs=1, verbose=0, callbacks=[Steer([1.0]), robust])
    assert robust.measured[0].value == 0.5


def test_a_copy_measures_the_same():
    x, y = data()
    robust = RobustAccuracy(x, y, "fgsm", eps=0.05)
    fit(network("softmax"), [Steer([1.0]), robust], 1)
    twin = copy.deepcopy(robust)
    assert fit(network("softmax"), [Steer([1.0]), twin], 1)[ROBUST] == [0.5] == [m.value for m in robust.measured]


@pytest.mark.filterwarnings("ignore:(current|get|set):DeprecationWarning")  # KerasTuner's
def test_keras_tuner_searches_by_it(tmp_path):
    x, y = data()

    def build(space):
        model = network("softmax")
        # At -1 all are wrong, at 1 half of the images withstand.
        model.layers[-2].set_weights(weights(2, space.Choice("scale", [-1.0, 1.0])))
        return model

    tuner = keras_tuner.GridSearch(
        build, keras_tuner.Objective(ROBUST, direction="max"), directory=tmp_path, project_name="search"
    )
    robust = RobustAccuracy(x, y, "fgsm", eps=0.05)
    tuner.search(x, y, epochs=1, verbose=0, callbacks=[robust])
    assert tuner.get_best_hyperparameters()[0]["scale"] == 1.0
    scores = {t.hyperparameters["scale"]: t.score for t in tuner.oracle.trials.values()}
    assert scores == {-1.0: 0.0, 1.0: 0.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "positive `every`"),
        ({"batch_size": 0}, "positive `batch_size`"),
        ({"limit": 0}, "positive `limit`"),
        ({"attack": "pgd(eps=.1)"}, "without an eps"),
        ({"attack": "nothing"}, "nothing"),
        ({"eps": 2.0}, "eps of at most 1"),
        ({"labels": np.zeros(3, int)}, "`images` or `labels`"),
        ({"images": np.zeros((0, *SHAPE)), "labels": np.zeros(0, int)}, "n >= 1"),
    ],
)
def test_arguments_are_checked_before_the_training(arguments, message):
    x, y = data()
    with pytest.raises(UserError, match=message):
        RobustAccuracy(**({"images": x, "labels": y} | arguments))


def test_an_unknown_membership_attack_is_refused():
    side = data()
    with pytest.raises(UserError, match="loss, modified_entropy"):
        MembershipRisk(side, side, "lira")
    with pytest.raises(UserError, match="`nonmembers`"):
        MembershipRisk(side, (side[0], side[1][:3]))


def test_without_a_training_the_order_stays():
    """Called by hand, no list of callbacks is found."""
    x, y = data()
    robust = RobustAccuracy(x, y, "fgsm", eps=0.05)
    robust.set_model(network("softmax"))
    logs = {}
    robust.on_train_begin()
    robust.on_epoch_end(0, logs)
    robust.on_epoch_end(1)
    assert logs.keys() == {ROBUST}
    assert logs[ROBUST] == robust.measured[0].value == robust.measured[-1].value


def test_they_are_found_as_those_of_keras_are():
    assert tfinv.callbacks.RobustAccuracy is RobustAccuracy
