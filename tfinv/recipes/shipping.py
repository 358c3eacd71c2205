"""Makes a pretrained model's two files, NAME.keras and NAME.json, from a training and an evaluation of what it left.

`packing.pack` writes the file that will ship, `tfinv evaluate` is then run on that file, and `ship` puts it into the package with a
card whose figures are all of that file.
"""

import hashlib
import os
import pathlib
import shlex
import shutil
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfinv import datasets, files
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.intervals import rate_interval
from tfinv.models.pretrained import DATA, Card, Score, golden_images
from tfinv.recipes.packing import packed_weights, stored_type
from tfinv.reporting import Results
from tfinv.training.defences import defence, show

# Flags that change no figure.
_PLACES = ("data_dir", "workdir", "workers")
# The share of test images whose predicted label may change with the rounding to float16.
_CHANGED = 1e-3
_DIGITS = ("mnist", "mnist5k")


def ship(
    name: str,
    trained: str | os.PathLike,
    evaluated: str | os.PathLike,
    *,
    folder: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Card:
    """Puts a packed model and its card into the package.

    Args:
      name: of the model, such as "mnist-robust".
      trained: workdir of `tfinv train`, with one model in it.
      evaluated: workdir of `tfinv evaluate`, whose --model is that model, packed, and whose --attacks have autoattack.
      folder: where the two files go; None is the package's own.
      data_dir: of `datasets.load`, for the test split.

    Returns:
      The card.

    Raises:
      UserError: the folders are not such, do not fit each other, or packing has changed what the model predicts.
    """
    training, scored = (_results(path, command) for path, command in ((trained, "train"), (evaluated, "evaluate")))
    _check_alike(training.config, scored.config)
    original, packed = _only_model(pathlib.Path(trained)), pathlib.Path(scored.config["model"])
    row = next(r for r in training.rows_of("training") if r["metric"] == "test_accuracy")
    robust = _robust(scored)
    model = keras.models.load_model(packed, compile=False)
    config = training.config
    size = config["image_size"]
    test = datasets.load(config["dataset"], "test", data_dir=data_dir, image_size=tuple(size) if size else None)
    weights = stored_type(packed)
    _check_same(model, keras.models.load_model(original, compile=False), weights, test)
    right, n = _right(model, test), len(test)
    embedded = datasets.load("mnist5k", "test") if test.name in _DIGITS and test.image_shape == (28, 28, 1) else None
    logits = np.asarray(model(golden_images(test.image_shape), training=False), np.float64)
    card = Card(
        name=name,
        architecture=config["architecture"],
        recipe=show(defence(config["defense"])),
        dataset=test.name,
        classes=test.class_names,
        command=_command(training),
        evaluation=_command(scored, model=f"pretrained:{name}"),
        seed=row["seed"],
        epochs=row["epochs"],
        seconds=row["seconds"],
        machine=_machine(training.environment),
        clean=Score("none", None, 0.0, right / n, n, rate_interval(right, n)),
        robust=robust,
        parameters=model.count_params(),
        weights=weights,
        sha256=hashlib.sha256(packed.read_bytes()).hexdigest(),
        golden_logits=tuple(tuple(round(value, 6) for value in row) for row in logits.tolist()),
        embedded=(_right(model, embedded), len(embedded)) if embedded is not None else None,
    )
    target = pathlib.Path(str(DATA) if folder is None else folder)
    with files.atomic_path(target / f"{name}.keras") as temporary:
        shutil.copyfile(packed, temporary)
    files.write_json(target / f"{name}.json", card.to_json())
    return card


def _check_alike(training: Mapping[str, Any], scored: Mapping[str, Any]) -> None:
    for key in ("dataset", "image_size"):
        if scored[key] != training[key]:
            raise expected(
                f"an evaluation on the {key} of the training, {training[key]}",
                scored[key],
                f"Run it with that --{key}.",
            )


def _results(path: str | os.PathLike, command: str) -> Results:
    results = Results.read(path)
    if results.command != command:
        raise expected(f"the workdir of tfinv {command}", f"{path}, of tfinv {results.command}")
    return results


def _only_model(workdir: pathlib.Path) -> pathlib.Path:
    found = sorted((workdir / "models").glob("*.keras"))
    if len(found) != 1:
        raise expected(f"one model in {workdir / 'models'}", len(found))
    return found[0]


def _robust(scored: Results) -> tuple[Score, ...]:
    """The accuracies under attack of the first seed."""
    if scored.config["split"] != "test":
        raise expected("an evaluation on the test split", scored.config["split"], "Run it with --split=test.")
    rows = [r for r in scored.rows_of("accuracy") if r["attack"] != "none" and r["seed"] == scored.config["seed"]]
    if not any(r["attack"].partition("(")[0] == "autoattack" for r in rows):
        attacks = ", ".join(sorted({r["attack"] for r in rows})) or "none"
        raise expected("an evaluation with autoattack", attacks, "Run it with --attacks=autoattack.")
    return tuple(Score(r["attack"], r.get("norm"), r["eps"], r["accuracy"], r["n"], tuple(r["ci95"])) for r in rows)


def _check_same(packed: keras.Model, original: keras.Model, weights: str, test: Dataset) -> None:
    half = weights == "float16"
    given, right = packed.get_weights(), [packed_weights(w, half) for w in original.get_weights()]
    if len(given) != len(right) or not all(map(np.array_equal, given, right)):
        raise expected(
            "an evaluation of the trained model, packed", "one of another", "Pack it and evaluate that file."
        )
    if half:
        a, b = (Classifier.from_keras(model).predict(test.images).argmax(1) for model in (packed, original))
        changed = float(np.mean(a != b))
        if changed > _CHANGED:
            raise expected(
                f"at most {_CHANGED:.1%} other labels in float16", f"{changed:.2%}", "Train a smaller network."
            )


def _right(model: keras.Model, data: Dataset) -> int:
    return int(np.sum(Classifier.from_keras(model).predict(data.images).argmax(1) == data.labels))


def _command(results: Results, **instead: Any) -> str:
    """The command line that gave the results, with every flag that has a value."""
    flags: Mapping[str, Any] = results.config | instead
    return shlex.join(
        [
            "tfinv",
            results.command,
            *(f"--{k}={_flag(v)}" for k, v in flags.items() if v is not None and k not in _PLACES),
        ]
    )


def _flag(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_flag, value)) if isinstance(value, (list, tuple)) else str(value)


def _machine(environment: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{k} {environment[k]}" for k in ("tfinv", "tensorflow", "keras", "numpy"))
    return f"{environment['processor']}, {environment['cores']} cores; {versions}; {environment['date']}"
