"""Keras's optimizers with what the published recipes of robust training add: L2 in SGD's gradient, an averaged network."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

OPTIMIZERS = ("adam", "sgd")

_MOMENTUM = 0.9


def make_optimizer(
    name: str,
    rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    weight_decay: float = 0.0,
    ema: float = 0.0,
    statistics: Sequence[keras.Variable] = (),
) -> keras.optimizers.Optimizer:
    """An optimizer, which is still to be built.

    Args:
      name: "adam", or "sgd" with Nesterov momentum of .9.
      rate: the learning rate, or its course.
      weight_decay: of every weight, biases and those of normalisation included, as published for CIFAR-10. With "sgd" it is the
        L2 penalty of those recipes: weight_decay * w joins the gradient, and so the momentum. With "adam" it is decoupled:
        each step takes rate * weight_decay * w from the weight (AdamW, Loshchilov and Hutter 2019, algorithm 2).
      ema: momentum of the average over steps of the weights, which takes their place when the training ends; 0 for none.
      statistics: what the network keeps beside its weights, such as the means of batch normalisation; averaged likewise.
    """
    averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": ema, "statistics": statistics} if ema else {}
    if name == "adam":
        adam = AveragedAdam if ema else keras.optimizers.Adam
        return adam(rate, weight_decay=weight_decay or None, **averaging)
    sgd = AveragedSGD if ema else SGD
    return sgd(rate, momentum=_MOMENTUM, nesterov=True, l2=weight_decay, **averaging)


class SGD(keras.optimizers.SGD):
    """Keras's SGD with L2 in the gradient; Keras's own `weight_decay` bypasses the momentum, and is a tenth as strong at .9.

    Args:
      l2: what a weight is multiplied with before it joins its gradient.
    """

    def __init__(self, *args, l2: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """One step of one variable."""
        super().update_step(gradient + self.l2 * variable if self.l2 else gradient, variable, learning_rate)


class _Averaged(keras.optimizers.Optimizer):
    """With `use_ema`, averages the network's statistics too: those of the last weights do not fit the averaged ones."""

    def __init__(self, *args, statistics: Sequence[keras.Variable] = (), **kwargs):
        super().__init__(*args, **kwargs)
        # In functions, since Keras takes every variable in an attribute for one of the optimizer's own.
        self._statistics = lambda: list(statistics)

    def build(self, variables):
        """Makes the averages, which are saved with the optimizer."""
        if self.built:
            return
        super().build(variables)
        moved, averages = list(variables), self.add_optimizer_variables(self._statistics(), "average")
        self._moved, self._averages = lambda: moved, lambda: averages

    def apply(self, grads, trainable_variables=None):
        """A step, and the averages after it; the first ones are the values themselves."""
        keep = tf.where(tf.equal(self.iterations.value, 0), 0.0, self.ema_momentum)
        for value, average in zip(self._statistics(), self._averages(), strict=True):
            average.assign(keep * average + (1.0 - keep) * value)
        super().apply(grads, trainable_variables)

    def finalize_variable_values(self, var_list):
        """Puts the averaged network in the place of the last one; whatever Keras names, in the order of `build`."""
        super().finalize_variable_values(self._moved())
        for value, average in zip(self._statistics(), self._averages(), strict=True):
            value.assign(average)


class AveragedAdam(_Averaged, keras.optimizers.Adam):
    """Adam with an average over steps of weights and statistics."""


class AveragedSGD(_Averaged, SGD):
    """SGD with an average over steps of weights and statistics."""
