"""The model and the images that `attack`, `evaluate` and `invert` take, and what the attacker of an inversion has."""

import contextlib
import pathlib
from collections.abc import Iterable
from typing import Any

import tfinv
from tfinv import datasets, files, models, validation
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.provenance import without_copies
from tfinv.evaluation.robustness import named_attacks
from tfinv.inversion import Knowledge
from tfinv.probing import probe_bounds
from tfinv_cli.command import UsageError
from tfinv_cli.flags import BOUNDS, DATA_DIR, IMAGE_SIZE, LIMIT, MODEL, OUTPUTS, SPLIT, UNSAFE, dataset

FLAGS = (MODEL, BOUNDS, OUTPUTS, UNSAFE, dataset(None), DATA_DIR, SPLIT, LIMIT, IMAGE_SIZE)
_PRETRAINED = "pretrained:"
REQUIRED = ("model", "dataset", "workdir")


def load(values: Any) -> tuple[Classifier, Dataset]:
    """The classifier and the images of the common flags.

    Raises:
      UserError: either can't be loaded, or they do not fit each other.
    """
    with _file(values.model) as path:
        classifier = tfinv.load_classifier(
            path,
            bounds=bounds(values),
            outputs=values.outputs,
            allow_unsafe_deserialization=values.allow_unsafe_deserialization,
        )
    data = images(values, values.split, limit=values.limit)
    with from_flag("--dataset or --image_size"):
        classifier.validate(classifier.from_unit(data.take(1).images), data.labels[:1])
    validation.check_labels(data.labels, len(data), classifier.num_classes)
    return classifier.with_gradients(getattr(values, "gradients", "plain")), data


def contents(values: Any, data: Dataset) -> dict[str, str]:
    """Digests of the files that the flags name, and of the images: kept results are of these and of no others.

    Raises:
      UserError: see `named_attacks`.
    """
    with _file(values.model) as path:
        found = {"model_contents": files.digest(path), "images_contents": data.digest()}
    return found | surrogates(values.attacks)


def surrogates(attacks: Iterable[str]) -> dict[str, str]:
    """Digests of the models that attacks read.

    Raises:
      UserError: see `named_attacks`.
    """
    return {f"{path}_contents": files.digest(path) for _, attack in named_attacks(attacks) for path in attack.files}


def _file(model: str) -> contextlib.AbstractContextManager[str | pathlib.Path]:
    """The path that --model names; one that begins with the prefix is written ./pretrained:..."""
    if model.startswith(_PRETRAINED):
        return models.pretrained_file(model.removeprefix(_PRETRAINED))
    return contextlib.nullcontext(model)


def images(values: Any, split: str, limit: int | None = None) -> Dataset:
    """A split of --dataset at --image_size."""
    return datasets.load(
        values.dataset, split, data_dir=values.data_dir, limit=limit, image_size=image_size(values.image_size)
    )


def auxiliary(name: str, like: Dataset, data_dir: str | None, limit: int) -> Dataset:
    """The first training images of another data set, resized to those of `like`.

    Raises:
      UserError: it has other channels.
    """
    other = datasets.load(name, "train", data_dir=data_dir, limit=limit, image_size=like.image_shape[:2])
    if other.image_shape != like.image_shape:
        raise expected(
            f"auxiliary images of shape {like.image_shape}, as those of {like.name}",
            f"{other.image_shape} of {other.name}",
            "Change --auxiliary.",
        )
    return other


def knowledge(values: Any, data: Dataset, train: Dataset) -> Knowledge:
    """What the attacker of `invert` has: --auxiliary, or else the held-out images with their labels; no training images among them.

    Raises:
      UserError: see `auxiliary`.
    """
    own = values.auxiliary is None
    given = data if own else auxiliary(values.auxiliary, data, values.data_dir, values.auxiliary_limit)
    given = without_copies(given, train)
    source = f"{'held-out ' * own}images of {given.name}"
    return Knowledge(given.images, given.labels if own else None, source=source)


def image_size(given: list[int] | None) -> tuple[int, int] | None:
    """--image_size as a pair, or None."""
    if given is None:
        return None
    if len(given) != 2 or min(given) < 1:
        raise UsageError(f"Expected a height and a width. Received: {given}. Change --image_size, as in 56,46.")
    return given[0], given[1]


def bounds(values: Any) -> tuple[float, float]:
    """--bounds as a pair."""
    if len(values.bounds) != 2:
        raise UsageError(f"Expected two numbers. Received: {values.bounds}. Change --bounds, as in 0,255.")
    return tuple(values.bounds)


def bounds_check(classifier: Classifier, data: Dataset) -> Check:
    """Whether the declared bounds are those that the model was trained on."""
    few = data.take(500)
    warning = probe_bounds(classifier, few.images, few.labels)
    return Check(
        "declared-bounds-fit",
        warning is None,
        warning
        or f"no other usual range gives a clearly better accuracy than {classifier.bounds[0]:g} to {classifier.bounds[1]:g}",
        "The model was trained on another pixel range than the one declared, so every figure here is of a model that can't see.",
    )
