"""Inversions beside ART's MIFace on AT&T faces: `python -m benchmarks.inversions --workdir=runs/bench-inversions`.

Trains MIFace's softmax regression and the conv net on AT&T faces at 56 x 46 pixels, inverts all 40 people with ART and with tfinv
at the same number of iterations, measures both with the same evaluators, and times 40 people x 8 samples. Needs the packages of
benchmarks/requirements.txt; run it on an idle machine.
"""

import argparse
import os
import pathlib
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks import machine, timing
from tfinv import Classifier, datasets, files
from tfinv.comparison.defended import train_defended
from tfinv.evaluation.inversion.evaluators import train_evaluators
from tfinv.evaluation.inversion.reconstruction import TrainingSet, measure
from tfinv.inversion import Gradient, Inversion, Knowledge, MIFace, invert
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

_SIZE, _EPOCHS, _BATCH = (56, 46), 40, 28
# Of other architectures than either victim, or of its architecture and another seed.
_EVALUATORS = ("mlp", "softmax", "cnn+adversarial")
_MEASURES = ("acc@1", "feature_distance", "pixel_distance", "ssim_to_nearest")

Run = Callable[[], np.ndarray]


def art(model: keras.Model, people: int, shape: tuple[int, ...], start: np.ndarray, steps: int, batch_size: int) -> Run:
    """Sets up ART's MIFace on probabilities, as in its documentation; ART's default `batch_size` is 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.attacks.inference.model_inversion import MIFace as ArtMIFace
        from art.estimators.classification import TensorFlowV2Classifier
    probabilities = keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))
    loss = keras.losses.SparseCategoricalCrossentropy()
    victim = TensorFlowV2Classifier(
        model=probabilities, nb_classes=people, input_shape=shape, loss_object=loss, clip_values=(0, 1)
    )
    attack = ArtMIFace(victim, max_iter=steps, learning_rate=0.1, batch_size=batch_size, verbose=False)
    return lambda: attack.infer(np.repeat(start[None], people, axis=0), np.arange(people))


def tfinv_inversion(model: keras.Model, method: Inversion, knowledge: Knowledge, people: int, samples: int = 1) -> Run:
    """Sets up a method of tfinv on the same model, with gradients in half precision."""
    classifier = Classifier.from_keras(model).accelerated(precision="bfloat16")
    return lambda: invert(classifier, np.arange(people), method, samples=samples, knowledge=knowledge).images


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench-inversions")
    parser.add_argument("--output", help="the page; default: inversions.md in the workdir")
    parser.add_argument("--data_dir", default=os.environ.get("TFINV_DATA_DIR"), help="default: TFINV_DATA_DIR")
    parser.add_argument("--steps", type=int, default=200, help="iterations of every contestant")
    arguments = parser.parse_args()
    train, test = (
        datasets.load("att_faces", s, data_dir=arguments.data_dir, image_size=_SIZE) for s in ("train", "test")
    )
    workdir = Workdir(arguments.workdir, {"benchmark": "inversions", "steps": arguments.steps})
    moment = machine.moment()
    evaluators = train_evaluators(
        train,
        architectures=_EVALUATORS,
        schedule=Schedule(epochs=_EPOCHS, batch_size=_BATCH),
        workdir=workdir.path / "evaluators",
    )
    training_set = TrainingSet.make(train.images, train.labels, evaluators)
    average = test.images.mean(0)
    knowledge, people = Knowledge(average=average), train.num_classes
    parts, claims = [], []
    for architecture in ("softmax", "cnn"):
        schedule = Schedule(architecture, _EPOCHS, _BATCH)
        model, trained = train_defended(defence("none"), train, test, schedule, workdir)
        miface = MIFace(steps=arguments.steps, start="average")
        gradient = Gradient(steps=arguments.steps, total_variation=2.0, rate=0.02)
        runs = {
            "tfinv, miface": tfinv_inversion(model, miface, knowledge, people),
            "tfinv, gradient": tfinv_inversion(model, gradient, knowledge, people),
            "ART, batch 40": art(model, people, train.image_shape, average, arguments.steps, 40),
            "ART, batch 1": art(model, people, train.image_shape, average, arguments.steps, 1),
        }
        table, measurements = _compare(runs, training_set, people)
        accuracy = 100 * trained[0]["value"]
        parts.append(
            f"`{architecture}`, test accuracy {accuracy:.1f} %; 40 people from the average of the test photographs, at most "
            f"{arguments.steps} iterations:\n\n{table}"
        )
        claims += _claims(architecture, measurements)
    gradient = Gradient(steps=arguments.steps, total_variation=2.0, rate=0.02, start="noise")
    run = tfinv_inversion(model, gradient, knowledge, people, samples=8)
    start_time = time.perf_counter()
    run()
    seconds = time.perf_counter() - start_time
    claims.append(
        ("40 people x 8 samples of the conv net in under 120 s, compiling included", f"{seconds:.1f} s", seconds < 120)
    )
    rows = [[claim, value, "yes" if holds else "**no**"] for claim, value, holds in claims]
    page = [
        "# Inversions beside ART's",
        "```console\npython -m benchmarks.inversions --workdir=runs/bench-inversions\n```",
        f"{machine.describe()}\n\n{moment}",
        timing.table(["claim", "measured", "holds"], rows),
        "Seconds are of the second call, so that all have compiled, but for ART's batch of 1, its default, which is eager. Ours "
        "take their gradients in half precision (`--gradients=bfloat16`). `miface` is ART's algorithm, and with gradients in half "
        "precision gives much the same measures on `softmax` and others on `cnn`; `gradient` has total_variation=2 and rate=.02, "
        "chosen on these two models. Judged are the images that each returns, by every measure shown, against the better of "
        "ART's two.",
        *parts,
    ]
    output = pathlib.Path(arguments.output or f"{arguments.workdir}/inversions.md")
    files.write_text(output, "\n\n".join(page) + "\n")
    print(output.read_text())


def _compare(runs: dict[str, Run], training_set: TrainingSet, people: int) -> tuple[str, dict[str, Any]]:
    """Returns a table of seconds and measures, and the figures themselves."""
    measurements: dict[str, Any] = {}
    for name, run in runs.items():
        if name != "ART, batch 1":  # which is eager and takes minutes: it has nothing to compile
            run()
        start_time = time.perf_counter()
        images = run()
        seconds = time.perf_counter() - start_time
        print(f"  {name}: {seconds:.1f} s", flush=True)
        rows = measure(images, np.arange(people), training_set).rows()
        values = {(r["measure"], r.get("evaluator")): r for r in rows if r["measure"] in _MEASURES}
        measurements[name] = {"seconds": seconds, "values": values}
    keys = list(next(iter(measurements.values()))["values"])
    header = ["", "seconds", *(f"{measure} {evaluator or ''}".strip() for measure, evaluator in keys)]
    lines = [
        [name, f"{entry['seconds']:.1f}", *(f"{entry['values'][key]['value']:.3f}" for key in keys)]
        for name, entry in measurements.items()
    ]
    return timing.table(header, lines), measurements


def _claims(architecture: str, measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Claims of tfinv over the faster and the better of ART's two entries."""
    peers = [entry for name, entry in measurements.items() if name.startswith("ART")]
    fastest = min(entry["seconds"] for entry in peers)
    claims = []
    for name in ("tfinv, miface", "tfinv, gradient"):
        entry = measurements[name]
        ratio = fastest / entry["seconds"]
        claims.append((f"{architecture}: {name} at least 5 times as fast as ART", f"{ratio:.1f} times", ratio >= 5))
        if name == "tfinv, miface":
            continue  # the same algorithm, so the same images but for rounding
        wins = [_wins(row, [peer["values"][key] for peer in peers]) for key, row in entry["values"].items()]
        claims.append(
            (f"{architecture}: {name} better than ART by every measure", f"{sum(wins)} of {len(wins)}", all(wins))
        )
    return claims


def _wins(row: dict[str, Any], others: list[dict[str, Any]]) -> bool:
    """Whether a row is better than all others."""
    values = [other["value"] for other in others]
    return row["value"] > max(values) if row["better"] == "higher" else row["value"] < min(values)


if __name__ == "__main__":
    main()
