#!/usr/bin/env bash
# Keras: a second attribute for the same layer moves the layer's weights in the file, if its name comes first in the alphabet.
#
# Guessed: an attribute that is another name of a layer which a model has already changes nothing in its weights file, so that the
# class with it and the class without it read each other's files.
#
# Seen (keras 3.15.1, on jax 0.10.2 and on tensorflow 2.21.0): the file of the class with `first` as a second name of `hidden` has that
# layer under "first" and not under "hidden", since Keras walks a model's attributes in alphabetical order and stores what it meets
# first. The class without it can't read that file: "expected 2 variables, but received 0 variables during loading". The other
# way round works, and a second name that comes later, such as `other`, changes nothing.
#
# Who is hurt: whoever adds or renames an attribute of a training model, and then goes back to older code with a newer backup.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 h5py==3.14.0 2>/dev/null
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import h5py
import keras
import numpy as np


class Plain(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(3)
        self.outputs = keras.layers.Dense(2)

    def call(self, inputs):
        return self.outputs(self.hidden(inputs))


class Before(Plain):
    def __init__(self):
        super().__init__()
        self.first = self.hidden


class After(Plain):
    def __init__(self):
        super().__init__()
        self.other = self.hidden


def made(cls):
    model = cls()
    return model, np.asarray(model(np.ones((1, 4), "float32")))


def groups(path):
    with h5py.File(path) as file:
        return sorted(name for name in file if name != "vars")


outcomes = {}
for cls in (Plain, Before, After):
    model, expected = made(cls)
    path = f"{cls.__name__}.weights.h5"
    model.save_weights(path)
    for reader in (Plain, Before, After):
        other, _ = made(reader)
        try:
            other.load_weights(path)
            same = np.allclose(other(np.ones((1, 4), "float32")), expected)
            outcomes[cls.__name__, reader.__name__] = "same" if same else "other numbers"
        except ValueError as error:
            outcomes[cls.__name__, reader.__name__] = "0 variables" if "received 0 variables" in str(error) else str(error)
    print(f"written by {cls.__name__}: groups {groups(path)}")
for (writer, reader), outcome in outcomes.items():
    print(f"written by {writer}, read by {reader}: {outcome}")
fails = {pair for pair, outcome in outcomes.items() if outcome == "0 variables"}
assert fails == {("Before", "Plain"), ("Before", "After")}, fails
assert all(outcome == "same" for pair, outcome in outcomes.items() if pair not in fails), outcomes
print("as stated")
PYTHON
