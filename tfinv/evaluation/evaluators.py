"""Evaluators: classifiers of other architectures and seeds than the victim's, which judge what a reconstruction shows."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import keras

from tfinv import files, models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training.adversarial import Adversarial
from tfinv.training.base import Plan
from tfinv.training.fit import fit
from tfinv.training.rates import default_rate


class Trainer(Protocol):
    """Something that trains a plain Keras classifier."""

    def __call__(
        self, model: keras.Model, dataset: Dataset, *, learning_rate: float, epochs: int, batch_size: int, seed: int
    ) -> None:
        """Trains the model in place, from [0, 1] images to logits."""


def usual(
    model: keras.Model, dataset: Dataset, *, learning_rate: float, epochs: int, batch_size: int, seed: int
) -> None:
    """Cross-entropy on the images as they are."""
    model.compile(keras.optimizers.Adam(learning_rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, dataset, epochs=epochs, batch_size=batch_size, seed=seed)


def adversarial(
    model: keras.Model, dataset: Dataset, *, learning_rate: float, epochs: int, batch_size: int, seed: int
) -> None:
    """PGD adversarial training in L-inf with eps 8/255 (Madry et al. 2018)."""
    plan = Plan(model, dataset, epochs, min(batch_size, len(dataset)), seed)
    training = Adversarial().training(plan)
    training.compile(keras.optimizers.Adam(learning_rate))
    fit(training, dataset, epochs=epochs, batch_size=batch_size, seed=seed)


TRAINERS: dict[str, Trainer] = {"usual": usual, "adversarial": adversarial}


def check_evaluators(specs: Sequence[str], trainers: Mapping[str, Trainer] = TRAINERS) -> list[tuple[str, str]]:
    """(architecture, training) of each spec.

    Args:
      specs: `architecture` or `architecture+training`, such as `cnn`, `resnet(depth=8)` and `cnn+adversarial`.
      trainers: by name.

    Raises:
      UserError: there is no such architecture or training, or an architecture without such arguments.
    """
    found = []
    for spec in specs:
        architecture, _, training = spec.partition("+")
        architecture = models.normal(architecture, "Change --evaluators.")
        if training and training not in trainers:
            raise expected(
                f"an evaluator as ARCHITECTURE or ARCHITECTURE+TRAINING, of the trainings {', '.join(trainers)}",
                repr(spec),
                "Change --evaluators.",
            )
        found.append((architecture, training or "usual"))
    return found


def train_evaluators(
    dataset: Dataset,
    *,
    architectures: Sequence[str],
    epochs: int,
    batch_size: int = 128,
    seed: int = 1000,
    workdir: str | os.PathLike | None = None,
    trainers: Mapping[str, Trainer] = TRAINERS,
) -> dict[str, Classifier]:
    """Trains one evaluator a spec.

    One evaluator has false positives: adversarial examples of the victim transfer. Take three or more, of architectures that are
    not the victim's, and train one of them adversarially, since what convinces that one tends to look like the class.

    Args:
      dataset: the victim's training split; for identification, photographs that the victim never saw.
      architectures: specs as in `check_evaluators`; none should be the victim's alone.
      epochs: of each.
      batch_size: of each.
      seed: of the first; the others follow. It must not be a victim's.
      workdir: keeps the trained evaluators, which are then not trained again; None keeps nothing.
      trainers: what the word after the + means.

    Returns:
      Classifiers by name, such as "mlp-1000" and "cnn+adversarial-1001".

    Raises:
      UserError: see `check_evaluators`.
    """
    found = {}
    for i, (spec, (architecture, training)) in enumerate(
        zip(architectures, check_evaluators(architectures, trainers), strict=True)
    ):
        name = f"{spec}-{seed + i}"
        path = None if workdir is None else pathlib.Path(workdir) / f"{name}.keras"
        if path is not None and path.exists():
            model = keras.models.load_model(path)
        else:
            keras.utils.set_random_seed(seed + i)
            model = models.build(architecture, dataset.image_shape, dataset.num_classes)
            trainers[training](
                model,
                dataset,
                learning_rate=default_rate(architecture, dataset.image_shape),
                epochs=epochs,
                batch_size=batch_size,
                seed=seed + i,
            )
            if path is not None:
                with files.atomic_path(path) as temporary:
                    model.save(temporary)
        found[name] = Classifier.from_keras(model)
    return found
