"""The model under test and its images, which `attack`, `evaluate` and `invert` take, and the attacker knowledge of an inversion."""

import contextlib
import functools
import pathlib
from collections.abc import Iterable
from typing import Any

import tfinv
from tfinv import files, models
from tfinv.classifier import Classifier, validation
from tfinv.comparison.attackers import load_auxiliary
from tfinv.datasets import Dataset
from tfinv.errors import UsageError, from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion.provenance import without_copies
from tfinv.evaluation.robustness.clean_checks import Classes, clean_checks
from tfinv.evaluation.robustness.plan import named_attacks
from tfinv.importing import probe_preprocessing
from tfinv.importing.custom_objects import objects_of
from tfinv.importing.probing import PROBED, Setting
from tfinv.inversion import Knowledge
from tfinv.labels import read_class_names
from tfinv_cli.common import surrogate, target_images

_PRETRAINED = "pretrained:"


def load(values: Any) -> tuple[Classifier, Dataset]:
    """The classifier and the images of the common flags.

    Raises:
      UserError: either can't be loaded, or they do not fit each other.
    """
    classifier = load_model(values)
    data = images(values, values.split, limit=values.limit, classifier=classifier)
    check_images(classifier, data)
    return classifier.with_gradients(getattr(values, "gradients", "plain")), data


def check_images(classifier: Classifier, data: Dataset) -> None:
    """Raises UserError unless images and labels fit the classifier."""
    with from_flag("--dataset or --image_size"):
        classifier.validate(classifier.from_unit(data.take(1).images), data.labels[:1])
    validation.check_labels(data.labels, len(data), classifier.num_classes)


def load_model(values: Any, **changes: Any) -> Classifier:
    """The classifier of the common flags, with some arguments of `load_classifier` changed.

    Raises:
      UserError: see `load_classifier`.
    """
    arguments = {
        "bounds": bounds(values),
        "outputs": values.outputs,
        "output": values.output,
        "threshold": values.threshold,
        "image_size": image_size(values.image_size),
        "preprocessing": values.preprocessing,
        "channels": values.channels,
        "class_names": values.class_names and read_class_names(values.class_names),
        "custom_objects": values.custom_objects and objects_of(values.custom_objects),
        "allow_unsafe_deserialization": values.allow_unsafe_deserialization,
    }
    with _file(values.model) as path:
        return tfinv.load_classifier(path, **(arguments | changes))


def digests(values: Any, data: Dataset) -> dict[str, str]:
    """Digests of the files that the flags name, and of the images: results on disk are of these and of no others.

    Raises:
      UserError: see `named_attacks`.
    """
    contents = {"model_contents": model_digest(values.model), "images_contents": data.digest()}
    return contents | surrogate_digests(surrogate.attack_forms(values))


def model_digest(model: str) -> str:
    """Digest of the file or folder of a model, or of a pretrained one."""
    with _file(model) as path:
        return files.digest(path)


def surrogate_digests(attacks: Iterable[str]) -> dict[str, str]:
    """Digests of the models that attacks read.

    Raises:
      UserError: see `named_attacks`.
    """
    return {f"{path}_contents": files.digest(path) for _, attack in named_attacks(attacks) for path in attack.files}


def _file(model: str) -> contextlib.AbstractContextManager[str | pathlib.Path]:
    """Context with the path of --model: of a pretrained model, or as given; a file of such a name is written ./pretrained:..."""
    if model.startswith(_PRETRAINED):
        return models.pretrained_file(model.removeprefix(_PRETRAINED))
    return contextlib.nullcontext(model)


def images(values: Any, split: str, limit: int | None = None, classifier: Classifier | None = None) -> Dataset:
    """A split of --dataset at --image_size, fitted to the classifier."""
    return target_images.load_images(values, split, limit, image_size(values.image_size), classifier)


def knowledge(values: Any, data: Dataset, train: Dataset) -> Knowledge:
    """Attacker knowledge of `invert`: --auxiliary, or else the held-out images with their labels; no training images among them.

    Raises:
      UserError: see `load_auxiliary`.
    """
    held_out = values.auxiliary is None
    images = data if held_out else load_auxiliary(values.auxiliary, data, values.data_dir, values.auxiliary_limit)
    images = without_copies(images, train)
    source = f"{'held-out ' * held_out}images of {images.name}"
    return Knowledge(images.images, images.labels if held_out else None, source=source)


def image_size(size: list[int] | None) -> tuple[int, int] | None:
    """--image_size as a pair, or None."""
    if size is None:
        return None
    if len(size) != 2 or min(size) < 1:
        raise UsageError(f"Expected a height and a width. Received: {size}. Change --image_size, as in 56,46.")
    return size[0], size[1]


def bounds(values: Any) -> tuple[float, float] | None:
    """--bounds as a pair, or None."""
    if values.bounds is None:
        return None
    if len(values.bounds) != 2:
        raise UsageError(f"Expected two numbers. Received: {values.bounds}. Change --bounds, as in 0,255.")
    return tuple(values.bounds)


def clean_accuracy(values: Any, classifier: Classifier, data: Dataset) -> list[Check]:
    """Checks that the model sees the images as its training did, and knows their classes; those that fail are said at once.

    They take the first 500 images of the split, whatever --limit says.

    Args:
      values: the flags.
      classifier: of `load`.
      data: of `load`.
    """
    few = data.take(PROBED)
    if values.limit is not None and len(data) == values.limit < PROBED:
        few = images(values, values.split, limit=PROBED, classifier=classifier)
    declared = Setting(classifier.bounds, values.channels, values.preprocessing)
    changed = declared != Setting(classifier.bounds)
    bare = functools.partial(load_model, values, bounds=classifier.bounds, channels="rgb", preprocessing="none")
    probe = probe_preprocessing(classifier, few.images, few.labels, declared=declared, bare=bare if changed else None)
    classes = Classes(classifier.num_classes, few.class_names, classifier.class_names)
    checks = clean_checks(probe, classes)
    for check in checks:
        if check.passed is False:
            print(f"{check.name} fails: {check.evidence}", flush=True)
    return checks
