"""The model under test and its images, which `attack`, `evaluate` and `invert` take, and the attacker knowledge of an inversion."""

import functools
from collections.abc import Iterable
from typing import Any

from tfinv import files
from tfinv.classifier import Classifier, validation
from tfinv.comparison.attackers import load_auxiliary
from tfinv.datasets import Dataset
from tfinv.errors import from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion.provenance import without_copies
from tfinv.evaluation.robustness.clean_checks import probed_checks
from tfinv.evaluation.robustness.plan import named_attacks
from tfinv.importing.probing import PROBED, Setting
from tfinv.inversion import Knowledge
from tfinv.runs.sources import ImageSource, ModelSource
from tfinv_cli.common import surrogate
from tfinv_cli.common.early import bounds, image_size


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


def model_source(values: Any) -> ModelSource:
    """The model of the common flags, before it is loaded."""
    arguments = {
        "bounds": bounds(values),
        "outputs": values.outputs,
        "output": values.output,
        "threshold": values.threshold,
        "image_size": image_size(values.image_size),
        "preprocessing": values.preprocessing,
        "channels": values.channels,
        "class_names": values.class_names or None,
        "custom_objects": values.custom_objects or None,
        "allow_unsafe_deserialization": values.allow_unsafe_deserialization,
    }
    return ModelSource(values.model, arguments)


def image_source(values: Any) -> ImageSource:
    """The data set of the common flags, before it is loaded."""
    resize, named = getattr(values, "resize", None), bool(getattr(values, "class_names", None))
    return ImageSource(values.dataset, values.data_dir, image_size(values.image_size), resize, named)


def load_model(values: Any, **changes: Any) -> Classifier:
    """The classifier of the common flags, with some arguments of `load_classifier` changed.

    Raises:
      UserError: see `load_classifier`.
    """
    return model_source(values).load(**changes)


def digests(values: Any, data: Dataset) -> dict[str, str]:
    """Digests of the files that the flags name, and of the images: results on disk are of these and of no others.

    Raises:
      UserError: see `named_attacks`.
    """
    contents = {"model_contents": model_digest(values.model), "images_contents": data.digest()}
    return contents | surrogate_digests(surrogate.attack_forms(values))


def model_digest(model: str) -> str:
    """Digest of the file or folder of a model, or of a pretrained one."""
    return ModelSource(model).digest()


def surrogate_digests(attacks: Iterable[str]) -> dict[str, str]:
    """Digests of the models that attacks read.

    Raises:
      UserError: see `named_attacks`.
    """
    return {f"{path}_contents": files.digest(path) for _, attack in named_attacks(attacks) for path in attack.files}


def images(values: Any, split: str, limit: int | None = None, classifier: Classifier | None = None) -> Dataset:
    """A split of --dataset at --image_size, fitted to the classifier."""
    return image_source(values).load(split, limit, classifier)


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
    source = model_source(values)
    declared = source.setting(classifier)
    bare = None if declared == Setting(classifier.bounds) else functools.partial(source.load_bare, classifier.bounds)
    checks = probed_checks(classifier, few, declared, bare)
    for check in checks:
        if check.passed is False:
            print(f"{check.name} fails: {check.evidence}", flush=True)
    return checks
