"""Architectures by name, and their specs: `cnn`, `resnet(depth=32,width=32,preactivation=True)`."""

import re
from collections.abc import Callable, Mapping

import keras

from tfinv import catalogue, specs
from tfinv.catalogue import Registry
from tfinv.errors import UserError, expected

MODELS: Mapping[str, Callable[..., keras.Model]] = Registry(catalogue.ARCHITECTURES)
_HINT = "Change --architecture."


def build(architecture: str, input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Builds a network with newly initialised weights.

    Args:
      architecture: a spec: a name in `MODELS`, with arguments of its function in parentheses; the others have their defaults.
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.

    Returns:
      A model from images to logits. The layer "encoding" is the last of its encoder.

    Raises:
      UserError: unknown architecture or argument, a value of another type, or a network that does not fit such images.
    """
    name, arguments = specs.read(MODELS, architecture, _HINT)
    try:
        return MODELS[name](input_shape, num_classes, **arguments)
    except UserError:
        raise
    except ValueError as error:  # raised by Keras for impossible sizes
        raise expected(
            f"an architecture for images of shape {tuple(input_shape)}",
            f"{architecture} ({_reason(error)})",
            "Change --architecture or --image_size.",
        ) from error


def canonical(architecture: str, hint: str = _HINT) -> str:
    """Returns the canonical form of a spec, the shortest, which file names use: without spaces and default values.

    Args:
      architecture: a spec.
      hint: what to change, for the errors.

    Raises:
      UserError: unknown architecture or argument, or a value of another type.
    """
    return specs.canonical(MODELS, architecture, hint)


def name_of(architecture: str) -> str:
    """Returns the name in `MODELS`, without the arguments.

    Raises:
      UserError: the text is not a spec.
    """
    return specs.parse(architecture)[0]


def _reason(error: ValueError) -> str:
    """Returns the first line of Keras's message, without its heading for errors in layers and without colour codes."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    messages = [line for line in lines if line and not line.startswith("Exception encountered when")]
    return messages[0].rstrip(".") if messages else type(error).__name__
