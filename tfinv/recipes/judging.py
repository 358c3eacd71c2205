"""Who judges the reconstructions of a comparison, and by what."""

import dataclasses
from typing import Any

import keras
import numpy as np

from tfinv import models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import from_flag
from tfinv.evaluation.decoder_probe import probe_encoder
from tfinv.evaluation.evaluators import JUDGES_SEED, check_evaluators, check_trainings, train_evaluators
from tfinv.evaluation.measurement import Measurement, Values
from tfinv.evaluation.reconstruction import TrainingSet, measure
from tfinv.evaluation.similarity import ssim
from tfinv.inversion import InversionResult
from tfinv.recipes.defended import is_robust
from tfinv.recipes.nearest import Nearest
from tfinv.recipes.workdir import Workdir
from tfinv.training.schedule import Schedule

Found = dict[str, np.ndarray]

# Of the first identifier, as `JUDGES_SEED` is of the first evaluator.
_IDENTIFIERS_SEED = 2000


@dataclasses.dataclass(frozen=True)
class Judge:
    """An evaluator or identifier.

    Attributes:
      label: its spec; see `train_evaluators`.
      seed: of its training.
      identifies: whether it learns from the held-out images alone.
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
class Judging:
    """Evaluators and fresh decoders.

    Attributes:
      evaluators: specs of `train_evaluators`.
      schedule: of each evaluator, at the rate of its own architecture.
      least: accuracy that each evaluator should have on real images that it did not see.
      identifiers: specs of evaluators trained on the held-out images alone, for identification; none leaves it out.
      decoder_images: a fresh decoder trains on the first so many training images; None is all, and 0 leaves it out.
      decoder_epochs: of a fresh decoder, at most.

    Raises:
      UserError: an unknown evaluator.
    """

    evaluators: tuple[str, ...]
    schedule: Schedule
    least: float = 0.9
    identifiers: tuple[str, ...] = ()
    decoder_images: int | None = None
    decoder_epochs: int = 50

    def __post_init__(self):
        check_evaluators(self.evaluators)
        if self.identifiers:
            with from_flag("--identifiers"):
                check_evaluators(self.identifiers)

    def check(self, train: Dataset, test: Dataset) -> None:
        """Raises what a training of theirs would, before any has begun. The arguments are those of `judges`."""
        for name, specs, images in (("evaluators", self.evaluators, train), ("identifiers", self.identifiers, test)):
            if specs:
                with from_flag(f"--{name}"):
                    check_trainings(images, specs, self.schedule)

    def judges(self, train: Dataset, test: Dataset, workdir: Workdir) -> TrainingSet:
        """What reconstructions are judged against.

        Args:
          train: the victims' training split.
          test: held-out images.
          workdir: keeps the evaluators.
        """
        judges: dict[str, Classifier] = {}
        identifiers: dict[str, Classifier] = {}
        for judge in self.each:
            (identifiers if judge.identifies else judges).update(self.train(judge, train, test, workdir))
        return TrainingSet.make(train.images, train.labels, judges, identifiers)

    @property
    def each(self) -> list[Judge]:
        """All of them, each with a seed of its own."""
        judges = [Judge(spec, JUDGES_SEED + i) for i, spec in enumerate(self.evaluators)]
        return judges + [Judge(spec, _IDENTIFIERS_SEED + i, True) for i, spec in enumerate(self.identifiers)]

    def train(self, judge: Judge, train: Dataset, test: Dataset, workdir: Workdir) -> dict[str, Classifier]:
        """One of `each` by its name, trained once.

        Args:
          judge: which.
          train: the victims' training split.
          test: held-out images.
          workdir: keeps it.
        """
        folder, images = workdir.path / "models" / "evaluators", train
        if judge.identifies:
            # Of these images, whatever a run before this one held out.
            folder, images = folder / f"identifiers-{test.digest()[:16]}", test
        return train_evaluators(
            images, architectures=(judge.label,), schedule=self.schedule, seed=judge.seed, workdir=folder
        )

    def has_decoder(self, model: keras.Model) -> bool:
        """Whether there is an encoder to decode: not where the encoding is the image itself."""
        return self.decoder_images != 0 and bool(models.split(model)[0].trainable_weights)

    def decode(self, model: keras.Model, train: Dataset, test: Dataset, seed: int) -> Found:
        """What a fresh decoder makes of the held-out images, and its errors."""
        count = self.decoder_images
        probe = probe_encoder(
            model, train.images[:count], train.labels[:count], test.images, epochs=self.decoder_epochs, seed=seed
        )
        return {"images": probe.images, "errors": probe.errors}


def accuracies_of(against: TrainingSet, test: Dataset) -> dict[str, float]:
    """Each judge's accuracy on real images that it did not see: of those who saw the held-out ones alone, on the others."""
    found = {
        name: judge.accuracy(judge.from_unit(test.images), test.labels) for name, judge in against.evaluators.items()
    }
    for name, judge in against.identifiers.items():
        found[name] = judge.accuracy(judge.from_unit(against.images), against.labels)
    return found


def evaluators_schedule(victims: Schedule, epochs: int) -> Schedule:
    """How evaluators are optimised beside such victims: with Adam, which fits every architecture, on images augmented alike."""
    return Schedule(epochs=epochs, batch_size=victims.batch_size, augmentation=victims.augmentation)


def arrays_of(found: InversionResult, classifier: Classifier) -> Found:
    """What `measure_found` takes, and what it was made from: a phrase, `knowledge`."""
    return {
        "images": classifier.to_unit(found.images),
        "starts": classifier.to_unit(found.starts),
        "labels": found.labels,
        "confidence": found.confidence,
        "steps": found.steps,
        "queries": found.queries,
        "knowledge": np.array(found.knowledge),
    }


def measure_found(
    found: Found, against: TrainingSet, keys: dict[str, Any], nearest: Nearest | None = None
) -> Measurement:
    """The measures of reconstructions: images and starts in [0, 1], labels, confidence, steps, queries.

    Beside those of `measure`, "start_acc@1": how often an evaluator sees the class in what the attack began with.

    Args:
      found: the arrays.
      against: the training set, and the evaluators.
      keys: that the rows have in common.
      nearest: adds its own.
    """
    also = {name: found[name] for name in ("confidence", "steps")}
    if found["queries"].any():
        also["queries"] = found["queries"]
    labels, measured = found["labels"], measure(found["images"], found["labels"], against, also, **keys)
    begun = [
        Values("start_acc@1", judge.predict(judge.from_unit(found["starts"])).argmax(1) == labels, labels, name)
        for name, judge in against.evaluators.items()
    ]
    return Measurement(measured.keys, (*measured.values, *begun, *(nearest.values() if nearest else ())))


def measure_decoded(found: Found, test: Dataset, against: TrainingSet, keys: dict[str, Any]) -> Measurement:
    """The measures of what `Judging.decode` found, beside the images themselves.

    Args:
      found: its arrays.
      test: the held-out images.
      against: the evaluators.
      keys: that the rows have in common.
    """
    images, labels = found["images"], test.labels
    values = [Values("relative_error", found["errors"], labels)]
    values.append(Values("ssim_to_original", ssim(images, test.images), labels))
    for name, judge in against.evaluators.items():
        values.append(Values("acc@1", judge.predict(judge.from_unit(images)).argmax(1) == labels, labels, name))
    return Measurement(keys, tuple(values))
