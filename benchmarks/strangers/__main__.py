"""Models of strangers: `python -m benchmarks.strangers --folder=FOLDER --output=docs/results/strangers.md`.

Each model of `models.csv` that is in the folder is loaded with no help but a size where it takes any, and compared with its own
framework: outputs for noise, accuracy where labelled images are at hand, and gradients with differences. `--keras2` names the
Python of an environment with Keras 2, in which old files are run as their authors ran them.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import pathlib
import queue
import sys
import tempfile
from typing import Any

import numpy as np

from benchmarks.strangers import images, page
from benchmarks.strangers.table import Stranger, digest, strangers
from benchmarks.strangers.workers import Worker
from tfinv.files import write_text

_LEVELS = 256
_LIMIT = 900.0  # seconds for one model, on a busy machine


class Survey:
    """Asks the workers about models, and compares what they say."""

    def __init__(self, options: argparse.Namespace, folder: pathlib.Path):
        self._options, self._folder = options, folder
        log, itself = folder / "stderr.txt", str(pathlib.Path(__file__).with_name("by_itself.py"))
        self._by_tfinv = Worker([sys.executable, "-m", "benchmarks.strangers.by_tfinv"], log, _LIMIT)
        self._by_itself = Worker([sys.executable, itself], log, _LIMIT)
        self._by_keras2 = Worker([options.keras2, itself], log, _LIMIT) if options.keras2 else self._by_itself

    def look(self, model: Stranger) -> dict[str, Any]:
        """All facts about one model."""
        path = model.within(self._options.folder)
        if not path.exists():
            return {"absent": True}
        if digest(path) != model.sha256:
            return {"absent": True, "other": "its SHA-256 differs"}
        request, arrays = self._request(model, path)
        reply = self._by_tfinv.ask(request | {"outputs": str(self._folder / "by_tfinv.npz")})
        if "shape" not in reply or "misfit" in reply or self._options.quick:
            return reply
        reference = self._own(model, request)
        if "error" in reference or "died" in reference:
            return reply | {"own": reference}
        with np.load(self._folder / "by_tfinv.npz") as first, np.load(self._folder / "by_itself.npz") as second:
            return reply | {"own": reference} | _compared(dict(first), dict(second), arrays.get("in_order"))

    def _request(self, model: Stranger, path: pathlib.Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {"noise": images.noise(model.image)}
        if model.data:
            data = images.labelled(model.data, model.image, self._options.images)
            arrays |= {"labelled": data.pixels, "labels": data.labels, "names": np.array(data.names)}
            arrays["in_order"] = data.in_order(model.order)
        np.savez(self._folder / "images.npz", **arrays)
        name, _, value = model.help.partition("=")
        return {
            "path": str(path),
            "kind": model.kind,
            "old": "Keras 2" in model.form or "Keras 1" in model.form,
            "images": str(self._folder / "images.npz"),
            "image": model.image,
            "size": [int(size) for size in model.size.split("x")] if model.size else None,
            "prepare": [model.bounds, model.channels, model.preprocessing],
            "help": {name: int(value) if value.isdecimal() else value} if name else {},
            "output": value,
            "quick": self._options.quick,
        }, arrays

    def _own(self, model: Stranger, request: dict[str, Any]) -> dict[str, Any]:
        """The reply of the model's own framework, which is kept: it doesn't change while tfinv does."""
        cached = self._options.cache and self._options.cache / f"{model.sha256[:16]}-{model.bounds}-{model.data}.npz"
        target = self._folder / "by_itself.npz"
        if cached and cached.exists():
            target.write_bytes(cached.read_bytes())
            return json.loads(cached.with_suffix(".json").read_text())
        worker = self._by_keras2 if request["old"] and "SavedModel" not in model.form else self._by_itself
        reply = worker.ask(request | {"outputs": str(target)})
        if cached and "framework" in reply:
            cached.write_bytes(target.read_bytes())
            cached.with_suffix(".json").write_text(json.dumps(reply))
        return reply

    def close(self) -> None:
        """Ends the workers."""
        for worker in (self._by_tfinv, self._by_itself, self._by_keras2):
            worker.close()


def _compared(
    logits: dict[str, np.ndarray], references: dict[str, np.ndarray], labels: np.ndarray | None
) -> dict[str, Any]:
    """How far the outputs for noise are apart, and both accuracies."""
    outputs = references["noise"]
    quantised = bool(np.all(np.abs(outputs * _LEVELS - np.rint(outputs * _LEVELS)) < 1e-3))
    quantised &= bool(np.any((outputs > 0.5 / _LEVELS) & (outputs < 1 - 0.5 / _LEVELS)))  # not only saturated
    if quantised and outputs.shape[1] > 1:  # rounded to 256 levels, they don't sum to one
        outputs = outputs / outputs.sum(-1, keepdims=True)
    differences = differences_of(logits["noise"].astype(np.float64), outputs)
    meaning = min(differences, key=lambda name: differences[name])
    facts: dict[str, Any] = {"difference": differences[meaning], "meaning": meaning, "quantised": quantised}
    if labels is not None:
        facts |= {"n": len(labels), "accuracy": float(np.mean(logits["labelled"].argmax(-1) == labels))}
        facts["own_accuracy"] = float(np.mean(own_classes(references["labelled"]) == labels))
    return facts


def differences_of(logits: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Largest differences of (n, K) logits from (n, K) or (n, 1) outputs, by what the outputs may be."""

    def softmax(z: np.ndarray) -> np.ndarray:
        e = np.exp(z - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def apart(values: np.ndarray) -> float:
        return float(np.max(np.abs(values - outputs) / np.maximum(1, np.abs(outputs))))

    if outputs.shape[1] == 1 and logits.shape[1] == 2:
        odds = (logits[:, 1] - logits[:, 0])[:, None]
        return {"sigmoid": apart(1 / (1 + np.exp(-odds))), "log-odds": apart(odds)}
    if outputs.shape != logits.shape:
        return {f"{outputs.shape[1]} outputs for {logits.shape[1]} classes": np.inf}
    sigmoid = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    return {"softmax": apart(softmax(logits)), "logits": apart(logits), "sigmoid of each": apart(sigmoid)}


def own_classes(outputs: np.ndarray) -> np.ndarray:
    """(n,) classes that the authors' code would read from (n, K) outputs, or from one probability."""
    return (outputs[:, 0] > 0.5).astype(int) if outputs.shape[1] == 1 else outputs.argmax(-1)


def _known(path: pathlib.Path | None) -> dict[str, dict[str, Any]]:
    """Facts by name that an earlier run has found."""
    if path is None or not path.exists():
        return {}
    return {line["model"]: line["facts"] for line in map(json.loads, path.read_text().splitlines())}


def main() -> None:
    """Surveys the models and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="with the models, see table.Stranger.within")
    parser.add_argument("--images", type=pathlib.Path, help="with the authors' images; else images/ beside the folder")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--keras2", help="python of an environment with Keras 2, such as tensorflow 2.15")
    parser.add_argument("--cache", type=pathlib.Path, help="folder in which outputs of the own frameworks are kept")
    parser.add_argument(
        "--facts", type=pathlib.Path, help="file of what is found, a line a model; those in it are left out"
    )
    parser.add_argument("--quick", action="store_true", help="only load them")
    parser.add_argument("--only", default="", help="parts of source or path of the models to look at, with commas")
    parser.add_argument("--workers", type=int, default=1, help="number of models that are looked at at a time")
    options = parser.parse_args()
    options.images = options.images or options.folder.parent / "images"
    begun = datetime.datetime.now(datetime.UTC)
    models = strangers(options.only)
    surveys: queue.SimpleQueue[Survey] = queue.SimpleQueue()
    earlier = _known(options.facts)

    def look(model: Stranger) -> tuple[Stranger, dict[str, Any]]:
        if model.name in earlier:
            return model, earlier[model.name]
        survey = surveys.get()
        facts = survey.look(model)
        surveys.put(survey)
        print(f"{model.name}: {page.summary((model, facts))}", flush=True)
        if options.facts:
            with options.facts.open("a") as file:
                file.write(json.dumps({"model": model.name, "facts": facts}) + "\n")
        return model, facts

    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        for _ in range(options.workers):
            survey = Survey(options, pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(survey.close)
            surveys.put(survey)
        results = list(pool.map(look, models))
    write_text(options.output, page.text(results, begun))


if __name__ == "__main__":
    main()
