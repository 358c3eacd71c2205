"""A training that kills itself in its third epoch if told so; run by test_destruction.py as a process of its own."""

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


class Watch(keras.callbacks.Callback):
    """Says which epochs it sees, and kills it in the middle of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch, flush=True)

    def on_train_batch_end(self, batch, logs=None):
        if "--kill" in sys.argv and int(self.model.optimizer.iterations.numpy()) == 11:
            os.kill(os.getpid(), signal.SIGKILL)


folder = sys.argv[1]
train = datasets.load("mnist5k").take(256)
keras.utils.set_random_seed(3)
model = training_model(defence("shuffled(ramp=.5)"), train, Schedule("mlp(units=64)", epochs=4, batch_size=64), seed=3)
fit(model, train, epochs=4, batch_size=64, seed=3, workdir=folder, callbacks=[Watch()])
np.save(os.path.join(folder, "weights.npy"), np.concatenate([np.ravel(w) for w in model.get_weights()]))
