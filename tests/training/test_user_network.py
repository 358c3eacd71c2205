"""Networks of the user's in files: what is loaded, with which weights, and what is refused."""

import pathlib

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.errors import UserError
from tfinv.training.recognition import UNIT
from tfinv.training.schedule import Schedule
from tfinv.training.user_network import UserNetwork, UserSchedule, flags_of, notes

layers = keras.layers
DATA = stripes()


@pytest.fixture
def path(tmp_path):
    """A network with a frozen layer, as a file."""
    keras.utils.set_random_seed(0)
    frozen = layers.Conv2D(4, 3, activation="relu", trainable=False)
    network = keras.Sequential([keras.Input((8, 8, 1)), frozen, layers.Flatten(), layers.Dense(2)])
    network.save(tmp_path / "my net.keras")
    return tmp_path / "my net.keras"


@pytest.mark.parametrize("weights", ["kept", "new"])
def test_it_begins_with_the_weights_in_the_file_or_with_others(path, weights):
    original = keras.models.load_model(path)
    networks = [UserNetwork(str(path), weights).network(DATA, seed) for seed in (1, 1, 2)]
    for network in networks:  # what is frozen stays
        np.testing.assert_array_equal(network.layers[0].get_weights()[0], original.layers[0].get_weights()[0])
    kernels = [network.layers[-1].get_weights()[0] for network in (original, *networks)]
    assert np.array_equal(kernels[0], kernels[1]) == (weights == "kept")
    np.testing.assert_array_equal(kernels[1], kernels[2])
    assert np.array_equal(kernels[1], kernels[3]) == (weights == "kept")


def test_a_schedule_of_it_names_and_builds_it(path):
    network = UserNetwork(str(path), bounds=(-1.0, 1.0))
    schedule = UserSchedule.of(Schedule(epochs=7, ema=0.9), network)
    assert (schedule.network_name, schedule.bounds, schedule.epochs, schedule.ema) == ("my-net", (-1.0, 1.0), 7, 0.9)
    assert schedule.network(DATA, 0).count_params() == keras.models.load_model(path).count_params()
    assert Schedule().bounds == UNIT
    with pytest.raises(UserError, match=r"float32 with a network of your own.*Leave out --precision"):
        UserSchedule.of(Schedule(precision="mixed_bfloat16"), network)


def test_size_and_channels_of_its_images(path, tmp_path):
    assert UserNetwork(str(path)).image_form() == ((8, 8), 1)
    any_size = keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    any_size.save(tmp_path / "any.h5")
    assert UserNetwork(str(tmp_path / "any.h5")).image_form() == (None, 3)


def test_a_range_that_nothing_tells_is_said_with_the_flag_that_says_it(path):
    (line,) = notes(UserNetwork(str(path)).adaptation(DATA))
    assert (
        "nothing in it says which range it takes: it gets images from 0 to 1; if it is to take others, pass --bounds"
        in line
    )
    (line,) = notes(UserNetwork(str(path), bounds=(-1.0, 1.0)).adaptation(DATA))
    assert line.endswith("takes images from -1 to 1, since that is how it is given: images are scaled to it")


def test_other_commands_get_its_bounds():
    assert flags_of(pathlib.Path("m.keras"), (0.0, 255.0)) == "--model=m.keras --bounds=0,255"
    assert flags_of(pathlib.Path("m.keras"), UNIT) == "--model=m.keras"


def test_what_holds_no_layers_is_refused_and_the_advice_works(path, tmp_path):
    model = keras.models.load_model(path)
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(UserError, match=r"function of tensors. Save the network .* Change --network"):
        UserNetwork(str(tmp_path / "exported")).load()
    model.save(tmp_path / "model.keras")
    assert UserNetwork(str(tmp_path / "model.keras")).load().count_params() == model.count_params()
    with pytest.raises(UserError, match=r"an existing model.*Change --network"):
        UserNetwork(str(tmp_path / "nowhere.keras")).load()
