"""Architectures, as plain Keras models from images in [0, 1] to logits, and pretrained models.

Each consists of an encoder, whose last layer is named "encoding", and a head; `split` returns both, with shared weights.
"""

from tfinv.models.autoencoder import autoencoder
from tfinv.models.cnn import cnn, convnet
from tfinv.models.decoder import decoder
from tfinv.models.generator import generator, image_encoder
from tfinv.models.mlp import mlp
from tfinv.models.pretrained import card, pretrained, pretrained_file, pretrained_names
from tfinv.models.registry import MODELS, build, canonical, name_of
from tfinv.models.resnet import resnet, resnet18
from tfinv.models.softmax import softmax
from tfinv.models.split import ENCODING, split
from tfinv.models.vgg16 import vgg16

__all__ = [
    "ENCODING",
    "MODELS",
    "autoencoder",
    "build",
    "canonical",
    "card",
    "cnn",
    "convnet",
    "decoder",
    "generator",
    "image_encoder",
    "mlp",
    "name_of",
    "pretrained",
    "pretrained_file",
    "pretrained_names",
    "resnet",
    "resnet18",
    "softmax",
    "split",
    "vgg16",
]
