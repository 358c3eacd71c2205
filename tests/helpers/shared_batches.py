"""Trainings whose batches may be shared by replicas, one for each defence; test_distribution.py compares them."""

import os
import signal
from unittest import mock

import keras
import numpy as np

from stripes import small_net, stripes
from tfinv.training import trades
from tfinv.training.base import Plan
from tfinv.training.defences import defence
from tfinv.training.fit import fit
from tfinv.training.schedule import Schedule

# Of TRADES here. A thousandth away from the image the divergence hardly has a gradient, and rounding, which the share of a batch
# and the processor change, decides its signs.
START_DEVIATION = 0.05

DATA = stripes(72)
EPOCHS, BATCH = 3, 32

TRAININGS = {
    "none": "none",
    "adversarial": "adversarial(eps=.05,steps=2)",
    "fast": "fast(eps=.05)",
    "nfgsm": "nfgsm(eps=.5,norm=l2)",
    "free": "free(eps=.05,replays=2)",
    "trades": "trades(eps=.05,steps=2)",  # in L2 a gradient that almost vanishes is divided by its norm: rounding grows
    "mart": "mart(eps=.5,steps=2,norm=l2)",
    "positive": "positive",
    "reversal": "reversal(strength=1)",
    "shuffled": "shuffled(strength=1,ramp=.5)",
    "combined": "trades(eps=.05,steps=2)+reversal(strength=1)",
    "mid": "mid",
    "bido": "bido",
    "nls": "nls",
    "atat": "atat(steps=2)",
    "dp_sgd": "dp_sgd(noise=.1)",
    "rounding": "rounding",
    "scheduled": "none",
}
# Trainings with batch normalisation. The last one also uses all options of a schedule.
NORMALISED = ("mart", "free", "scheduled")
SCHEDULED = Schedule(
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    augmentation="crop_flip",
    label_smoothing=0.1,
    ema=0.9,
)
DEFAULT = Schedule(optimizer="sgd", learning_rate=0.05)


class Watch(keras.callbacks.Callback):
    """Prints the number of each epoch, and kills its process after a step."""

    def __init__(self, step):
        super().__init__()
        self._step = step

    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch, flush=True)

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def normalised_net():
    """A network with batch norm, and without the convolution's bias, which would have no effect and change by rounding only."""
    layers = keras.layers
    middle = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
    return keras.Sequential([keras.Input(DATA.image_shape), *middle, layers.Dense(2)])


def train(name, strategy, **kwargs):
    """Returns the training model, and its last logs."""
    with strategy.scope():
        keras.utils.set_random_seed(4)
        network = normalised_net() if name in NORMALISED else small_net(DATA)
        plan = Plan(network, DATA, EPOCHS, BATCH, seed=1)
        model = defence(TRAININGS[name]).training(plan)
        (SCHEDULED if name == "scheduled" else DEFAULT).compile(model, DATA.image_shape, plan.steps)
    with mock.patch.object(trades, "_START_DEVIATION", START_DEVIATION):
        return model, fit(model, DATA, epochs=EPOCHS, batch_size=BATCH, seed=1, **kwargs)


def weights(model):
    """All weights in one vector."""
    return np.concatenate([np.ravel(w) for w in model.export_classifier().get_weights()])
