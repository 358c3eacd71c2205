"""Architectures: plain Keras models from images in [0, 1] to logits, each split into encoder and head.

The layer that ends the encoder is named "encoding"; `split` gives the two halves, which share the model's weights.
"""

from collections.abc import Callable

import keras

from tfinv.errors import expected
from tfinv.models.autoencoder import autoencoder
from tfinv.models.cnn import cnn
from tfinv.models.decoder import decoder
from tfinv.models.generator import generator, image_encoder
from tfinv.models.mlp import mlp
from tfinv.models.resnet import resnet, resnet18
from tfinv.models.softmax import softmax
from tfinv.models.split import ENCODING, split

MODELS: dict[str, Callable[..., keras.Model]] = {
    "softmax": softmax,
    "mlp": mlp,
    "cnn": cnn,
    "resnet": resnet,
    "resnet18": resnet18,
}


def build(name: str, input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Makes the named architecture with its default size.

    Raises:
      UserError: there is no such architecture.
    """
    if name not in MODELS:
        raise expected(f"an architecture among {', '.join(MODELS)}", repr(name), "Change --architecture.")
    return MODELS[name](input_shape, num_classes)


__all__ = [
    "ENCODING",
    "MODELS",
    "autoencoder",
    "build",
    "cnn",
    "decoder",
    "generator",
    "image_encoder",
    "mlp",
    "resnet",
    "resnet18",
    "softmax",
    "split",
]
