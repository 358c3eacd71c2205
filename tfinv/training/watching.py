"""The epoch to export: accuracies on held-out images after each epoch, the best weights, and a halt on collapse."""

import contextlib
import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfinv import files
from tfinv.attacks import FGSM, Attack
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.training.base import ClassifierTraining
from tfinv.training.distribution import is_chief

# How far the accuracy under several steps may fall below the best: 20 points as in the authors' code of Wong et al. 2020, but no
# more than half of what there was, since a network that never withstood much can't fall so far.
_FALL, _SHARE = 0.2, 0.5


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What was measured after one epoch.

    Attributes:
      number: of the epoch, from 0.
      accuracy: on the images as they are.
      robust: on the attacked images; NaN without an attack.
      single_step: on those that FGSM with the same eps and norm finds; NaN without an attack of several steps along
        the gradient, or in a norm that it lacks.
    """

    number: int
    accuracy: float
    robust: float = math.nan
    single_step: float = math.nan

    @property
    def score(self) -> tuple[float, float]:
        """What the best epoch has most of: robust accuracy where it was measured, and of equals accuracy."""
        return (self.accuracy if math.isnan(self.robust) else self.robust), self.accuracy

    @property
    def measured(self) -> dict[str, float]:
        """The accuracies that were measured, as logs and rows call them."""
        found = {"accuracy": self.accuracy, "robust_accuracy": self.robust, "single_step_accuracy": self.single_step}
        return {name: value for name, value in found.items() if not math.isnan(value)}


def collapsed(best: Epoch, found: Epoch, n: int, guess: float) -> bool:
    """Whether the training overfitted catastrophically (Wong et al. 2020; Andriushchenko and Flammarion 2020).

    The accuracy under several steps has lost more than 20 points since the best epoch, or more than half of what it was, and more
    than two standard deviations of such a difference, while that under a single step is not lower: the network withstands only
    the perturbation that it is trained on. A best epoch that withstood no more than a guess can't be lost.

    Args:
      best: the epoch of the highest score so far.
      found: a later one.
      n: how many images each was measured on.
      guess: the share of the commonest class in them: what a network that always says the same has under any attack.
    """
    chance = _chance(best.robust, found.robust, n)
    if not best.robust > guess + chance:
        return False
    far = max(min(_FALL, _SHARE * best.robust), chance)
    return best.robust - found.robust > far and found.single_step >= best.single_step


def only_single_steps(found: Epoch, n: int) -> bool:
    """Whether a network withstands a single step 20 points more often than several, beyond chance, and several not half as often.

    At the end of a training on perturbations that is catastrophic overfitting as well, if there was never anything to lose.

    Args:
      found: what was measured.
      n: on how many images.
    """
    far = max(_FALL, _chance(found.robust, found.single_step, n))
    return found.single_step - found.robust > far and found.robust < _SHARE * found.single_step


def _chance(one: float, other: float, n: int) -> float:
    """At most two standard deviations of the difference of two rates: a rate p of n images has a variance of p (1 - p) / n."""
    return 2 * math.sqrt((one + other) / n)


@dataclasses.dataclass(frozen=True)
class Record:
    """What a watched training came to.

    Attributes:
      best: the first epoch of the highest score.
      weights: of the classifier after it.
      collapse: the epoch of the collapse that ended the training, if one did, or its last, if it withstands only single steps.
    """

    best: Epoch
    weights: list[np.ndarray]
    collapse: Epoch | None = None

    def write(self, path: str | os.PathLike) -> None:
        """Writes a whole .npz file or nothing."""
        epochs = [dataclasses.astuple(e) for e in (self.best, self.collapse) if e is not None]
        with files.atomic_path(path) as temporary:
            np.savez(temporary, *self.weights, epochs=np.array(epochs, np.float64))

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Record | None":
        """What `write` wrote; None if there is no such file.

        Raises:
          UserError: the file is damaged.
        """
        if not pathlib.Path(path).exists():
            return None
        kept = files.read_arrays(path, "the best weights of a training", "Remove the folder of this training.")
        found = [Epoch(int(row[0]), *map(float, row[1:])) for row in kept["epochs"]]
        weights = [kept[f"arr_{i}"] for i in range(len(kept) - 1)]
        return cls(found[0], weights, *found[1:])


class Watch(keras.callbacks.Callback):
    """Measures a `ClassifierTraining` on held-out images, and leaves it with the weights of its best epoch.

    The logs, and so TensorBoard, get val_accuracy, and with an attack val_robust_accuracy and val_single_step_accuracy. Where
    the optimizer averages the weights, it is the averaged network that is measured and kept. A training that has `collapsed`
    ends. Of one on perturbations it is noted if it ends with `only_single_steps`.

    Args:
      held_out: images that are not trained on.
      attack: for the robust accuracy, in units of [0, 1]; None measures the accuracy alone.
      every: epochs from one measurement to the next; the last epoch is measured in any case.
      seed: of the attack.
      perturbed: whether it is a training on perturbations; any other withstands single steps at best.
      path: of an .npz file for the best weights so far, from which a killed training goes on; None keeps them in memory.
    """

    def __init__(
        self,
        held_out: Dataset,
        attack: Attack | None = None,
        *,
        every: int = 1,
        seed: int = 0,
        perturbed: bool = False,
        path: str | os.PathLike | None = None,
    ):
        super().__init__()
        self._images, self._labels = held_out.images, held_out.labels
        self._guess = float(np.unique(self._labels, return_counts=True)[1].max() / len(self._labels))
        self._every, self._seed, self._perturbed, self._path = every, seed, perturbed, path
        self._attacks: dict[str, Attack] = {}
        if attack is not None:
            self._attacks["robust"] = attack
            # Collapse is told by several steps against one: of noise, or a single step, it could not be.
            if attack.norm in FGSM.NORMS and attack.needs == "gradients" and not attack.single_step:
                self._attacks["single_step"] = FGSM(eps=attack.eps, norm=attack.norm)
        self._classifier: Classifier | None = None
        self.record = None if path is None else Record.read(path)

    def on_epoch_begin(self, epoch, logs=None):
        """Forgets what a training before this one left."""
        if epoch == 0:
            self.record = None

    def on_epoch_end(self, epoch, logs=None):
        """Measures, keeps the weights if they are the best, and ends a collapsed training."""
        logs = {} if logs is None else logs
        last = epoch + 1 == self.params.get("epochs")
        due = (epoch + 1) % self._every == 0 or last
        if not due or not all(math.isfinite(v) for v in logs.values()):
            return
        with averaged(self.model):
            found = self.measure(epoch)
            weights = self.model.classifier.get_weights()
        logs.update({f"val_{name}": value for name, value in found.measured.items()})
        record, n = self.record, len(self._labels)
        if record is None or found.score > record.best.score:
            record = Record(found, weights)
        elif collapsed(record.best, found, n, self._guess):
            record, self.model.stop_training = dataclasses.replace(record, collapse=found), True
        if last and self._perturbed and only_single_steps(found, n):
            record = dataclasses.replace(record, collapse=found)
        if record is not self.record:
            self._keep(record)

    def on_train_end(self, logs=None):
        """Leaves the best weights."""
        self.restore(self.model)

    def measure(self, epoch: int) -> Epoch:
        """The accuracies of the model as it is."""
        self._classifier = self._classifier or Classifier.from_keras(self.model.classifier)
        found: dict[str, Any] = {"accuracy": self._classifier.accuracy(self._images, self._labels)}
        for name, attack in self._attacks.items():
            result = attack(self._classifier, self._images, self._labels, seed=self._seed)
            found[name] = float(np.mean(~result.success))
        return Epoch(epoch, **found)

    def restore(self, training: ClassifierTraining) -> None:
        """Gives a training model's classifier the best weights, if any are known."""
        if self.record is not None:
            training.classifier.set_weights(self.record.weights)

    def _keep(self, record):
        self.record = record
        if self._path is not None and is_chief(self.model.distribute_strategy):
            record.write(self._path)


@contextlib.contextmanager
def averaged(training: ClassifierTraining) -> Iterator[None]:
    """Inside, the network is the averaged one if its optimizer makes one; after, it is exactly what it was."""
    if not training.optimizer.use_ema:
        yield
        return
    variables = [*training.trained_variables, *training.classifier.non_trainable_weights]
    before = [keras.ops.convert_to_numpy(v) for v in variables]
    training.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
