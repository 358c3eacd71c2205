#!/usr/bin/env bash
# Keras: a model quantised by GPTQ or AWQ and saved can't be loaded again, since its zero points aren't saved.
#
# Guessed: `model.quantize("gptq", config)`, `model.save("model.keras")` and `keras.models.load_model` give the same outputs again, as
# they do with "int8" and "int4".
#
# Seen (keras 3.15.1, on jax 0.10.2 and on tensorflow 2.21.0): the saved file has no zero points of the dense layers, which are neither constant nor to be
# computed from what is there. Loading raises "expected 5 variables, but received 4 variables during loading" for GPTQ, and 6 and 5
# for AWQ. `Dense.save_own_variables` leaves out "kernel_zero" wherever the merged kernel of LoRA has none, as for these two modes;
# `Dense.load_own_variables` asks for it. With it written in the order of `variable_serialization_spec`, the model loads and is the same.
#
# Who is hurt: whoever quantises a classifier so and keeps only the file: the weights of its dense layers are lost.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 h5py==3.14.0 2>/dev/null
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import unittest.mock
import warnings

import keras
import numpy as np

warnings.simplefilter("ignore")  # of the layers that can't be quantised
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 1)).astype("float32")
CONFIGS = {"gptq": keras.quantizers.GPTQConfig, "awq": keras.quantizers.AWQConfig}


def quantised(mode):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.Dense(4),
        ]
    )
    config = None
    if mode in CONFIGS:
        # Both calibrate on tokens: here the pixels of images, which a first layer gives their shape.
        before, dense = [keras.layers.Reshape((6, 6, 1)), *model.layers[:2]], model.layers[2:]
        model.get_quantization_layer_structure = lambda mode: {"pre_block_layers": before, "sequential_blocks": dense}
        config = CONFIGS[mode](
            dataset=[IMAGES.ravel()], tokenizer="none", weight_bits=4, num_samples=4, sequence_length=36, group_size=-1
        )
    model.quantize(mode, config)
    return model


def save(layer, store):
    """With all variables in the order in which they are loaded."""
    for place, name in enumerate(layer.variable_serialization_spec[layer.quantization_mode]):
        store[str(place)] = layer._kernel if name == "kernel" else getattr(layer, name)


def outcome(model):
    before = model.predict(IMAGES, verbose=0)
    model.save("model.keras")
    try:
        loaded = keras.models.load_model("model.keras", compile=False)
    except ValueError as error:
        text = str(error)
        return text[text.index("expected") : text.index("during")].strip()
    return "same" if np.allclose(loaded.predict(IMAGES, verbose=0), before, atol=1e-5) else "other numbers"


outcomes, zeros = {}, {}
for mode in ("int8", "int4", "gptq", "awq"):
    model = quantised(mode)
    outcomes[mode] = outcome(model)
    if mode in CONFIGS:
        zeros[mode] = np.unique(model.layers[2].kernel_zero)
        with unittest.mock.patch.object(keras.layers.Dense, "save_own_variables", save):
            outcomes[f"{mode}, with zero points"] = outcome(model)
for name, text in outcomes.items():
    print(f"{name}: {text}")
print("different zero points of the first dense layer:", {mode: len(values) for mode, values in zeros.items()})
assert outcomes == {
    "int8": "same",
    "int4": "same",
    "gptq": "expected 5 variables, but received 4 variables",
    "gptq, with zero points": "same",
    "awq": "expected 6 variables, but received 5 variables",
    "awq, with zero points": "same",
}, outcomes
assert all(len(values) > 1 for values in zeros.values())
print("as stated")
PYTHON
