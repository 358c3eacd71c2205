"""Validation: accuracies on held-out images after each epoch, the best weights, and early stopping on collapse."""

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfinv import files, paths
from tfinv.attacks import FGSM, Attack
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.training.base import ClassifierTraining
from tfinv.training.distribution import is_chief

# Largest drop of the accuracy under several steps below the best: 20 points as in the authors' code of Wong et al. 2020, but at
# most half of the best, since a network that was never very robust can't drop 20 points.
_MAX_DROP, _MAX_RELATIVE_DROP = 0.2, 0.5


@dataclasses.dataclass(frozen=True)
class Epoch:
    """Accuracies after one epoch.

    Attributes:
      number: of the epoch, from 0.
      accuracy: on the clean images.
      robust: on the attacked images; NaN without an attack.
      single_step: under FGSM with the same eps and norm; NaN if the attack is not a gradient attack of several steps, or FGSM
        lacks the norm.
    """

    number: int
    accuracy: float
    robust: float = math.nan
    single_step: float = math.nan

    @property
    def score(self) -> tuple[float, float]:
        """Criterion of the best epoch: robust accuracy where it was measured, then accuracy."""
        return (self.accuracy if math.isnan(self.robust) else self.robust), self.accuracy

    @property
    def measured(self) -> dict[str, float]:
        """Accuracies that were measured, by their name in logs and rows."""
        accuracies = {
            "accuracy": self.accuracy,
            "robust_accuracy": self.robust,
            "single_step_accuracy": self.single_step,
        }
        return {name: value for name, value in accuracies.items() if not math.isnan(value)}


def has_collapsed(best: Epoch, epoch: Epoch, n: int, majority_rate: float) -> bool:
    """Returns whether the training overfitted catastrophically (Wong et al. 2020; Andriushchenko and Flammarion 2020).

    It did if the accuracy under several steps has dropped since the best epoch by more than 20 points, or by more than half, and
    by more than two standard deviations of such a difference, while the accuracy under a single step has not: the network
    withstands only the perturbation that it is trained on. A best epoch no better than constant predictions can't collapse.

    Args:
      best: the epoch of the highest score so far.
      epoch: a later one.
      n: number of images that each was measured on.
      majority_rate: fraction of the largest class in them: the accuracy of constant predictions under any attack.
    """
    margin = _chance(best.robust, epoch.robust, n)
    if not best.robust > majority_rate + margin:
        return False
    limit = max(min(_MAX_DROP, _MAX_RELATIVE_DROP * best.robust), margin)
    return best.robust - epoch.robust > limit and epoch.single_step >= best.single_step


def withstands_only_single_steps(epoch: Epoch, n: int) -> bool:
    """Returns whether robustness is to a single step only: 20 points above that to several steps, beyond chance, and over twice it.

    At the end of a training on perturbations it is catastrophic overfitting too, of a network that was never robust.

    Args:
      epoch: the accuracies.
      n: number of images that they were measured on.
    """
    limit = max(_MAX_DROP, _chance(epoch.robust, epoch.single_step, n))
    return epoch.single_step - epoch.robust > limit and epoch.robust < _MAX_RELATIVE_DROP * epoch.single_step


def _chance(rate: float, other_rate: float, n: int) -> float:
    """Bounds two standard deviations of the difference of two rates: a rate p of n images has a variance of p (1 - p) / n."""
    return 2 * math.sqrt((rate + other_rate) / n)


