"""A training for resume tests; run as `python resumable.py FOLDER`, it kills its process in the third epoch."""

import os
import signal
import sys

import numpy as np

from tfinv import datasets  # isort: skip  before Keras, for a quiet start
import keras

from tfinv.training.assembly import training_model
from tfinv.training.defences import defence
from tfinv.training.fit import fit
from tfinv.training.schedule import Schedule


def train(folder, *callbacks):
    """Returns the final weights in one vector."""
    data = datasets.load("mnist5k").take(256)
    keras.utils.set_random_seed(3)
    model = training_model(
        defence("shuffled(ramp=.5)"), data, Schedule("mlp(units=64)", epochs=4, batch_size=64), seed=3
    )
    fit(model, data, epochs=4, batch_size=64, seed=3, workdir=folder, callbacks=list(callbacks))
    return np.concatenate([np.ravel(w) for w in model.get_weights()])


class _Killed(keras.callbacks.Callback):
    """Kills the process in the middle of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == 11:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    train(sys.argv[1], _Killed())
