"""Properties of every defence: it learns, is repeatable, resumes after a kill, and exports a plain model."""

import functools
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from stripes import small_net, stripes
from tfinv import models
from tfinv.errors import UserError
from tfinv.training.base import Plan
from tfinv.training.defences import DEFENCES, defence, show
from tfinv.training.fit import fit

DATA = stripes()
EPOCHS, BATCH = 6, 16

# Milder where the default is meant for larger data.
SPECS = {name: name for name in DEFENCES} | {
    "reversal": "reversal(strength=1)",
    "shuffled": "shuffled(strength=1,ramp=.5)",
    "adversarial": "adversarial(eps=.05,ramp=.5,steps=2)",
    "atat": "atat(steps=2)",
    "dp_sgd": "dp_sgd(noise=.1)",
    "fast": "fast(eps=.05,ramp=.5)",
    "nfgsm": "nfgsm(eps=.02,norm=linf)",
    "free": "free(eps=.05,ramp=.5,replays=3)",
    "free combined": "free(eps=.05,ramp=.5,replays=2)+shuffled(strength=1,ramp=.5)",
    "trades": "trades(eps=.2,norm=l2,steps=2,beta=2)",
    "mart": "mart(eps=.02,steps=2,ramp=.5)",
    "combined": "trades(eps=.05,ramp=.5,steps=2)+shuffled(strength=1,ramp=.5)",
}


class CopyAtKill(keras.callbacks.Callback):
    """Copies the folder of a training in the middle of its third epoch: what a kill there would leave."""

    def __init__(self, folder, copy):
        super().__init__()
        self.folder, self.copy, self.epoch = folder, copy, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            shutil.copytree(self.folder, self.copy)


class Epochs(keras.callbacks.Callback):
    """Lists the epochs that begin."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)


def train(name, **kwargs):
    """The training model of a defence, its last logs, and how often its step was traced."""
    model = defence(SPECS[name]).training(Plan(small_net(DATA), DATA, EPOCHS, BATCH, seed=1))
    model.compile(keras.optimizers.Adam(1e-2))
    train_step, traces = model.train_step, []

    def step(data):
        traces.append(1)
        return train_step(data)

    model.train_step = step
    logs = fit(model, DATA, epochs=EPOCHS, batch_size=BATCH, seed=1, **kwargs)
    return model, logs, len(traces)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Gives what `train` does, and the folder that a kill in the third epoch would have left; once for each defence."""

    @functools.cache
    def once(name):
        folder = tmp_path_factory.mktemp("trained")
        copy = CopyAtKill(folder / "run", folder / "killed")
        return *train(name, workdir=folder / "run", callbacks=[copy]), folder / "killed"

    return once


def weights(model):
    return np.concatenate([np.ravel(w) for w in model.export_classifier().get_weights()])


@pytest.mark.parametrize("name", SPECS)
def test_it_learns(name, trained):
    model, logs, *_ = trained(name)
    assert np.isfinite(list(logs.values())).all()
    assert {"loss", "accuracy"} <= logs.keys()
    output = model.export_classifier()(DATA.images).numpy()
    assert output.shape == (len(DATA), 2)
    assert np.mean(output.argmax(1) == DATA.labels) > 0.9
    assert model.evaluate(DATA.as_tf(32), verbose=0, return_dict=True)["accuracy"] > 0.9


@pytest.mark.parametrize("name", SPECS)
def test_all_its_epochs_are_one_compiled_step(name, trained):
    _, _, traces, _ = trained(name)
    assert traces == 1


@pytest.mark.proof
@pytest.mark.parametrize("name", SPECS)
def test_killed_and_resumed_it_ends_with_the_same_weights(name, trained):
    whole, *_, killed = trained(name)
    recorder = Epochs()
    resumed, *_ = train(name, workdir=killed, callbacks=[recorder])
    assert recorder.epochs == [2, 3, 4, 5]
    np.testing.assert_array_equal(weights(resumed), weights(whole))


@pytest.mark.proof
def test_the_exported_models_load_without_tfinv(tmp_path, trained):
    np.save(tmp_path / "images.npy", DATA.images[:8])
    models_of = {name: trained(name)[0] for name in SPECS}
    for name, model in models_of.items():
        model.export_classifier().save(tmp_path / f"{name}.keras")
    code = (
        "import sys, pathlib; sys.modules['tfinv'] = None\n"
        "import keras, numpy as np\n"
        "folder = pathlib.Path(sys.argv[1]); images = np.load(folder / 'images.npy')\n"
        "for path in folder.glob('*.keras'):\n"
        "    np.save(path.with_suffix('.npy'), keras.models.load_model(path).predict(images, verbose=0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, model in models_of.items():
        np.testing.assert_allclose(
            np.load(tmp_path / f"{name}.npy"), model.export_classifier()(DATA.images[:8]), atol=1e-5
        )


@pytest.mark.parametrize("name", DEFENCES)
def test_its_text_form_reads_back(name):
    assert show(defence(name)) == name
    value = defence(SPECS[name])
    assert defence(show(value)) == value


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("magic", "one of adversarial"),
        ("mid(gamma=1)", "arguments of mid"),
        ("mid(beta=-1)", "beta of mid"),
        ("nls(start=.8)", "full of nls"),
        ("reversal(bound=hope)", "a bound among"),
        ("reversal(weight=-1)", "weight of reversal of at least 0"),
        ("shuffled(strength=-10)", "strength of shuffled of at least 0"),
        ("reversal(strength=inf)", "strength of reversal finite and of at least 0"),
        ("bido(label_kernel=cubic)", "a label_kernel among"),
        ("dp_sgd(clip=0)", "clip of dp_sgd"),
        ("adversarial(steps=0)", "steps of adversarial"),
        ("adversarial(norm=l1)", "a norm of adversarial among linf, l2"),
        ("fast(eps=1.5)", "eps of fast in 0..1"),
        ("fast(steps=3)", "arguments of fast"),
        ("nfgsm(noise=-1)", "noise of nfgsm"),
        ("free(replays=0)", "replays of free"),
        ("trades(beta=-1)", "beta of trades"),
        ("mart(step_size=-1)", "step_size of mart"),
        ("rounding(digits=9)", "digits of rounding"),
        ("dp_sgd(noise=1e-160)", "noise of dp_sgd of 0, or at least 0.001"),
    ],
)
def test_wrong_specs_are_named(spec, message):
    with pytest.raises(UserError, match=message):
        defence(spec)


@pytest.mark.parametrize("name", ["reversal", "shuffled", "mid", "bido"])
@pytest.mark.parametrize("network", ["softmax", "unnamed"])
def test_what_works_on_the_encoding_needs_one_that_can_learn(name, network):
    if network == "softmax":
        net = models.softmax(DATA.image_shape, 2)
    else:
        net = keras.Sequential([keras.Input(DATA.image_shape), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="Change --architecture"):
        defence(name).training(Plan(net, DATA))
