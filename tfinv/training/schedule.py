"""`Schedule`: how a network is optimised, whatever recipe it is trained with. Its defaults are known without TensorFlow."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from tfinv.catalogue import OPTIMIZERS, PRECISIONS, RATE_SCHEDULES
from tfinv.errors import expected, from_flag

if TYPE_CHECKING:
    import keras

    from tfinv.datasets import Dataset
    from tfinv.training.base import ClassifierTraining

_CHOICES = {
    "optimizer": OPTIMIZERS,
    "rate_schedule": RATE_SCHEDULES,
    "precision": PRECISIONS,
}


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Optimisation of a network: architecture, optimizer, learning rate, regularisation, and validation.

    Attributes:
      architecture: as `tfinv.models.build` takes it.
      epochs: passes over the training set.
      batch_size: examples a step.
      learning_rate: its peak; None is `default_rate` for "adam" and `sgd_rate` for "sgd".
      optimizer: "adam", or "sgd" with Nesterov momentum of .9.
      rate_schedule: of the learning rate: "cosine", "cyclic", "piecewise" or "constant"; see `rates.rate_schedule`.
      warmup: fraction of the training in which the rate rises, for "cosine" (None: 0) and "cyclic" (None: .5).
      weight_decay: L2 in the gradient with "sgd", decoupled with "adam"; see `optimizers.make_optimizer`.
      augmentation: "none", "crop", "crop_flip", or with another padding, "crop(padding=2)"; see `tfinv.training.augmentation`.
      label_smoothing: fraction of each target that is spread evenly over all classes.
      ema: momentum of the moving average of the weights, which is exported in place of the last ones, such as .999; 0 for none.
      precision: "float32", or "mixed_bfloat16" for layers that compute in half precision; the exported model is float32.
      validation: number of images at the end of the training set that are held out, to choose the epoch that is exported.
      validation_attack: attack for the robust accuracy on them, as `tfinv.attacks.attack` takes it; None is PGD of 10 steps
        with eps and norm of the recipe, if it has them.
      validation_every: epochs from one measurement to the next.

    Raises:
      UserError: a value is out of range, or two of them exclude each other.
    """

    architecture: str = "cnn"
    epochs: int = 2
    batch_size: int = 128
    learning_rate: float | None = None
    optimizer: str = "adam"
    rate_schedule: str = "cosine"
    warmup: float | None = None
    weight_decay: float = 0.0
    augmentation: str = "none"
    label_smoothing: float = 0.0
    ema: float = 0.0
    precision: str = "float32"
    validation: int = 0
    validation_attack: str | None = None
    validation_every: int = 1

    def __post_init__(self):
        from tfinv import attacks, models
        from tfinv.training.augmentation import augmentation

        models.canonical(self.architecture)
        augmentation(self.augmentation)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise _invalid(name, f"among {', '.join(choices)}", repr(getattr(self, name)))
        for name in ("epochs", "batch_size", "validation_every"):
            self._check(name, 1, math.inf)
        self._check("validation", 0, math.inf)
        self._check("weight_decay", 0.0, math.inf)
        for name in ("label_smoothing", "ema", "warmup"):
            self._check(name, 0.0, 1.0)
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise _invalid("learning_rate", "above 0", self.learning_rate)
        if self.warmup is not None and self.rate_schedule not in ("cosine", "cyclic"):
            raise _invalid("rate_schedule", "among cosine, cyclic with a warm-up", repr(self.rate_schedule))
        if self.validation_attack is not None:
            with from_flag("--validation_attack"):
                attacks.attack(self.validation_attack).check_files()
            if not self.validation:
                raise _invalid("validation", "above 0 for an attack to measure on", 0)
        if self.validation_every != 1 and not self.validation:
            raise _invalid("validation", f"above 0 to be measured every {self.validation_every} epochs", 0)

    @property
    def network_name(self) -> str:
        """Name of the network in files and reports."""
        from tfinv import models

        return models.canonical(self.architecture)

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the images that the network takes."""
        return 0.0, 1.0

    def network(self, train: Dataset, seed: int) -> keras.Model:
        """Returns the network with the weights that its training begins with; seed Keras, which draws them, before.

        Args:
          train: the training images.
          seed: of weights that are drawn by another generator than Keras's.

        Raises:
          UserError: it does not fit the images.
        """
        from tfinv import models
        from tfinv.training.precision import policy

        with policy(self.precision):
            return models.build(self.architecture, train.image_shape, train.num_classes)

    def _check(self, name: str, low: float, high: float) -> None:
        """Refuses a field outside [low, high)."""
        value = getattr(self, name)
        if value is None or low <= value < high:
            return
        raise _invalid(name, f"of at least {low:g}" + ("" if math.isinf(high) else f" and below {high:g}"), value)

    def split(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        """Splits off the last `validation` images.

        Returns:
          The images to train on, and the held-out ones; None if `validation` is 0.

        Raises:
          UserError: too few images, or a class without images, would be left to train on.
        """
        train_size = len(dataset) - self.validation
        if not self.validation:
            return dataset, None
        if train_size < 1:
            raise _invalid("validation", f"below the {len(dataset)} training images", self.validation)
        classes = [len(np.unique(labels)) for labels in (dataset.labels, dataset.labels[:train_size])]
        if classes[1] < classes[0]:
            raise _invalid(
                "validation", f"that leaves images of all {classes[0]} classes", f"{classes[1]} classes left"
            )
        return dataset.take(train_size), dataset.subset(np.arange(train_size, len(dataset)))

    def compile(self, training: ClassifierTraining, image_shape: tuple[int, ...], steps: int) -> None:
        """Gives a training model its optimizer, augmentation and label smoothing.

        Args:
          training: not yet compiled.
          image_shape: (H, W, C).
          steps: total number of updates of the weights.
        """
        from tfinv.training.augmentation import augmentation
        from tfinv.training.rates import default_rate, sgd_rate

        network = training.classifier
        default = default_rate(self.architecture, image_shape) if self.optimizer == "adam" else sgd_rate(network)
        training.augmentation = augmentation(self.augmentation)
        training.label_smoothing = self.label_smoothing
        training.compile(self.make_optimizer(self.learning_rate or default, steps, network))

    def make_optimizer(self, rate: float, steps: int, network: keras.Model) -> keras.optimizers.Optimizer:
        """Returns the optimizer of a network, with the peak of its learning rate and the number of steps."""
        from tfinv.training.optimizers import make_optimizer
        from tfinv.training.rates import rate_schedule

        return make_optimizer(
            self.optimizer,
            rate_schedule(self.rate_schedule, rate, steps, self.warmup),
            weight_decay=self.weight_decay,
            ema=self.ema,
            statistics=network.non_trainable_weights,
        )


def _invalid(name: str, expectation: str, received: object):
    return expected(f"{name} {expectation}", received, f"Change --{name}.")
