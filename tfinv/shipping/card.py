"""Makes a pretrained model's two files, NAME.keras and NAME.json, from a training and an evaluation of what it left.

`packing.pack` writes the file that will ship, `tfinv evaluate` is then run on that file, and `ship` puts it into the package with a
card whose figures are all of that file. `ship_from_comparison` takes a model that a comparison has trained and attacked, and
`update_scores` the figures of a later evaluation.
"""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tfinv import catalogue, datasets, files, models, paths
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.statistics.intervals import rate_interval
from tfinv.experiments.robust_or_private import model_label
from tfinv.models.pretrained import Card, Score, golden_images
from tfinv.reporting import Results
from tfinv.shipping.packing import pack, packed_weights, stored_type
from tfinv.shipping.results import (
    check_contents,
    check_evaluation,
    command_line,
    machine,
    only_model,
    privacy_of,
    read_results,
    robust_scores,
)
from tfinv.training.defences import defence, show

# Fraction of test images whose predicted label may change with the rounding to float16.
_MAX_CHANGED = 1e-3
_DIGITS = ("mnist", "mnist5k")


def ship(
    name: str,
    training_dir: str | os.PathLike,
    evaluation_dir: str | os.PathLike,
    *,
    folder: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Card:
    """Puts a packed model and its card into the package.

    Args:
      name: of the model, such as "mnist-robust".
      training_dir: workdir of `tfinv train`, with one model in it.
      evaluation_dir: workdir of `tfinv evaluate`, whose --model is that model, packed, and whose --attacks have autoattack.
      folder: where the two files go; None is the package's own.
      data_dir: of `datasets.load`, for the test split.

    Returns:
      The card.

    Raises:
      UserError: the folders are not such, do not fit each other, or packing has changed the model's predictions.
    """
    training, evaluation = read_results(training_dir, "train"), read_results(evaluation_dir, "evaluate")
    check_evaluation(evaluation.config, **{k: training.config[k] for k in ("dataset", "image_size")})
    provenance = _Provenance(
        training,
        next(r for r in training.rows_of("training") if r["metric"] == "test_accuracy"),
        robust_scores(evaluation, evaluation.config["seed"]),
        training.config["architecture"],
        show(defence(training.config["defense"])),
        command_line(evaluation, model=f"pretrained:{name}"),
    )
    original, packed = only_model(paths.expand(training_dir)), pathlib.Path(evaluation.config["model"])
    check_contents(evaluation_dir, packed)
    return _install(name, provenance, original, packed, folder, data_dir)


def ship_from_comparison(
    name: str,
    comparison_dir: str | os.PathLike,
    experiment: str,
    *,
    folder: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Card:
    """Puts a model that a comparison has trained and attacked, and its card, into the package.

    Its figures are those of the comparison, so packing must leave every weight as it was.

    Args:
      name: of the model, such as "cifar10-robust".
      comparison_dir: workdir of `tfinv reproduce cifar10` or `fer2013`, whose --attacks have autoattack.
      experiment: the model's name there, such as "resnet (robust)"; of the first seed.
      folder: where the two files go; None is the package's own.
      data_dir: of `datasets.load`, for the test split.

    Returns:
      The card.

    Raises:
      UserError: the folder is not such, there is no such model in it, or it is too large for full precision.
    """
    results = read_results(comparison_dir, "reproduce cifar10", "reproduce fer2013")
    config, seed = results.config, results.config["seed"]
    plain, network = config["plain_architecture"], config["architecture"]
    recipes = {
        model_label(plain, False): (plain, "none"),
        model_label(network, False): (network, "none"),
        model_label(network, True): (network, config["robust_training"]),
    }
    if experiment not in recipes:
        raise expected(f"a model among {', '.join(recipes)}", repr(experiment), "Change the argument `experiment`.")
    architecture, recipe = recipes[experiment]
    rows = [r for r in results.rows_of("training") if (r["experiment"], r["seed"]) == (experiment, seed)]
    provenance = _Provenance(
        results,
        next(r for r in rows if r["metric"] == "test_accuracy"),
        robust_scores(results, seed, experiment),
        models.canonical(architecture),
        show(defence(recipe)),
        command_line(results),
    )
    original = paths.expand(comparison_dir) / "models" / f"{provenance.architecture}-{experiment}-{seed}.keras"
    with tempfile.TemporaryDirectory() as scratch:
        packed = pathlib.Path(scratch) / "packed.keras"
        if (stored := pack(original, packed)) != "float32":
            raise expected("a model small enough for float32", stored, "Pack and evaluate it, and use `ship`.")
        return _install(name, provenance, original, packed, folder, data_dir)


def update_scores(name: str, evaluation_dir: str | os.PathLike, *, folder: str | os.PathLike | None = None) -> Card:
    """Replaces the accuracies under attack on a shipped model's card by those of another evaluation, such as one of more images.

    Args:
      name: of the model.
      evaluation_dir: workdir of `tfinv evaluate --model=pretrained:NAME`, whose --attacks have autoattack.
      folder: where the card goes; None is the package's own.

    Returns:
      The card.

    Raises:
      UserError: the folder is not such, the model has changed since, or the card has an attack, an eps or images that it lacks.
    """
    evaluation, card = read_results(evaluation_dir, "evaluate"), models.card(name)
    model = f"pretrained:{name}"
    if evaluation.config["model"] != model:
        raise expected(f"an evaluation of {model}", evaluation.config["model"], f"Run it with --model={model}.")
    check_evaluation(evaluation.config, dataset=card.dataset)
    with models.pretrained_file(name) as path:
        check_contents(evaluation_dir, path)
    scores = robust_scores(evaluation, evaluation.config["seed"])
    sizes = {(s.attack, s.norm, s.eps): s.n for s in scores}
    if lost := [s for s in card.robust if sizes.get((s.attack, s.norm, s.eps), 0) < s.n]:
        raise expected(
            f"no fewer images than the card's, {_listed(lost)}", _listed(scores), "Change --attacks, --eps or --limit."
        )
    card = dataclasses.replace(card, robust=scores, evaluation=command_line(evaluation))
    files.write_json(_target(folder) / f"{name}.json", card.to_json())
    return card


def _listed(scores: Iterable[Score]) -> str:
    return ", ".join(f"{s.attack} at {s.norm} eps {s.eps:.4g} on {s.n:,}" for s in scores)


def _target(folder: str | os.PathLike | None) -> pathlib.Path:
    """The folder of the model and its card; None is the package's own."""
    return pathlib.Path(str(catalogue.PRETRAINED)) if folder is None else paths.expand(folder)


@dataclasses.dataclass(frozen=True)
class _Provenance:
    """Training and evaluation of a model, as its card states them."""

    training: Results
    row: Mapping[str, Any]
    robust: tuple[Score, ...]
    architecture: str
    recipe: str
    evaluation: str


def _install(
    name: str,
    provenance: _Provenance,
    original: pathlib.Path,
    packed: pathlib.Path,
    folder: str | os.PathLike | None,
    data_dir: str | os.PathLike | None,
) -> Card:
    """Evaluates the packed file on clean images, and writes it and its card."""
    model = keras.models.load_model(packed, compile=False)
    config = provenance.training.config
    size = config["image_size"]
    test = datasets.load(config["dataset"], "test", data_dir=data_dir, image_size=tuple(size) if size else None)
    weights = stored_type(packed)
    _check_same(model, keras.models.load_model(original, compile=False), weights, test)
    correct, n = _num_correct(model, test), len(test)
    embedded = datasets.load("mnist5k", "test") if test.name in _DIGITS and test.image_shape == (28, 28, 1) else None
    logits = np.asarray(model(golden_images(test.image_shape), training=False), np.float64)
    card = Card(
        name=name,
        architecture=provenance.architecture,
        recipe=provenance.recipe,
        dataset=test.name,
        classes=test.class_names,
        command=command_line(provenance.training),
        evaluation=provenance.evaluation,
        seed=provenance.row["seed"],
        epochs=provenance.row["epochs"],
        seconds=provenance.row["seconds"],
        machine=machine(provenance.training.environment),
        clean=Score("none", None, 0.0, correct / n, n, rate_interval(correct, n)),
        robust=provenance.robust,
        parameters=model.count_params(),
        weights=weights,
        sha256=hashlib.sha256(packed.read_bytes()).hexdigest(),
        golden_logits=tuple(tuple(round(value, 6) for value in row) for row in logits.tolist()),
        embedded=(_num_correct(model, embedded), len(embedded)) if embedded is not None else None,
        privacy=privacy_of(provenance.training, provenance.row),
    )
    target = _target(folder)
    with files.atomic_path(target / f"{name}.keras") as temporary:
        shutil.copyfile(packed, temporary)
    files.write_json(target / f"{name}.json", card.to_json())
    return card


def _check_same(packed: keras.Model, original: keras.Model, weights: str, test: Dataset) -> None:
    """Refuses a packed model that is not of the original, or predicts otherwise in float16."""
    half = weights == "float16"
    values, originals = packed.get_weights(), [packed_weights(w, half) for w in original.get_weights()]
    if len(values) != len(originals) or not all(map(np.array_equal, values, originals)):
        raise expected(
            "an evaluation of the trained model, packed", "one of another", "Pack it and evaluate that file."
        )
    if half:
        a, b = (Classifier.from_keras(model).predict(test.images).argmax(1) for model in (packed, original))
        changed = float(np.mean(a != b))
        if changed > _MAX_CHANGED:
            raise expected(
                f"at most {_MAX_CHANGED:.1%} other labels in float16", f"{changed:.2%}", "Train a smaller network."
            )


def _num_correct(model: keras.Model, data: Dataset) -> int:
    return int(np.sum(Classifier.from_keras(model).predict(data.images).argmax(1) == data.labels))