@dataclasses.dataclass(frozen=True)
class Record:
    """Best epoch of a training, its weights, and the collapse.

    Attributes:
      best: the first epoch of the highest score.
      weights: of the classifier after it.
      collapse: the epoch whose collapse ended the training, or the last one if it withstands only single steps; None otherwise.
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
        """Reads the file of `write`; None if there is none.

        Raises:
          UserError: the file is damaged.
        """
        if not paths.expand(path).exists():
            return None
        arrays = files.read_arrays(path, "the best weights of a training", "Remove the folder of this training.")
        epochs = [Epoch(int(row[0]), *map(float, row[1:])) for row in arrays["epochs"]]
        weights = [arrays[f"arr_{i}"] for i in range(len(arrays) - 1)]
        return cls(epochs[0], weights, *epochs[1:])


class Watch(keras.callbacks.Callback):
    """Measures a `ClassifierTraining` on held-out images, and restores the weights of its best epoch at the end.

    The logs, and so TensorBoard, get val_accuracy, and with an attack val_robust_accuracy and val_single_step_accuracy. If the
    optimizer averages the weights, the averaged network is measured and stored. A training ends when it `has_collapsed`. A training
    on perturbations that ends with a network that `withstands_only_single_steps` is recorded as collapsed.

    Args:
      held_out: images outside the training set.
      attack: for the robust accuracy, in units of [0, 1]; None measures the accuracy alone.
      every: epochs from one measurement to the next; the last epoch is measured in any case.
      seed: of the attack.
      perturbed: whether the training is on perturbations; others withstand single steps at best.
      path: of an .npz file for the best weights so far, from which a killed training resumes; None keeps them in memory.
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
        self._majority_rate = float(np.unique(self._labels, return_counts=True)[1].max() / len(self._labels))
        self._every, self._seed, self._perturbed, self._path = every, seed, perturbed, path
        self._attacks: dict[str, Attack] = {}
        if attack is not None:
            self._attacks["robust"] = attack
            # Collapse shows in several steps compared with one; noise or a single step can't show it.
            if attack.norm in FGSM.NORMS and attack.needs == "gradients" and not attack.single_step:
                self._attacks["single_step"] = FGSM(eps=attack.eps, norm=attack.norm)
        self._classifier: Classifier | None = None
        self.record = None if path is None else Record.read(path)

    def on_epoch_begin(self, epoch, logs=None):
        """Discards the record of a previous training."""
        if epoch == 0:
            self.record = None

    def on_epoch_end(self, epoch, logs=None):
        """Measures, stores the weights if they are the best, and ends a collapsed training."""
        logs = {} if logs is None else logs
        last = epoch + 1 == self.params.get("epochs")
        due = (epoch + 1) % self._every == 0 or last
        if not due or not all(math.isfinite(v) for v in logs.values()):
            return
        with averaged_weights(self.model):
            current = self.measure(epoch)
            weights = self.model.classifier.get_weights()
        logs.update({f"val_{name}": value for name, value in current.measured.items()})
        record, n = self.record, len(self._labels)
        if record is None or current.score > record.best.score:
            record = Record(current, weights)
        elif has_collapsed(record.best, current, n, self._majority_rate):
            record, self.model.stop_training = dataclasses.replace(record, collapse=current), True
        if last and self._perturbed and withstands_only_single_steps(current, n):
            record = dataclasses.replace(record, collapse=current)
        if record is not self.record:
            self._store(record)

    def on_train_end(self, logs=None):
        """Restores the best weights."""
        self.restore(self.model)

    def measure(self, epoch: int) -> Epoch:
        """Measures the accuracies of the model with its current weights."""
        self._classifier = self._classifier or Classifier.from_keras(self.model.classifier)
        accuracies: dict[str, Any] = {"accuracy": self._classifier.accuracy(self._images, self._labels)}
        for name, attack in self._attacks.items():
            result = attack(self._classifier, self._images, self._labels, seed=self._seed)
            accuracies[name] = float(np.mean(~result.success))
        return Epoch(epoch, **accuracies)

    def restore(self, training: ClassifierTraining) -> None:
        """Sets the best weights, if there are any, in the classifier of a training model."""
        if self.record is not None:
            training.classifier.set_weights(self.record.weights)

    def _store(self, record):
        self.record = record
        if self._path is not None and is_chief(self.model.distribute_strategy):
            record.write(self._path)


@contextlib.contextmanager
def averaged_weights(training: ClassifierTraining) -> Iterator[None]:
    """Sets the averaged weights, if the optimizer averages, and restores the current ones exactly on exit."""
    if not training.optimizer.use_ema:
        yield
        return
    variables = [*training.trained_variables, *training.classifier.non_trainable_weights]
    values = [keras.ops.convert_to_numpy(v) for v in variables]
    training.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
