"""Makes a pretrained model's two files, NAME.keras and NAME.json, from a training and an evaluation of what it left.

`packing.pack` writes the file that will ship, `tfinv evaluate` is then run on that file, and `ship` puts it into the package with a
card whose figures are all of that file. A model of a comparison was attacked there: `ship_compared`. With `rejudge` a card takes
the figures of a later evaluation.
"""

import dataclasses
import hashlib
import os
import pathlib
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfinv import datasets, files, models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.intervals import rate_interval
from tfinv.models.pretrained import DATA, Card, Score, golden_images
from tfinv.recipes.packing import pack, packed_weights, stored_type
from tfinv.recipes.robust_or_private import named
from tfinv.recipes.workdir import read_config
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
    training, scored = _results(trained, "train"), _results(evaluated, "evaluate")
    _check_judged(scored.config, **{k: training.config[k] for k in ("dataset", "image_size")})
    made = _Made(
        training,
        next(r for r in training.rows_of("training") if r["metric"] == "test_accuracy"),
        _robust(scored, scored.config["seed"]),
        training.config["architecture"],
        show(defence(training.config["defense"])),
        _command(scored, model=f"pretrained:{name}"),
    )
    original, packed = _only_model(pathlib.Path(trained)), pathlib.Path(scored.config["model"])
    _check_contents(evaluated, packed)
    return _put(name, made, original, packed, folder, data_dir)


