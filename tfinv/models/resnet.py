"""Residual networks: the thin CIFAR family of He et al. 2016a, and ResNet-18.

He et al. 2016a is "Deep residual learning for image recognition", He et al. 2016b "Identity mappings in deep residual
networks".
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from tfinv.errors import expected
from tfinv.models.split import ENCODING

Tensor = Any  # keras.KerasTensor, which carries no types

STEMS = ("auto", "small", "large")
# Side of an image, in pixels, from which on "auto" means "large".
_LARGE = 96
# Number of channels below which a projection is written in two steps, see `_project`.
_NARROW = 16


@dataclasses.dataclass(frozen=True)
class _BlockType:
    """Variant of the residual block; attributes as the arguments of `resnet`."""

    batch_norm: bool
    preactivation: bool


def resnet(
    input_shape: tuple[int, int, int],
    num_classes: int,
    depth: int = 20,
    width: int = 16,
    batch_norm: bool = True,
    preactivation: bool = False,
    stem: str = "auto",
) -> keras.Model:
    """Builds a CIFAR network of He et al. 2016a, section 4.2, with 1x1 projections where a shortcut changes the shape.

    Args:
      input_shape: (H, W, C) of images in [0, 1], 28 to 224 pixels.
      num_classes: number of logits.
      depth: 6n + 2 for n blocks in each of the three stages: 20, 32, 44, 56, 110.
      width: channels of the first stage; the others have twice and four times as many.
      batch_norm: whether to normalise; if not, convolutions have biases, and deep networks train badly.
      preactivation: whether to normalise and activate before each convolution (He et al. 2016b, figure 1b).
      stem: the layers before the stages. "small" is one 3x3 convolution of stride 1, as for CIFAR; "large" a 7x7 convolution of
        stride 2 and 3x3 max pooling of stride 2, as for ImageNet, which takes a sixteenth of the time; "auto" is "large" if a
        side has 96 pixels or more.

    Returns:
      A model from images to logits; the encoding is the average over the pixels of the last stage, (4 width,). Each stage ends in a
      layer named "stage1" to "stage3".

    Raises:
      UserError: the depth is not 6n + 2, or the stem is unknown.
    """
    if depth < 8 or depth % 6 != 2:
        raise expected("a depth of 6n + 2 (20, 32, 44, 56, 110)", depth, "Change the argument `depth`.")
    widths = (width, 2 * width, 4 * width)
    block_type = _BlockType(batch_norm, preactivation)
    return _network("resnet", input_shape, num_classes, widths, depth // 6, block_type, stem)


def resnet18(
    input_shape: tuple[int, int, int],
    num_classes: int,
    width: int = 64,
    batch_norm: bool = True,
    preactivation: bool = False,
    stem: str = "auto",
) -> keras.Model:
    """Builds the ResNet-18 of He et al. 2016a, table 1; for CIFAR with the small stem, as is usual there.

    Arguments and results are as for `resnet`, except for `width`, an encoding of (8 width,) and four stages.

    Args:
      width: channels of the first of the four stages; each other stage has twice as many as the one before.
    """
    widths = tuple(width * 2**stage for stage in range(4))
    return _network("resnet18", input_shape, num_classes, widths, 2, _BlockType(batch_norm, preactivation), stem)


def _network(
    name: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    widths: Sequence[int],
    blocks: int,
    block_type: _BlockType,
    stem: str,
) -> keras.Model:
    """Builds a network of `blocks` basic blocks of each width; all stages but the first halve the height and width."""
    if stem not in STEMS:
        raise expected(f"a stem among {', '.join(STEMS)}", repr(stem), "Change the argument `stem`.")
    large = stem == "large" or (stem == "auto" and max(input_shape[:2]) >= _LARGE)
    inputs = keras.Input(input_shape, name="image")
    x = _convolve(inputs, widths[0], 2 if large else 1, 7 if large else 3, not block_type.batch_norm)
    if not block_type.preactivation:
        x = _activate(x, block_type.batch_norm)
    if large:
        x = keras.layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, width in enumerate(widths):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            stage_name = f"stage{stage + 1}" if block == blocks - 1 else None
            x = _block(x, width, strides, block_type, stage_name)
    if block_type.preactivation:
        x = _activate(x, block_type.batch_norm)
    encoding = keras.layers.GlobalAveragePooling2D(name=ENCODING)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, dtype="float32", name="logits")(encoding), name=name)


def _block(x: Tensor, width: int, strides: int, block_type: _BlockType, name: str | None) -> Tensor:
    """Two 3x3 convolutions and a shortcut, which is the identity, or a projection where the shape changes."""
    batch_norm, bias = block_type.batch_norm, not block_type.batch_norm
    projects = strides > 1 or x.shape[-1] != width
    if block_type.preactivation:
        active = _activate(x, batch_norm)
        shortcut = _project(active, width, strides, bias) if projects else x
        y = _activate(_convolve(active, width, strides, bias=bias), batch_norm)
        return keras.layers.Add(name=name)([_convolve(y, width, bias=bias), shortcut])
    shortcut = _normalise(_project(x, width, strides, bias), batch_norm) if projects else x
    y = _activate(_convolve(x, width, strides, bias=bias), batch_norm)
    y = _normalise(_convolve(y, width, bias=bias), batch_norm)
    return keras.layers.ReLU(name=name)(keras.layers.Add()([y, shortcut]))


def _project(x: Tensor, width: int, strides: int, bias: bool) -> Tensor:
    """A 1x1 convolution."""
    if strides > 1 and x.shape[-1] < _NARROW:
        # Its training could end the process on some processors: https://github.com/uxlfoundation/oneDNN/issues/6035.
        # Subsampling first is equivalent.
        x, strides = keras.layers.MaxPooling2D(1, strides)(x), 1
    return _convolve(x, width, strides, 1, bias)


def _convolve(x: Tensor, width: int, strides: int = 1, size: int = 3, bias: bool = False) -> Tensor:
    return keras.layers.Conv2D(width, size, strides, padding="same", use_bias=bias, kernel_initializer="he_normal")(x)


def _normalise(x: Tensor, batch_norm: bool) -> Tensor:
    return keras.layers.BatchNormalization()(x) if batch_norm else x


def _activate(x: Tensor, batch_norm: bool) -> Tensor:
    return keras.layers.ReLU()(_normalise(x, batch_norm))
