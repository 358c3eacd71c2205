"""What a query of a deployed model costs beyond its own runtime: `python -m benchmarks.deployed --workdir=runs/deployed`.

Processor time of predicting the same images by the runtime alone and by the classifier that tfinv makes of the file, in turn, for
a tiny and a usual convolutional network. The runtime alone is called as its documentation says: one image at a time for LiteRT and
for a file of one image, and the batch otherwise.
"""

import argparse
import os
import pathlib
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks import machine
from tfinv import load_classifier, models
from tfinv.importing.deployed import black_box

_SHAPE, _CLASSES, _IMAGES = (28, 28, 1), 10, 512


def networks() -> dict[str, keras.Model]:
    """Networks by name, with random weights."""
    keras.utils.set_random_seed(0)
    return {
        "tiny": models.cnn(_SHAPE, _CLASSES, filters=(4,), units=8),
        "cnn": models.cnn(_SHAPE, _CLASSES),
    }


def write(model: keras.Model, batch: int | None, quantised: bool, path: pathlib.Path) -> pathlib.Path:
    """Writes a .tflite file."""
    function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((batch, *_SHAPE), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if quantised:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[None]] for x in images(50))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path.write_bytes(converter.convert())
    return path


def images(count: int) -> np.ndarray:
    """Uniform noise."""
    return np.random.default_rng(0).uniform(size=(count, *_SHAPE)).astype(np.float32)


def by_litert(path: pathlib.Path, size: int) -> Callable[[np.ndarray], None]:
    """Predictions by LiteRT alone, in batches of a size."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=black_box.threads())
    first, last = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(first, (size, *_SHAPE))
    interpreter.allocate_tensors()

    def predict(x: np.ndarray) -> None:
        for start in range(0, len(x), size):
            interpreter.set_tensor(first, x[start : start + size])
            interpreter.invoke()
            interpreter.get_tensor(last)

    return predict


def measure(contestants: dict[str, Callable[[], None]], repetitions: int) -> dict[str, float]:
    """The median processor time of each, in turn, after one uncounted round."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for repetition in range(repetitions + 1):
        for name, run in contestants.items():
            before = time.process_time()
            run()
            if repetition:
                times[name].append(time.process_time() - before)
    return {name: statistics.median(values) for name, values in times.items()}


def rows(folder: pathlib.Path, repetitions: int) -> list[str]:
    """A row of the table for each network, kind of file and size of batch."""
    x, lines = images(_IMAGES), []
    for name, model in networks().items():
        for kind, batch, quantised in (("float32", None, False), ("int8", None, True), ("one image", 1, False)):
            path = write(model, batch, quantised, folder / f"{name}-{kind.replace(' ', '-')}.tflite")
            classifier = load_classifier(path, outputs="logits")
            for size in (1, 16, 128):
                alone = by_litert(path, 1 if batch else size)
                medians = measure(
                    {
                        "alone": lambda alone=alone: alone(x),
                        "tfinv": lambda classifier=classifier, size=size: classifier.predict(x, size),
                    },
                    repetitions,
                )
                each = {contestant: 1e6 * spent / _IMAGES for contestant, spent in medians.items()}
                ratio = each["tfinv"] / each["alone"]
                lines.append(f"| {name} | {kind} | {size} | {each['alone']:.1f} | {each['tfinv']:.1f} | {ratio:.2f} |")
    return lines


def main() -> None:
    """Prints the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    print(f"{machine.moment()}\n{machine.describe()} {os.environ.get('TF_NUM_INTRAOP_THREADS', 'All')} threads.\n")
    print(
        "| network | file | batch | LiteRT alone, us an image | tfinv, us an image | ratio |\n|---|---|---|---|---|---|"
    )
    print("\n".join(rows(arguments.workdir, arguments.repetitions)))


if __name__ == "__main__":
    main()
