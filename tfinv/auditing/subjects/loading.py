"""Subjects of files, as commands name them, and of objects, as Python has them."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfinv import models, paths
from tfinv.auditing.budget import default_eps
from tfinv.auditing.subjects.sides import Sides
from tfinv.auditing.subjects.subject import Origin, Subject
from tfinv.classifier import Classifier, validation
from tfinv.comparison.membership.pool import Part
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected, from_flag
from tfinv.importing import kinds
from tfinv.importing.loaded import ReadOptions
from tfinv.importing.loading import READERS
from tfinv.importing.probing import Setting
from tfinv.runs.sources import ImageSource, ModelSource

_FRONT_NOISE = 8  # images by whose logits a model without a file is known again


@dataclasses.dataclass(frozen=True)
class Claims:
    """Statements of a user about the training of a model.

    Attributes:
      members: parts of the data set that it was trained on, such as `train`; None for nothing said.
      nonmembers: parts that it was not trained on; None for the split test.
      shadows: folder of a store of shadow models, or None.
    """

    members: tuple[str, ...] | None = None
    nonmembers: tuple[str, ...] | None = None
    shadows: str | None = None

    def __post_init__(self):
        for name in ("members", "nonmembers"):
            for text in getattr(self, name) or ():
                Part.parse(text, f"--{name}")
        if self.members is None and (self.nonmembers or self.shadows):
            flag = "--nonmembers" if self.nonmembers else "--shadows"
            raise expected(f"--members beside {flag}", "none", "Pass --members, such as --members=train.")


def subject_of_files(
    model: ModelSource, images: ImageSource, split: str, claims: Claims, *, eps: float | None = None, **options: Any
) -> tuple[Subject, str]:
    """Loads a subject, but for its training images, members and non-members, which are loaded when they are asked for.

    Args:
      model: its file.
      images: the data set.
      split: of images that the model was not trained on.
      claims: about its training.
      eps: that it is judged by, as a fraction of the range; None for the usual one.
      **options: further fields of the subject.

    Returns:
      The subject, and why it is judged by its eps.

    Raises:
      UserError: model or images can't be loaded, or they don't fit each other.
    """
    classifier = model.load()
    data = images.load(split, None, classifier)
    with from_flag("--dataset or --image_size"):
        classifier.validate(classifier.from_unit(data.take(1).images), data.labels[:1])
    validation.check_labels(data.labels, len(data), classifier.num_classes)
    claims, assumption = _assumed(model, images, claims)
    budget, reason = _eps(data, eps)
    setting = model.setting(classifier)
    contents = {"model": model.digest(), "images": data.digest()}

    def load(part: str, stop: int | None) -> Dataset:
        return images.load(part, stop, classifier)

    def sides() -> Sides | None:
        if claims.members is None:
            return None
        return Sides.of_parts(list(claims.members), list(claims.nonmembers or ("test",)), load)

    subject = Subject(
        classifier,
        data,
        budget,
        contents,
        training=functools.partial(_split, load, "train"),
        assumption=assumption,
        sides=sides,
        shadows=claims.shadows,
        origin=Origin(model, images, split),
        setting=setting,
        bare=None if setting == Setting(classifier.bounds) else functools.partial(model.load_bare, classifier.bounds),
        model=functools.partial(_keras_model, model),
        **options,
    )
    return subject, reason


def subject_of_objects(
    model: keras.Model | Classifier,
    data: Dataset,
    *,
    training: Dataset | None = None,
    nonmembers: Dataset | None = None,
    eps: float | None = None,
    **options: Any,
) -> tuple[Subject, str]:
    """Makes a subject of a model and images in memory.

    Args:
      model: a Keras model, or a classifier.
      data: labelled images that it was not trained on.
      training: images that it was trained on; None where they are not known.
      nonmembers: images that it was not trained on, beside the training images; None for `data`.
      eps: that it is judged by, as a fraction of the range; None for the usual one.
      **options: further fields of the subject.

    Returns:
      The subject, and why it is judged by its eps.

    Raises:
      UserError: model and images don't fit each other.
    """
    network = model if isinstance(model, keras.Model) else None
    classifier = Classifier.from_keras(model) if isinstance(model, keras.Model) else model
    classifier.validate(classifier.from_unit(data.take(1).images), data.labels[:1])
    validation.check_labels(data.labels, len(data), classifier.num_classes)
    budget, reason = _eps(data, eps)
    contents = {"model": _object_digest(classifier, network), "images": data.digest()}
    if training is not None:
        contents["members"] = training.digest()
        # An image is known by its split and row, and parts of one split have other rows than it.
        training = dataclasses.replace(training, split="members")
    if nonmembers is not None:
        contents["nonmembers"] = nonmembers.digest()
        nonmembers = dataclasses.replace(nonmembers, split="nonmembers")

    def sides() -> Sides | None:
        return None if training is None else Sides.of_datasets(training, data if nonmembers is None else nonmembers)

    subject = Subject(
        classifier,
        data,
        budget,
        contents,
        training=lambda: training,
        assumption="" if training is None else "the caller says that the model was trained on these images",
        sides=sides,
        model=None if network is None else lambda: network,
        **options,
    )
    return subject, reason


def as_dataset(data: Any, name: str = "images", split: str = "test") -> Dataset:
    """Returns a data set as it is, or one of images and labels: ((n, H, W, C), (n,)), uint8 or float32 in [0, 1].

    Raises:
      UserError: it is neither.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        received = type(data).__name__
        raise expected("a Dataset, the name or folder of one, or (images, labels)", received, "Change `data`.")
    pixels, labels = np.asarray(data[0]), np.asarray(data[1])
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        received = f"{labels.dtype} of shape {labels.shape}"
        raise expected("labels as whole numbers of shape (n,)", received, "Change `data`.")
    names = tuple(str(k) for k in range(int(labels.max()) + 1))
    return Dataset(name, split, pixels, labels, names)


