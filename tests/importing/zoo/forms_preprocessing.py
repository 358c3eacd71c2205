"""Forms of preprocessing: what a training did to its images outside of the model."""

import keras
import numpy as np
import tensorflow as tf

from zoo import Built, Form

SHAPE = (8, 8, 3)


def network(*first, shape=SHAPE):
    """A small convolutional network with random weights that begins with these layers."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(shape),
            *first,
            keras.layers.Conv2D(6, 3, activation="tanh"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )


def built(prepare, largest=255.0, first=(), shape=SHAPE):
    """Builds a network, saved without what prepares the pixels, which are from 0 to the largest."""

    def build(folder):
        model = network(*first, shape=shape)
        pixels = np.random.default_rng(1).uniform(0.2, 0.8, (5, *shape)).astype(np.float32)
        pixels[:, 0, 0, 0], pixels[:, 1, 1, 0] = 0.05, 0.95  # a step changes neither the least nor the largest
        pixels *= np.float32(largest)
        if not first:  # inputs of a hundred would saturate the network
            kernel = model.layers[0].kernel
            kernel.assign(kernel / np.abs(prepare(pixels.copy())).max())
        model.save(folder / "model.keras")
        return Built(folder / "model.keras", pixels, model.predict(prepare(pixels.copy()), verbose=0))

    return build


def form(name, text, does, prepare, **options):
    """A form that is told by --preprocessing."""
    arguments = {"preprocessing": text} | options.pop("arguments", {})
    flags = options.pop("flags", f"--preprocessing={text}")
    build = built(prepare, **options)
    return Form("Preprocessing", name, does, build, arguments=arguments, flags=flags, command=text == "resnet50")


def standardised(x):
    return tf.image.per_image_standardization(x).numpy()


def from_least_to_largest(x):
    low, high = x.min((1, 2, 3), keepdims=True), x.max((1, 2, 3), keepdims=True)
    return (x - low) / (high - low)


MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
applications = keras.applications

FORMS = [
    form(
        "trained behind resnet50.preprocess_input, or that of another ResNet or VGG",
        "resnet50",
        "The channels in the order BGR and the means of ImageNet go in front; pixels are from 0 to 255.",
        applications.resnet50.preprocess_input,
    ),
    form(
        "trained behind mobilenet_v2.preprocess_input, or that of MobileNet, ResNet V2, Inception, NASNet or Xception",
        "mobilenet_v2",
        "The scaling to -1..1 goes in front; pixels are from 0 to 255.",
        applications.mobilenet_v2.preprocess_input,
    ),
    form(
        "trained behind densenet.preprocess_input",
        "densenet",
        "The means and deviations of ImageNet go in front; pixels are from 0 to 255.",
        applications.densenet.preprocess_input,
    ),
    form(
        "named as a network that rescales inside, such as EfficientNet",
        "efficientnetv2b0",
        "Nothing goes in front; pixels are from 0 to 255, and a note says so.",
        applications.efficientnet_v2.preprocess_input,
        first=(keras.layers.Rescaling(1 / 127.5, offset=-1),),
    ),
    form(
        "less a mean and over a deviation, as in torchvision",
        "mean=.485,.456,.406,std=.229,.224,.225",
        "They go in front; pixels are from 0 to 1.",
        lambda x: (x - MEAN) / STD,
        largest=1.0,
        flags="--preprocessing='mean=.485,.456,.406,std=.229,.224,.225'",
    ),
    form(
        "less the mean of pixels from 0 to 255",
        "mean=123.68,116.779,103.939",
        "It goes in front; pixels are from 0 to 255.",
        lambda x: x - np.float32([123.68, 116.779, 103.939]),
    ),
    form("trained on pixels over 255", "divide=255", "They are divided; pixels are from 0 to 255.", lambda x: x / 255),
    form(
        "scaled and shifted",
        "scale=1/127.5,offset=-1",
        "It goes in front; pixels are from 0 to 255.",
        lambda x: x / np.float32(127.5) - 1,
    ),
    form(
        "behind tf.image.per_image_standardization",
        "standardise",
        "Each image gets its own mean and deviation, and the gradient goes through them.",
        standardised,
    ),
    form(
        "each image from its least pixel to its largest",
        "minmax",
        "Each image gets its own range, and the gradient goes through it.",
        from_least_to_largest,
    ),
    form(
        "trained on dark figures on light ground, or the reverse",
        "invert",
        "Dark and light are exchanged, in the bounds.",
        lambda x: 1 - x,
        largest=1.0,
        shape=(8, 8, 1),
    ),
    form(
        "several steps",
        "invert+divide=255+mean=.5,std=.25",
        "They go in front, the leftmost first.",
        lambda x: ((255 - x) / 255 - 0.5) / 0.25,
        flags="--preprocessing='invert+divide=255+mean=.5,std=.25'",
    ),
    form(
        "a mode with bounds of its own",
        "tf",
        "The bounds are those of the pixels in front of the mode.",
        lambda x: x / np.float32(127.5) - 1,
        largest=200.0,
        arguments={"bounds": (0, 200)},
        flags="--preprocessing=tf --bounds=0,200",
    ),
    form(
        "named as a network though it rescales by a layer of its own",
        "mobilenet_v2",
        "The model is left alone, and a note says so.",
        lambda x: x,
        first=(keras.layers.Rescaling(1 / 127.5, offset=-1),),
    ),
    Form(
        "Preprocessing",
        "a preprocessing that nobody knows",
        "It is refused, with all forms.",
        built(lambda x: x),
        arguments={"preprocessing": "resnet5"},
        flags="--preprocessing=resnet5",
        refusal="a network of keras.applications such as resnet50",
    ),
]