def ship_compared(
    name: str,
    compared: str | os.PathLike,
    experiment: str,
    *,
    folder: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Card:
    """Puts a model of a comparison, which has trained and attacked it, and its card into the package.

    Its figures are those of the comparison, so packing must leave every weight as it was.

    Args:
      name: of the model, such as "cifar10-robust".
      compared: workdir of `tfinv reproduce cifar10` or `fer2013`, whose --attacks have autoattack.
      experiment: the model's name there, such as "resnet (robust)"; of the first seed.
      folder: where the two files go; None is the package's own.
      data_dir: of `datasets.load`, for the test split.

    Returns:
      The card.

    Raises:
      UserError: the folder is not such, there is no such model in it, or it is too large for full precision.
    """
    results = _results(compared, "reproduce cifar10", "reproduce fer2013")
    config, seed = results.config, results.config["seed"]
    plain, network = config["plain_architecture"], config["architecture"]
    recipes = {
        named(plain, False): (plain, "none"),
        named(network, False): (network, "none"),
        named(network, True): (network, config["robust_training"]),
    }
    if experiment not in recipes:
        raise expected(f"a model among {', '.join(recipes)}", repr(experiment), "Change the argument `experiment`.")
    architecture, recipe = recipes[experiment]
    rows = [r for r in results.rows_of("training") if (r["experiment"], r["seed"]) == (experiment, seed)]
    made = _Made(
        results,
        next(r for r in rows if r["metric"] == "test_accuracy"),
        _robust(results, seed, experiment),
        models.normal(architecture),
        show(defence(recipe)),
        _command(results),
    )
    original = pathlib.Path(compared) / "models" / f"{made.architecture}-{experiment}-{seed}.keras"
    with tempfile.TemporaryDirectory() as scratch:
        packed = pathlib.Path(scratch) / "packed.keras"
        if (stored := pack(original, packed)) != "float32":
            raise expected("a model small enough for float32", stored, "Pack and evaluate it, and use `ship`.")
        return _put(name, made, original, packed, folder, data_dir)


def rejudge(name: str, evaluated: str | os.PathLike, *, folder: str | os.PathLike | None = None) -> Card:
    """Gives a shipped model's card the accuracies under attack of another evaluation, such as one of more images.

    Args:
      name: of the model.
      evaluated: workdir of `tfinv evaluate --model=pretrained:NAME`, whose --attacks have autoattack.
      folder: where the card goes; None is the package's own.

    Returns:
      The card.

    Raises:
      UserError: the folder is not such, the model has changed since, or the card knows an attack, an eps or images that it lacks.
    """
    scored, card = _results(evaluated, "evaluate"), models.card(name)
    if scored.config["model"] != (wanted := f"pretrained:{name}"):
        raise expected(f"an evaluation of {wanted}", scored.config["model"], f"Run it with --model={wanted}.")
    _check_judged(scored.config, dataset=card.dataset)
    with models.pretrained_file(name) as path:
        _check_contents(evaluated, path)
    robust = _robust(scored, scored.config["seed"])
    judged = {(s.attack, s.norm, s.eps): s.n for s in robust}
    if fewer := [s for s in card.robust if judged.get((s.attack, s.norm, s.eps), 0) < s.n]:
        had, has = (
            ", ".join(f"{s.attack} at {s.norm} eps {s.eps:.4g} on {s.n:,}" for s in some) for some in (fewer, robust)
        )
        raise expected(f"no fewer images than the card's, {had}", has, "Change --attacks, --eps or --limit.")
    card = dataclasses.replace(card, robust=robust, evaluation=_command(scored))
    files.write_json(pathlib.Path(str(DATA) if folder is None else folder) / f"{name}.json", card.to_json())
    return card


@dataclasses.dataclass(frozen=True)
class _Made:
    """What a card says of how a model was made and judged."""

    training: Results
    row: Mapping[str, Any]
    robust: tuple[Score, ...]
    architecture: str
    recipe: str
    evaluation: str


def _put(
    name: str,
    made: _Made,
    original: pathlib.Path,
    packed: pathlib.Path,
    folder: str | os.PathLike | None,
    data_dir: str | os.PathLike | None,
) -> Card:
    """Judges the packed file on clean images, and writes it and its card."""
    model = keras.models.load_model(packed, compile=False)
    config = made.training.config
    size = config["image_size"]
    test = datasets.load(config["dataset"], "test", data_dir=data_dir, image_size=tuple(size) if size else None)
    weights = stored_type(packed)
    _check_same(model, keras.models.load_model(original, compile=False), weights, test)
    right, n = _right(model, test), len(test)
    embedded = datasets.load("mnist5k", "test") if test.name in _DIGITS and test.image_shape == (28, 28, 1) else None
    logits = np.asarray(model(golden_images(test.image_shape), training=False), np.float64)
    card = Card(
        name=name,
        architecture=made.architecture,
        recipe=made.recipe,
        dataset=test.name,
        classes=test.class_names,
        command=_command(made.training),
        evaluation=made.evaluation,
        seed=made.row["seed"],
        epochs=made.row["epochs"],
        seconds=made.row["seconds"],
        machine=_machine(made.training.environment),
        clean=Score("none", None, 0.0, right / n, n, rate_interval(right, n)),
        robust=made.robust,
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


def _check_judged(scored: Mapping[str, Any], **trained: Any) -> None:
    """Whether the evaluation is of test images, and of the same as the training."""
    if scored["split"] != "test":
        raise expected("an evaluation on the test split", scored["split"], "Run it with --split=test.")
    for key, value in trained.items():
        if scored[key] != value:
            raise expected(
                f"an evaluation on the {key} of the training, {value}", scored[key], f"Run it with that --{key}."
            )


def _check_contents(evaluated: str | os.PathLike, model: pathlib.Path) -> None:
    """Whether the evaluation is of these very weights, whatever has been written to the same path since."""
    if read_config(evaluated).get("model_contents") != files.digest(model):
        raise expected("an evaluation of the model that ships", "one of another file", "Run it again.")


def _results(path: str | os.PathLike, *commands: str) -> Results:
    results = Results.read(path)
    if results.command not in commands:
        raise expected(
            f"the workdir of tfinv {' or '.join(commands)}", f"{path}, of tfinv {results.command}", "Change the folder."
        )
    return results


def _only_model(workdir: pathlib.Path) -> pathlib.Path:
    found = sorted((workdir / "models").glob("*.keras"))
    if len(found) != 1:
        raise expected(f"one model in {workdir / 'models'}", len(found), "Change the argument `trained`.")
    return found[0]


def _robust(scored: Results, seed: int, experiment: str | None = None) -> tuple[Score, ...]:
    """The accuracies under attack of a seed, and of an experiment if there are several."""
    rows = [r for r in scored.rows_of("accuracy") if r["attack"] != "none" and r["seed"] == seed]
    rows = [r for r in rows if experiment in (None, r["experiment"])]
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
            *results.command.split(),
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
