"""`audit`: one model, every question, from Python."""

import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfinv import paths
from tfinv.auditing.policy import load_policy
from tfinv.auditing.report import AuditReport
from tfinv.auditing.running import Settings, run
from tfinv.auditing.subjects.loading import Claims, as_dataset, subject_of_files, subject_of_objects, texts
from tfinv.auditing.subjects.subject import Subject
from tfinv.catalogue import QUESTIONS
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.runs.cluster import Cluster
from tfinv.runs.sources import ImageSource, ModelSource

_PATH = (str, os.PathLike)
_FILES_ONLY = ("data_dir", "image_size", "resize", "shadows")


def audit(
    model: str | os.PathLike | keras.Model | Classifier,
    data: Any,
    *,
    members: Any = None,
    nonmembers: Any = None,
    split: str = "test",
    budget: str = "quick",
    questions: Sequence[str] = QUESTIONS,
    policy: str | os.PathLike | None = None,
    fail_on: Sequence[str] = (),
    eps: float | None = None,
    workdir: str | os.PathLike | None = None,
    resume: bool = True,
    yes: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    seed: int = 0,
    batch_size: int = 128,
    progress: Callable[[str], None] = print,
    **options: Any,
) -> AuditReport:
    """Audits an image classifier: accuracy, calibration, corruptions, robustness, inversion, and membership inference.

    Each question has its checks, and what fails them gets no grade. Everything is written into a folder: results.json,
    report.html, the table of images, and files for pipelines. Killed and called again with the same folder, it goes on.

    Args:
      model: path of a file, `pretrained:NAME`, a Keras model, or a `Classifier`.
      data: images that the model was not trained on: a name or a folder of `tfinv.datasets.load`, a `Dataset`, or
        (images, labels), (n, H, W, C) uint8 or float32 in [0, 1] and (n,).
      members: images that it was trained on; without them nobody asks about membership. With a data set by name its parts,
        such as "train" or "train[:1000]"; else a `Dataset` or (images, labels).
      nonmembers: likewise, images that it was not trained on; None for the split test, or for `data`.
      split: of a data set by name.
      budget: "quick", "standard" or "thorough".
      questions: those to ask.
      policy: path of a TOML file of rules; None for the default one.
      fail_on: names of rules whose failure is listed in the report's `gates`.
      eps: L-inf budget that robustness is judged by, as a fraction of the range; None for the usual one of such images.
      workdir: folder for everything; None for a new temporary one.
      resume: whether the folder may hold a part of the same audit.
      yes: whether it may take more than an hour.
      workers: processes of this machine that share the attacks of a model in a file.
      scheduler: of a Dask cluster, in place of them.
      seed: of everything random.
      batch_size: images in one compiled call.
      progress: is told a line as each part starts.
      **options: of `load_classifier` for a model in a file, such as preprocessing="caffe"; and, for a data set by name, data_dir,
        image_size, resize, and shadows, a folder that `tfinv shadows` has filled.

    Returns:
      The report, which a notebook shows.

    Raises:
      UserError: model or data can't be loaded or don't fit each other, the folder belongs to another audit, or it would take more
        than an hour and `yes` is false.
    """
    rules = load_policy(policy)
    cluster = Cluster(workers, scheduler)
    common: dict[str, Any] = {
        "cluster": cluster,
        "seed": seed,
        "batch_size": batch_size,
        "progress": progress,
        "eps": eps,
    }
    about: dict[str, Any] = {"model": _name(model), "dataset": _name(data), "split": split}
    subject: Subject
    if isinstance(model, _PATH) and isinstance(data, _PATH):
        files = {name: options.pop(name) for name in _FILES_ONLY if name in options}
        claims = Claims(texts(members), texts(nonmembers), files.pop("shadows", None))
        source = ModelSource(os.fspath(model), _of_model(files, options))
        images = ImageSource(os.fspath(data), named="class_names" in options, **files)
        about |= {"members": claims.members, "nonmembers": claims.nonmembers, "shadows": claims.shadows}
        about |= {name: str(value) for name, value in {**files, **options}.items()}
        subject, reason = subject_of_files(source, images, split, claims, **common)
    else:
        classifier = ModelSource(os.fspath(model), options).load() if isinstance(model, _PATH) else model
        if options and not isinstance(model, _PATH):
            raise expected(
                "options of load_classifier with a path", ", ".join(options), "Pass a Classifier made with them."
            )
        held_out = (
            ImageSource(os.fspath(data)).load(split, None, _classifier(classifier)) if isinstance(data, _PATH) else data
        )
        training, others = (
            None if part is None else as_dataset(part, split=name)
            for part, name in ((members, "train"), (nonmembers, "others"))
        )
        subject, reason = subject_of_objects(
            classifier, as_dataset(held_out), training=training, nonmembers=others, **common
        )
    folder = paths.expand(workdir) if workdir is not None else pathlib.Path(tempfile.mkdtemp(prefix="tfinv-audit-"))
    settings = Settings(budget, tuple(questions), rules, tuple(fail_on), reason, about)
    return run(subject, settings, folder, resume=resume, agree=None if yes else lambda _: False)


def _of_model(files: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Options of `load_classifier`; the size of the images is one of them, too."""
    return {**options, "image_size": files["image_size"]} if "image_size" in files else options


def _classifier(model: keras.Model | Classifier) -> Classifier:
    return Classifier.from_keras(model) if isinstance(model, keras.Model) else model


def _name(value: Any) -> str:
    """A model or data set as the configuration shows it."""
    if isinstance(value, _PATH):
        return os.fspath(value)
    if isinstance(value, (Dataset, keras.Model)):
        return str(value.name)
    return type(value).__name__
