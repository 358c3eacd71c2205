"""Small networks of every architecture, and the layers of a model by type."""

import numpy as np

from tfinv import models

SHAPE = (16, 12, 3)
IMAGES = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype(np.float32)
SMALL = {
    "softmax": {},
    "mlp": {"units": 7},
    "cnn": {"filters": (2, 3), "units": 5},
    "convnet": {"filters": (2, 3), "units": 5},
    "vgg16": {"width": 1, "head": (6, 7)},
    "resnet": {"depth": 8, "width": 2},
    "resnet18": {"width": 1},
}


def small(name):
    return models.MODELS[name](SHAPE, 4, **SMALL[name])


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]
