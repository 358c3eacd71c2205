"""Forms of quantised Keras models: the layers with weights of few bits, as `Model.quantize` makes them."""

import dataclasses
import unittest.mock
import warnings

import keras
import numpy as np

from zoo import Built, Form

SHAPE = (8, 8, 3)
STRAIGHT = "Gradients through its layers are straight-through estimates, and results say so."
EXACT = "Its weights alone are rounded, so that gradients are exact."


def network():
    """A small network with dense layers, which are those that Keras quantises."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.Dense(4),
        ]
    )
    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(np.linspace(0.05, 0.2, *weight.shape))
    return model


def images(count=5):
    """Whole pixels from 0 to 255."""
    return np.random.default_rng(1).integers(0, 256, (count, *SHAPE)).astype(np.float32)


def saved(folder, model, export=False):
    """Writes the model, and computes its logits, in a graph as Keras's `predict` does."""
    path = folder / ("saved" if export else "model.keras")
    if export:
        model.export(path, verbose=False)
    else:
        model.save(path)
    return Built(path, images(), model.predict(images(), verbose=0))


def quantised(mode, export=False):
    def build(folder):
        model = network()
        quantise(model, mode)
        if mode == "float8":  # one step, in which it measures its scales
            model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            model.fit(images(), np.arange(5) % 4, verbose=0)
        return saved(folder, model, export)

    return build


def quantise(model, mode, config=None):
    """Quantises the layers that can be; Keras warns of each other one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.quantize(mode, config)


def calibrated(mode, export=False):
    """GPTQ and AWQ measure what reaches each dense layer: here of images, whose pixels stand in for the tokens of a text."""

    def build(folder):
        model = network()
        body, head = model.layers[:5], model.layers[5:]
        structure = {"pre_block_layers": [keras.layers.Reshape(SHAPE), *body], "sequential_blocks": head}
        model.get_quantization_layer_structure = lambda mode: structure
        config = {"gptq": keras.quantizers.GPTQConfig, "awq": keras.quantizers.AWQConfig}[mode](
            dataset=[images(20).ravel()],
            tokenizer="none",
            weight_bits=4,
            num_samples=4,
            sequence_length=int(np.prod(SHAPE)),
            group_size=-1,
        )
        quantise(model, mode, config)
        return saved(folder, model, export)

    return build


def with_zero_points(build):
    """Keras 3.15.1 leaves the zero points of GPTQ and AWQ out of what it saves: here they are saved as they are loaded."""

    def save(layer, store):
        names = layer.variable_serialization_spec[layer.quantization_mode]
        for place, name in enumerate(names):
            store[str(place)] = layer._kernel if name == "kernel" else getattr(layer, name)

    def built(folder):
        with unittest.mock.patch.object(keras.layers.Dense, "save_own_variables", save):
            return build(folder)

    return built


def refused(build):
    def built(folder):
        return dataclasses.replace(build(folder), logits=None)

    return built


KIND = "Quantised models"
WHOLE = {"arguments": {"bounds": (0, 255)}, "flags": "--bounds=0,255"}
LOST = "Refused: Keras 3.15 leaves out of such a file the zero points, without which its weights mean nothing."
AS_SAVED = "Its gradients are those that were saved with it, straight-through estimates."
FORMS = [
    Form(KIND, "quantize('int8')", STRAIGHT, quantised("int8"), **WHOLE, estimates=True, command=True),
    Form(KIND, "quantize('int4')", EXACT, quantised("int4"), **WHOLE),
    Form(KIND, "quantize('gptq')", EXACT, with_zero_points(calibrated("gptq")), **WHOLE),
    Form(KIND, "quantize('awq')", EXACT, with_zero_points(calibrated("awq")), **WHOLE),
    Form(KIND, "quantize('gptq') of Keras 3.15", LOST, refused(calibrated("gptq")), refusal="zero points"),
    Form(KIND, "quantize('gptq'), exported", EXACT, calibrated("gptq", True), **WHOLE),
    Form(KIND, "quantize('float8')", STRAIGHT, quantised("float8"), **WHOLE, estimates=True),
    Form(KIND, "quantize('int8'), exported", AS_SAVED, quantised("int8", True), **WHOLE, estimates=True),
    Form(KIND, "quantize('float8'), exported", AS_SAVED, quantised("float8", True), **WHOLE, estimates=True),
]
