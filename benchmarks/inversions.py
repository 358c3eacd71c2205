"""Inversions beside ART's MIFace on AT&T faces: `python -m benchmarks.inversions --workdir=runs/bench-inversions`.

Trains MIFace's softmax regression and the conv net on AT&T faces at 56 x 46 pixels, inverts all 40 people with ART and with ours
at the same number of iterations, judges both by the same evaluators, and times 40 people x 8 samples. Needs the packages of
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
from tfinv.evaluation.evaluators import train_evaluators
from tfinv.evaluation.reconstruction import TrainingSet, measure
from tfinv.inversion import Gradient, Inversion, Knowledge, MIFace, invert
from tfinv.recipes.defended import train_defended
from tfinv.recipes.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

_SIZE, _EPOCHS, _BATCH = (56, 46), 40, 28
# The judges are of other architectures than either victim, or of its architecture and another seed.
_EVALUATORS = ("mlp", "softmax", "cnn+adversarial")
_SHOWN = ("acc@1", "feature_distance", "pixel_distance", "ssim_to_nearest")

Run = Callable[[], np.ndarray]


def art(model: keras.Model, people: int, shape: tuple[int, ...], start: np.ndarray, steps: int, batch_size: int) -> Run:
    """ART's MIFace on probabilities, as its documentation has it; `batch_size` is its own flag, 1 by default."""
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


def ours(model: keras.Model, method: Inversion, known: Knowledge, people: int, samples: int = 1) -> Run:
    """One of our methods on the same model, with gradients in half precision."""
    classifier = Classifier.from_keras(model).accelerated(precision="bfloat16")
    return lambda: invert(classifier, np.arange(people), method, samples=samples, knowledge=known).images


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench-inversions")
    parser.add_argument("--output", help="the page; default: inversions.md in the workdir")
    parser.add_argument("--data_dir", default=os.environ.get("TFINV_DATA_DIR"), help="default: TFINV_DATA_DIR")
    parser.add_argument("--steps", type=int, default=200, help="iterations of every contestant")
    given = parser.parse_args()
    train, test = (datasets.load("att_faces", s, data_dir=given.data_dir, image_size=_SIZE) for s in ("train", "test"))
    workdir = Workdir(given.workdir, {"benchmark": "inversions", "steps": given.steps})
    moment = machine.moment()
    judges = train_evaluators(
        train,
        architectures=_EVALUATORS,
        schedule=Schedule(epochs=_EPOCHS, batch_size=_BATCH),
        workdir=workdir.path / "evaluators",
    )
    against = TrainingSet.make(train.images, train.labels, judges)
    average = test.images.mean(0)
    known, people = Knowledge(average=average), train.num_classes
    parts, claims = [], []
    for architecture in ("softmax", "cnn"):
        schedule = Schedule(architecture, _EPOCHS, _BATCH)
        model, trained = train_defended(defence("none"), train, test, schedule, workdir)
        miface = MIFace(steps=given.steps, start="average")
        gradient = Gradient(steps=given.steps, total_variation=2.0, rate=0.02)
        runs = {
            "tfinv, miface": ours(model, miface, known, people),
            "tfinv, gradient": ours(model, gradient, known, people),
            "ART, batch 40": art(model, people, train.image_shape, average, given.steps, 40),
            "ART, batch 1": art(model, people, train.image_shape, average, given.steps, 1),
        }
        table, found = _compare(runs, against, train.num_classes)
        accuracy = 100 * trained[0]["value"]
        parts.append(
            f"`{architecture}`, test accuracy {accuracy:.1f} %; 40 people from the average of the test photographs, at most "
            f"{given.steps} iterations:\n\n{table}"
        )
        claims += _claims(architecture, found)
    whole, many = Gradient(steps=given.steps, total_variation=2.0, rate=0.02, start="noise"), 8
    run = ours(model, whole, known, people, many)
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    claims.append(
        ("40 people x 8 samples of the conv net in under 120 s, compiling included", f"{seconds:.1f} s", seconds < 120)
    )
    rows = [[claim, shown, "yes" if holds else "**no**"] for claim, shown, holds in claims]
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
    output = pathlib.Path(given.output or f"{given.workdir}/inversions.md")
    files.write_text(output, "\n\n".join(page) + "\n")
    print(output.read_text())


def _compare(runs: dict[str, Run], against: TrainingSet, people: int) -> tuple[str, dict[str, Any]]:
    """A table of seconds and measures, and the figures themselves."""
    found: dict[str, Any] = {}
    for name, run in runs.items():
        first = name != "ART, batch 1"  # minutes long, and eager: nothing of it is compiled before
        if first:
            run()
        begin = time.perf_counter()
        images = run()
        seconds = time.perf_counter() - begin
        print(f"  {name}: {seconds:.1f} s", flush=True)
        rows = measure(images, np.arange(people), against).rows()
        values = {(r["measure"], r.get("evaluator")): r for r in rows if r["measure"] in _SHOWN}
        found[name] = {"seconds": seconds, "values": values}
    keys = list(next(iter(found.values()))["values"])
    header = ["", "seconds", *(f"{measure} {evaluator or ''}".strip() for measure, evaluator in keys)]
    lines = [
        [name, f"{f['seconds']:.1f}", *(f"{f['values'][key]['value']:.3f}" for key in keys)]
        for name, f in found.items()
    ]
    return timing.table(header, lines), found


def _claims(architecture: str, found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Ours against the faster, and the better, of ART's two."""
    peers = [f for name, f in found.items() if name.startswith("ART")]
    fastest = min(f["seconds"] for f in peers)
    listed = []
    for name in ("tfinv, miface", "tfinv, gradient"):
        mine = found[name]
        ratio = fastest / mine["seconds"]
        listed.append((f"{architecture}: {name} at least 5 times as fast as ART", f"{ratio:.1f} times", ratio >= 5))
        if name == "tfinv, miface":
            continue  # the same algorithm, so the same images but for rounding
        won = [_wins(row, [p["values"][key] for p in peers]) for key, row in mine["values"].items()]
        listed.append(
            (f"{architecture}: {name} better than ART by every measure", f"{sum(won)} of {len(won)}", all(won))
        )
    return listed


def _wins(row: dict[str, Any], others: list[dict[str, Any]]) -> bool:
    values = [r["value"] for r in others]
    return row["value"] > max(values) if row["better"] == "higher" else row["value"] < min(values)


if __name__ == "__main__":
    main()
