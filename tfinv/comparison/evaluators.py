"""Evaluators and fresh decoders of a comparison, and the measures of its reconstructions."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfinv import models
from tfinv.classifier import Classifier
from tfinv.comparison.defended import is_robust
from tfinv.comparison.nearest import NearestImages
from tfinv.datasets import Dataset
from tfinv.errors import from_flag
from tfinv.evaluation.inversion.decoder_probe import probe_encoder
from tfinv.evaluation.inversion.evaluators import (
    EVALUATORS_SEED,
    check_evaluators,
    check_trainings,
    train_evaluators,
)
from tfinv.evaluation.inversion.reconstruction import TrainingSet, measure
from tfinv.evaluation.inversion.similarity import ssim
from tfinv.evaluation.statistics.measurement import Measurement, Values
from tfinv.inversion import InversionResult
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule

Arrays = dict[str, np.ndarray]

# Seed of the first identifier, as `EVALUATORS_SEED` is of the first evaluator.
_IDENTIFIERS_SEED = 2000


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """An evaluator or identifier before its training.

    Attributes:
      label: its spec; see `train_evaluators`.
      seed: of its training.
      identifies: whether it trains on the held-out images only.
    """

    label: str
    seed: int
    identifies: bool = False

    @property
    def robust(self) -> bool:
        """Whether it is trained to withstand perturbations."""
        ((_, training),) = check_evaluators([self.label])
        return is_robust(training)


@dataclasses.dataclass(frozen=True)
class Evaluators:
    """Evaluators and fresh decoders of a comparison.

    A fresh decoder is a decoder probe, see `decoder_probe`: it is trained anew on the frozen encoder of each model.

    Attributes:
      specs: of the evaluators; see `train_evaluators`.
      schedule: of each evaluator, at the learning rate of its own architecture.
      identifiers: specs of evaluators trained on the held-out images only, for identification; none leaves it out.
      decoder_images: a fresh decoder trains on the first so many training images; None is all, and 0 leaves it out.
      decoder_epochs: of a fresh decoder, at most.

    Raises:
      UserError: an unknown evaluator.
    """

    specs: tuple[str, ...]
    schedule: Schedule
    identifiers: tuple[str, ...] = ()
    decoder_images: int | None = None
    decoder_epochs: int = 50

    def __post_init__(self):
        check_evaluators(self.specs)
        if self.identifiers:
            with from_flag("--identifiers"):
                check_evaluators(self.identifiers)

    def check(self, train: Dataset, test: Dataset) -> None:
        """Raises the errors of their trainings before any has started. The arguments are those of `training_set`."""
        for name, specs, images in (("evaluators", self.specs, train), ("identifiers", self.identifiers, test)):
            if specs:
                with from_flag(f"--{name}"):
                    check_trainings(images, specs, self.schedule)

    def training_set(
        self,
        train: Dataset,
        test: Dataset,
        workdir: Workdir,
        progress: Callable[[str, int], keras.callbacks.Callback] | None = None,
    ) -> TrainingSet:
        """Returns the training set that reconstructions are compared with, and its trained evaluators.

        Args:
          train: the victims' training split.
          test: held-out images.
          workdir: keeps the evaluators.
          progress: returns the callback for the training of the evaluator with this label, on so many images.
        """
        evaluators: dict[str, Classifier] = {}
        identifiers: dict[str, Classifier] = {}
        for member in self.members:
            group = identifiers if member.identifies else evaluators
            callbacks = (progress(member.label, len(test if member.identifies else train)),) if progress else ()
            group.update(self.train(member, train, test, workdir, callbacks))
        return TrainingSet.make(train.images, train.labels, evaluators, identifiers)

    @property
    def members(self) -> list[Evaluator]:
        """All evaluators and identifiers, each with a seed of its own."""
        evaluators = [Evaluator(spec, EVALUATORS_SEED + i) for i, spec in enumerate(self.specs)]
        return evaluators + [Evaluator(spec, _IDENTIFIERS_SEED + i, True) for i, spec in enumerate(self.identifiers)]

    def train(
        self,
        member: Evaluator,
        train: Dataset,
        test: Dataset,
        workdir: Workdir,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> dict[str, Classifier]:
        """Trains one of the members once, and returns it by its name.

        Args:
          member: the evaluator.
          train: the victims' training split.
          test: held-out images.
          workdir: keeps it.
          callbacks: of Keras.
        """
        folder, images = workdir.path / "models" / "evaluators", train
        if member.identifies:
            # Identifiers of other held-out images, such as an earlier run's, are not these.
            folder, images = folder / f"identifiers-{test.digest()[:16]}", test
        return train_evaluators(
            images,
            architectures=(member.label,),
            schedule=self.schedule,
            seed=member.seed,
            workdir=folder,
            callbacks=callbacks,
        )

    def has_decoder(self, model: keras.Model) -> bool:
        """Whether a model gets a fresh decoder: not where the encoding is the image itself."""
        return self.decoder_images != 0 and bool(models.split(model)[0].trainable_weights)

    def decode(self, model: keras.Model, train: Dataset, test: Dataset, seed: int) -> Arrays:
        """Trains a fresh decoder, and returns its reconstructions of the held-out images with their errors."""
        count = self.decoder_images
        probe = probe_encoder(
            model, train.images[:count], train.labels[:count], test.images, epochs=self.decoder_epochs, seed=seed
        )
        return {"images": probe.images, "errors": probe.errors}


def evaluator_accuracies(training_set: TrainingSet, test: Dataset) -> dict[str, float]:
    """Returns the accuracy of each evaluator on unseen real images: the test images, or for identifiers the training images."""
    accuracies = {
        name: evaluator.accuracy(evaluator.from_unit(test.images), test.labels)
        for name, evaluator in training_set.evaluators.items()
    }
    for name, identifier in training_set.identifiers.items():
        accuracies[name] = identifier.accuracy(identifier.from_unit(training_set.images), training_set.labels)
    return accuracies


def evaluators_schedule(victims: Schedule, epochs: int) -> Schedule:
    """Returns the evaluators' schedule: Adam, which fits every architecture, and the victims' batch size and augmentation."""
    return Schedule(epochs=epochs, batch_size=victims.batch_size, augmentation=victims.augmentation)


def to_arrays(result: InversionResult, classifier: Classifier) -> Arrays:
    """Returns the arrays that `measure_reconstructions` takes, and the attacker's `knowledge` as a phrase."""
    return {
        "images": classifier.to_unit(result.images),
        "starts": classifier.to_unit(result.starts),
        "labels": result.labels,
        "confidence": result.confidence,
        "steps": result.steps,
        "queries": result.queries,
        "knowledge": np.array(result.knowledge),
    }


