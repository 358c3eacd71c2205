"""A model's outputs by its own framework, from its authors' preprocessing. Neither tfinv nor anything of it is imported.

Run by the Python of any environment that has the framework: `python by_itself.py`, see `workers.serve`.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import numpy as np
from workers import serve

_BATCH = 100


def prepare(pixels, bounds, channels, preprocessing):
    """Returns what the authors' code gives the model, (n, H, W, C) float32, of (n, H, W, C) uint8 pixels."""
    x = pixels.astype(np.float64)[..., :: -1 if channels == "bgr" else 1]
    if not preprocessing:
        low, high = (float(number) for number in bounds.split(","))
        return (low + x / 255 * (high - low)).astype(np.float32)
    if preprocessing == "minmax":
        low, high = x.min(axis=(1, 2, 3), keepdims=True), x.max(axis=(1, 2, 3), keepdims=True)
        return ((x - low) / (high - low)).astype(np.float32)
    numbers = dict(part.split("=") for part in preprocessing.split(","))
    return ((x / 255 - float(numbers["mean"])) / float(numbers["std"])).astype(np.float32)


def lay_out(x, shape):
    """Returns images in the layout of an input shape without its batch: as they are, flat, without or with other channels."""
    shape = tuple(shape)
    if len(shape) == 3 and shape[0] in (1, 3) and shape[-1] not in (1, 3):
        return np.moveaxis(x, -1, 1)
    if len(shape) == 3 and shape[-1] == 3 and x.shape[-1] == 1:
        return np.repeat(x, 3, axis=-1)
    if len(shape) == 1 or (len(shape) == 2 and x.shape[-1] == 1):
        return x.reshape(len(x), *[size or -1 for size in shape] if len(shape) == 1 else x.shape[1:3])
    return x


def keras_outputs(path, x, output):
    """Outputs of a file by the Keras of this environment; see `old_keras_outputs`."""
    import keras

    return model_outputs(keras.models.load_model(path, compile=False), f"keras {keras.__version__}", x, output)


def old_keras_outputs(path, x, output):
    """Outputs of a file of Keras 2: by tf_keras, or by this environment's Keras if that is Keras 2."""
    import keras

    if keras.__version__.startswith("2."):
        return keras_outputs(path, x, output)
    import tf_keras

    return model_outputs(tf_keras.models.load_model(path, compile=False), f"tf_keras {tf_keras.__version__}", x, output)


def model_outputs(model, name, x, output):
    """Outputs of a Keras model, in whole batches."""
    shape = model.input_shape
    size = shape[0] or _BATCH
    x = lay_out(x, shape[1:])
    padded = np.concatenate([x, np.repeat(x[-1:], -len(x) % size, axis=0)])
    values = model.predict(padded, batch_size=size, verbose=0)
    if isinstance(values, list | tuple):
        values = values[model.output_names.index(output)]
    return (values[output] if isinstance(values, dict) else values)[: len(x)], name


def saved_model_outputs(path, x, output):
    """Outputs of a SavedModel's function for serving."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    function = loaded.signatures["serving_default"]
    ((name, spec),) = function.structured_input_signature[1].items()
    x = lay_out(x, spec.shape[1:])
    parts = [function(**{name: tf.cast(x[i : i + _BATCH], spec.dtype)}) for i in range(0, len(x), _BATCH)]
    key = output or next(iter(parts[0]))
    return np.concatenate([part[key] for part in parts]), f"tensorflow {tf.__version__}"


def tflite_outputs(path, x, output):
    """Outputs by the interpreter of LiteRT, an image at a time."""
    import importlib.metadata

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path)
    entry = interpreter.get_input_details()[0]
    x = lay_out(x, entry["shape"][1:])
    if tuple(entry["shape"][1:]) != x.shape[1:]:
        interpreter.resize_tensor_input(entry["index"], (1, *x.shape[1:]))
    interpreter.allocate_tensors()
    details = interpreter.get_output_details()[int(output or 0)]
    rows = []
    for image in x:
        interpreter.set_tensor(entry["index"], quantised(image[None], entry))
        interpreter.invoke()
        rows.append(dequantised(interpreter.get_tensor(details["index"]), details))
    return np.concatenate(rows), f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"


def quantised(x, details):
    """Returns numbers in the type of a tensor, by its scale and zero point where it has any."""
    scale, zero = details["quantization"]
    if np.issubdtype(details["dtype"], np.floating):
        return x.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(x / scale + zero if scale else x), limits.min, limits.max).astype(details["dtype"])


def dequantised(values, details):
    """Returns the numbers that a tensor stands for."""
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale else values


def onnx_outputs(path, x, output):
    """Outputs by the runtime of ONNX, one by one where the batch is fixed."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    x = lay_out(x, [size if isinstance(size, int) else 0 for size in entry.shape[1:]])
    size = entry.shape[0] if isinstance(entry.shape[0], int) else _BATCH
    parts = [
        session.run([output] if output else None, {entry.name: x[i : i + size]})[0] for i in range(0, len(x), size)
    ]
    return np.concatenate(parts), f"onnxruntime {onnxruntime.__version__}"


READERS = {"SavedModel": saved_model_outputs, ".tflite": tflite_outputs, ".onnx": onnx_outputs}


def answer(request):
    """Answers a request: writes the outputs of the images under "images" to "outputs", and names the framework."""
    with np.load(request["images"]) as arrays:
        pixels = {name: arrays[name] for name in arrays if name in ("noise", "labelled")}
    x = {name: prepare(values, *request["prepare"]) for name, values in pixels.items()}
    try:
        reader = READERS.get(request["kind"], old_keras_outputs if request["old"] else keras_outputs)
        values, framework = reader(request["path"], np.concatenate(list(x.values())), request["output"])
    except Exception as error:
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    rows = np.asarray(values, np.float64).reshape(sum(map(len, x.values())), -1)
    np.savez(
        request["outputs"],
        **dict(zip(x, np.split(rows, np.cumsum([len(part) for part in x.values()])[:-1]), strict=True)),
    )
    return {"framework": framework}


if __name__ == "__main__":
    serve(answer)
