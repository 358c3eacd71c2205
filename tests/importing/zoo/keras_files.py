"""What the forms of Keras files share: images, and changes to what a framework wrote."""

import json
import warnings
import zipfile

import h5py
import numpy as np

SHAPE = (8, 8, 3)
REPAIRED = "The configuration is repaired as data, inside the check for code; weights find their layers by name."
PIXELS = {"arguments": {"bounds": (0, 255)}, "flags": "--bounds=0,255"}


def images(shape=SHAPE, count=5, high=1.0):
    return np.random.default_rng(1).uniform(0, high, size=(count, *shape)).astype(np.float32)


def save_old(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)


def edit(path, change):
    """Changes the configuration of a file in place."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        change(config)
        members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