def measure_reconstructions(
    arrays: Arrays, training_set: TrainingSet, keys: dict[str, Any], nearest: NearestImages | None = None
) -> Measurement:
    """Measures reconstructions.

    Beside the measures of `measure` there is "start_acc@1": how often an evaluator sees the class in the attack's start.

    Args:
      arrays: of `to_arrays`; images and starts in [0, 1].
      training_set: the training set, and the evaluators.
      keys: that the rows have in common.
      nearest: the nearest training images, whose measures are added.
    """
    values = {name: arrays[name] for name in ("confidence", "steps")}
    if arrays["queries"].any():
        values["queries"] = arrays["queries"]
    labels = arrays["labels"]
    measurement = measure(arrays["images"], labels, training_set, values, **keys)
    starts = _accuracies("start_acc@1", arrays["starts"], labels, training_set)
    return Measurement(measurement.keys, (*measurement.values, *starts, *(nearest.values() if nearest else ())))


def measure_decoded(arrays: Arrays, test: Dataset, training_set: TrainingSet, keys: dict[str, Any]) -> Measurement:
    """Measures a fresh decoder's images beside the originals.

    Args:
      arrays: of `Evaluators.decode`.
      test: the held-out images.
      training_set: holds the evaluators.
      keys: that the rows have in common.
    """
    images, labels = arrays["images"], test.labels
    values = [Values("relative_error", arrays["errors"], labels)]
    values.append(Values("ssim_to_original", ssim(images, test.images), labels))
    return Measurement(keys, (*values, *_accuracies("acc@1", images, labels, training_set)))


def _accuracies(name: str, images: np.ndarray, labels: np.ndarray, training_set: TrainingSet) -> list[Values]:
    """Whether each evaluator sees the class in each image."""
    return [
        Values(name, evaluator.predict(evaluator.from_unit(images)).argmax(1) == labels, labels, evaluator_name)
        for evaluator_name, evaluator in training_set.evaluators.items()
    ]
