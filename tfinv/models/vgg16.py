"""VGG16: configuration D of Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition"."""

from collections.abc import Sequence

import keras

from tfinv.models.split import ENCODING

# Convolutions of each stage, and its width as a multiple of the first's (table 1, column D).
_STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))


def vgg16(
    input_shape: tuple[int, int, int],
    num_classes: int,
    width: int = 64,
    head: Sequence[int] = (64, 64),
    batch_norm: bool = True,
) -> keras.Model:
    """Builds thirteen 3x3 convolutions in five stages, each of which ends in 2x2 max pooling.

    At 32 pixels, as on CIFAR, the five poolings leave one pixel. They round up, so that smaller images work too; this makes no
    difference at multiples of 32. The remaining pixels of larger images are averaged, where the paper flattens them (as does
    `keras.applications.VGG16`), so that the encoding has the same size for all images.

    Args:
      input_shape: (H, W, C) of images in [0, 1], 28 to 224 pixels.
      num_classes: number of logits.
      width: channels of the first stage; the last stages have eight times as many. The paper's 64 gives 14.7 million weights;
        16, for machines without a GPU, .9 million.
      head: widths of the dense layers between encoding and logits; () for none. The default makes 512-64-64-10 for CIFAR-10, as
        in "Robust or private?".
      batch_norm: whether to normalise after each convolution. The paper, which precedes batch normalisation, does not.

    Returns:
      A model from images to logits; the encoding is the average over the last stage's pixels, (8 width,). Each stage ends in a
      layer named "stage1" to "stage5".
    """
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for stage, (convolutions, multiple) in enumerate(_STAGES, 1):
        for _ in range(convolutions):
            x = keras.layers.Conv2D(
                multiple * width, 3, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal"
            )(x)
            if batch_norm:
                x = keras.layers.BatchNormalization()(x)
            x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"stage{stage}")(x)
    x = keras.layers.GlobalAveragePooling2D(name=ENCODING)(x)
    for units in head:
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, dtype="float32", name="logits")(x), name="vgg16")
