import keras
import numpy as np
import pytest

from tfinv import datasets, models
from tfinv.training.fit import fit


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with a small trained model of 300 digits, and the digits as an .npz."""
    folder = tmp_path_factory.mktemp("digits")
    train, test = datasets.load("mnist5k", "train").take(600), datasets.load("mnist5k", "test").take(60)
    keras.utils.set_random_seed(0)
    model = models.cnn(train.image_shape, 10, filters=(8, 16), units=32)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, train, epochs=6, batch_size=32)
    model.save(folder / "model.keras")
    np.savez(folder / "digits.npz", x_train=train.pixels, y_train=train.labels, x_test=test.pixels, y_test=test.labels)
    return folder
