"""The architectures by name, and their text form: `cnn`, `resnet(depth=32,width=32,preactivation=True)`."""

import re
from collections.abc import Callable

import keras

from tfinv import specs
from tfinv.errors import UserError, expected
from tfinv.models.cnn import cnn, convnet
from tfinv.models.mlp import mlp
from tfinv.models.resnet import resnet, resnet18
from tfinv.models.softmax import softmax
from tfinv.models.vgg16 import vgg16

MODELS: dict[str, Callable[..., keras.Model]] = {
    "softmax": softmax,
    "mlp": mlp,
    "cnn": cnn,
    "convnet": convnet,
    "vgg16": vgg16,
    "resnet": resnet,
    "resnet18": resnet18,
}
_HINT = "Change --architecture."


def build(architecture: str, input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Makes a network, its weights drawn anew.

    Args:
      architecture: a name of `MODELS`, with any arguments of its function in parentheses; the others have their defaults.
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.

    Returns:
      A model from images to logits, whose layer "encoding" ends the encoder.

    Raises:
      UserError: no such architecture or argument, a value of another type, or one with which no network can be made for such
        images.
    """
    name, given = specs.read(MODELS, architecture, _HINT)
    try:
        return MODELS[name](input_shape, num_classes, **given)
    except UserError:
        raise
    except ValueError as error:  # Keras's own, for sizes that can't be
        raise expected(
            f"an architecture for images of shape {tuple(input_shape)}",
            f"{architecture} ({_reason(error)})",
            "Change --architecture or --image_size.",
        ) from error


def normal(architecture: str, hint: str = _HINT) -> str:
    """The shortest form of an architecture, as files are called: without spaces and arguments that have their default.

    Args:
      architecture: its text form.
      hint: what to change, for the errors.

    Raises:
      UserError: no such architecture or argument, or a value of another type.
    """
    return specs.normal(MODELS, architecture, hint)


def name_of(architecture: str) -> str:
    """The name in `MODELS`, less the arguments.

    Raises:
      UserError: it is no architecture's text form.
    """
    return specs.parse(architecture)[0]


def _reason(error: ValueError) -> str:
    """What Keras says first, less the heading that it puts before what a layer says, and the colours."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered when")]
    return said[0].rstrip(".") if said else type(error).__name__