def _eps(data: Dataset, eps: float | None) -> tuple[float, str]:
    if eps is None:
        return default_eps(data)
    if not 0 < eps <= 1:
        raise expected("an eps above 0 and of at most 1, a fraction of the range", eps, "Change --eps, as in 8/255.")
    return eps, f"{eps:.4g}, as given"


def _assumed(model: ModelSource, images: ImageSource, claims: Claims) -> tuple[Claims, str]:
    """The claims, or those of a pretrained model's card; and how they are known."""
    if claims.members is not None:
        inside, outside = ", ".join(claims.members), ", ".join(claims.nonmembers or ("test",))
        return claims, f"the user says that the model was trained on {inside} of {images.name}, and not on {outside}"
    if model.pretrained is not None and models.card(model.pretrained).dataset == images.name:
        claims = dataclasses.replace(claims, members=("train",))
        return claims, f"the model's card says that it was trained on the training split of {images.name}"
    return claims, ""


def _split(load: Callable[[str, int | None], Dataset], split: str) -> Dataset | None:
    try:
        return load(split, None)
    except UserError:
        return None


def _keras_model(source: ModelSource) -> keras.Model | None:
    """The Keras model of a file, or None for another kind of file."""
    arguments = source.arguments
    objects: Any = arguments.get("custom_objects") or {}
    if isinstance(objects, str):
        from tfinv.importing.custom_objects import objects_of

        objects = objects_of(objects)
    options = ReadOptions(bool(arguments.get("allow_unsafe_deserialization")), dict(objects))
    with source.file() as name:
        path = paths.expand(name)
        kind = kinds.kind_of(path)
        return READERS[kind](path, options).model if kind in ("keras", "hdf5", "keras_folder") else None


def _object_digest(classifier: Classifier, network: keras.Model | None) -> str:
    """Digest of a model in memory: of its configuration and weights, or of its logits for noise."""
    sha256 = hashlib.sha256(repr((classifier.bounds, classifier.notes)).encode())
    if network is None:
        noise = np.random.default_rng(0).uniform(size=(_FRONT_NOISE, *classifier.input_shape))
        sha256.update(np.round(classifier.predict(classifier.from_unit(noise)), 3).tobytes())
    else:
        sha256.update(json.dumps(network.get_config(), sort_keys=True, default=str).encode())
        for array in network.get_weights():
            sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()


def texts(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns one text or several as a tuple; None for none."""
    return None if value is None else (value,) if isinstance(value, str) else tuple(value)
