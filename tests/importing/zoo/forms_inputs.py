"""Forms of the input: what images become before a model sees them."""

import keras
import numpy as np
from keras import layers, ops

from tests.importing.zoo.forms_heads import SHAPE, body, dense, images, of_logit, rows
from zoo import Built, Form

GREY = (8, 6, 1)


def model_of(shape, *first, last=3, **options):
    """A network on an input of this shape, whose first layers make images of it."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape, **options), *first, *body(), dense(last)])


def built(folder, model, x, model_input, export=False):
    """Saves a model; the truth is what it says of `model_input`, which its owner makes of the images `x`."""
    path = folder / ("model" if export else "model.keras")
    if export:
        model.export(path, verbose=False)
    else:
        model.save(path)
    return Built(path, x, rows(np.asarray(model(model_input, training=False))))


def whole(shape):
    """Images of whole numbers from 0 to 255."""
    return np.random.default_rng(2).integers(0, 256, (5, *shape)).astype(np.float32)


def without_channels(folder, export=False):
    x = images(GREY)
    return built(folder, model_of((8, 6), layers.Reshape(GREY)), x, x[..., 0], export)


def channels_first(folder, export=False):
    x = images((8, 6, 3))
    return built(folder, model_of((3, 8, 6), layers.Permute((2, 3, 1))), x, x.transpose(0, 3, 1, 2), export)


def any_size(folder, export=False):
    x = images((9, 7, 3))
    return built(folder, model_of((None, None, 3)), x, x, export)


def any_size_refused(folder):
    return Built(any_size(folder).path, images(), None)


def any_channels(folder):
    x = images()
    return built(folder, model_of((8, 8, None), ChannelMean()), x, x)


@keras.saving.register_keras_serializable("zoo")
class ChannelMean(layers.Layer):
    def call(self, x):
        return ops.mean(x, axis=-1, keepdims=True)


def flat_grey(folder):
    x = images((8, 8, 1))
    return built(folder, model_of((64,), layers.Reshape((8, 8, 1))), x, x.reshape(5, -1))


def flat_colour(folder):
    x = images((9, 6, 3))
    return built(folder, model_of((162,), layers.Reshape((9, 6, 3))), x, x.reshape(5, -1))


def flat_refused(folder):
    return Built(flat_colour(folder).path, images(), None)


def pixel_rows(folder):
    x = images()
    return built(folder, model_of((64, 3), layers.Reshape(SHAPE)), x, x.reshape(5, 64, 3))


def bytes_rescaled(folder):
    x = whole(SHAPE)
    return built(folder, model_of(SHAPE, layers.Rescaling(1 / 255), dtype="uint8"), x, x.astype(np.uint8))


def bytes_exported(folder):
    x = whole(SHAPE)
    return built(folder, model_of(SHAPE, layers.Rescaling(1 / 255), dtype="uint8"), x, x.astype(np.uint8), export=True)


def integers_nested(folder):
    inner = model_of(SHAPE, layers.Rescaling(1 / 127.5, offset=-1), dtype="int32")
    model = keras.Sequential([keras.Input(SHAPE, dtype="int32"), inner])
    x = whole(SHAPE)
    return built(folder, model, x, x.astype(np.int32))


def integers_halved(folder):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, dtype="int32")
    x = layers.Rescaling(1 / 127)(inputs // 2)
    for layer in (*body(), dense(3)):
        x = layer(x)
    x, values = keras.Model(inputs, x), whole(SHAPE)
    return built(folder, x, values, values.astype(np.int32))


def float64(folder):
    x = images()
    return built(folder, model_of(SHAPE, dtype="float64"), x, x.astype(np.float64))


def structured(structure):
    """A model that takes its image in a dictionary or a list."""

    def build(folder):
        inner, symbol, x = model_of(SHAPE), keras.Input(SHAPE, name="image"), images()
        return built(folder, keras.Model(structure(symbol), inner(symbol)), x, structure(x))

    return build


def fixed_batch(folder):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(batch_shape=(4, *SHAPE)), *body(), dense(3)])
    x = images(count=4)
    return built(folder, model, x, x)


def without_input(folder):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([*body(), dense(3)])
    x = images()
    model(x[:3])
    return built(folder, model, x, x)


def fixed_batch_inside(folder):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(4, *SHAPE))
    model = keras.Model(inputs, dense(3)(ops.reshape(inputs, (4, 192))))
    x = images(count=9)
    built_ = built(folder, model, x[:4], x[:4])
    truth = [np.asarray(model(np.concatenate([x[i : i + 4], x[: 4 - len(x[i : i + 4])]]))) for i in (0, 4, 8)]
    return Built(built_.path, x, np.concatenate(truth)[:9])


def one_in_a_sequence(folder):
    x = images()
    return built(folder, model_of((1, *SHAPE), layers.Reshape(SHAPE)), x, x[:, None])


def bgr(folder, export=False):
    x = images()
    return built(folder, model_of(SHAPE), x, x[..., ::-1], export)


def grey(folder):
    x = images(GREY)
    return built(folder, model_of(GREY), x, x)


def four_channels(folder):
    x = images((8, 8, 4))
    return built(folder, model_of((8, 8, 4)), x, x)


def binary_bytes(folder):
    x = whole((8, 6))[..., None]
    model = model_of((8, 6), layers.Reshape(GREY), layers.Rescaling(1 / 255), last=1, dtype="uint8")
    form = built(folder, model, x, x[..., 0].astype(np.uint8))
    return Built(form.path, x, of_logit(form.logits))


def two_inputs(folder):
    image, age = keras.Input(SHAPE, name="image"), keras.Input((2,), name="age")
    scores = dense(3)(layers.Concatenate()([layers.Flatten()(image), age]))
    keras.Model({"image": image, "age": age}, scores).save(folder / "model.keras")
    return Built(folder / "model.keras", images(), None)


def of_truth_values(folder):
    model = model_of(SHAPE, layers.Rescaling(1.0), dtype="bool")
    model.save(folder / "model.keras")
    return Built(folder / "model.keras", images(), None)


def as_export(build):
    return lambda folder: build(folder, export=True)


def taking(name, does, build, arguments=None, flags="", **options):
    return Form("Inputs", name, does, build, arguments or {}, flags, **options)


SIZE = {"image_size": (9, 7)}
FORMS = [
    taking("images without channels (height, width)", "The axis is taken off.", without_channels, command=True),
    taking("images without channels, as a SavedModel", "The axis is taken off.", as_export(without_channels)),
    taking("channels first", "They are moved to the front.", channels_first),
    taking("channels first, as a SavedModel", "They are moved to the front.", as_export(channels_first)),
    taking("any height and width", "It takes images of the size that you say.", any_size, SIZE, "--image_size=9,7"),
    taking(
        "any height and width, as a SavedModel",
        "It takes images of the size that you say.",
        as_export(any_size),
        SIZE,
        "--image_size=9,7",
    ),
    taking(
        "any height and width, none said",
        "Refused: say one.",
        any_size_refused,
        refusal="Change image_size= or --image_size to the height and width",
    ),
    taking("any number of channels", "It takes images of 3.", any_channels),
    taking("flat square images", "Images are flattened, row by row; 1 or 3 channels show by the count.", flat_grey),
    taking(
        "flat images that are no squares",
        "Images of the size that you say are flattened, row by row.",
        flat_colour,
        {"image_size": (9, 6)},
        "--image_size=9,6",
    ),
    taking(
        "flat images that are no squares, no size said",
        "Refused: say one.",
        flat_refused,
        refusal="Change image_size= or --image_size to the height and width",
    ),
    taking("rows of pixels (pixels, channels)", "Images are flattened, row by row.", pixel_rows),
    taking(
        "whole numbers, uint8 or int32",
        "Rebuilt on floats with the same weights, so that gradients flow; pixels from 0 to 255.",
        bytes_rescaled,
    ),
    taking(
        "whole numbers, as a SavedModel",
        "Taken as floats where it begins with a cast, so that gradients flow; pixels from 0 to 255.",
        bytes_exported,
    ),
    taking(
        "whole numbers through nested models",
        "Rebuilt on floats, nested models too.",
        integers_nested,
        {"bounds": (0, 255)},
        "--bounds=0,255",
    ),
    taking(
        "whole numbers and a step that only they can take",
        "Pixels are rounded: a black box, without gradients.",
        integers_halved,
        gradients=False,
    ),
    taking("float64", "Images are cast.", float64),
    taking("a dictionary with one image", "The image is put into it.", structured(lambda x: {"image": x})),
    taking("a list with one image", "The image is put into it.", structured(lambda x: [x])),
    taking(
        "no input layer, built by its first batch", "Taken as it was built, for any number of images.", without_input
    ),
    taking("batches of one size", "Rebuilt for any number of images.", fixed_batch),
    taking(
        "batches of one size, written into its operations",
        "Images are given to it in such batches, the last one filled up.",
        fixed_batch_inside,
    ),
    taking("one image in a sequence (1, height, width, channels)", "The axis is added.", one_in_a_sequence),
    taking("channels as OpenCV has them", "They are reversed.", bgr, {"channels": "bgr"}, "--channels=bgr"),
    taking(
        "channels as OpenCV has them, as a SavedModel",
        "They are reversed.",
        as_export(bgr),
        {"channels": "bgr"},
        "--channels=bgr",
    ),
    taking("grey images", "Taken as they are; RGB images are turned into grey.", grey),
    taking("images of four channels", "Taken as they are, from an .npz.", four_channels),
    taking("uint8 images without channels, and one unit", "All of these at once.", binary_bytes),
    taking(
        "grey images declared BGR",
        "Refused: they have no order.",
        lambda folder: Built(grey(folder).path, images(GREY), None),
        {"channels": "bgr"},
        "--channels=bgr",
        refusal="Leave out --channels",
    ),
    taking(
        "an image and another input",
        "Refused, with the code that fixes the other one.",
        two_inputs,
        refusal="Fix the others, here at 0.0: x = keras.Input((8, 8, 3)); keras.Model(x, model({'age':",
    ),
    taking(
        "truth values",
        "Refused: images are numbers.",
        of_truth_values,
        refusal="type bool. Build it on numbers",
    ),
]
