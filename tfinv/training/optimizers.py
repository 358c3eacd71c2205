"""Keras's optimizers with additions of the published recipes of robust training: L2 in SGD's gradient, an averaged network."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

_MOMENTUM = 0.9


def make_optimizer(
    name: str,
    rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    weight_decay: float = 0.0,
    ema: float = 0.0,
    statistics: Sequence[keras.Variable] = (),
) -> keras.optimizers.Optimizer:
    """Returns an optimizer, not yet built.

    Args:
      name: "adam", or "sgd" with Nesterov momentum of .9.
      rate: the learning rate, or its schedule.
      weight_decay: of every weight, biases and those of normalisation included, as published for CIFAR-10. With "sgd" it is the
        L2 penalty of those recipes: weight_decay * w joins the gradient, and so the momentum. With "adam" it is decoupled:
        each step takes rate * weight_decay * w from the weight (AdamW, Loshchilov and Hutter 2019, algorithm 2).
      ema: momentum of the moving average of the weights, which replaces them when the training ends; 0 for none.
      statistics: non-trainable weights of the network, such as the means of batch normalisation; averaged likewise.
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
      l2: factor of the weight that is added to its gradient.
    """

    def __init__(self, *args, l2: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """Takes one step of one variable."""
        super().update_step(gradient + self.l2 * variable if self.l2 else gradient, variable, learning_rate)


class _Averaged(keras.optimizers.Optimizer):
    """Averages the network's statistics too, with `use_ema`: those of the last weights do not fit the averaged weights."""

    def __init__(self, *args, statistics: Sequence[keras.Variable] = (), **kwargs):
        super().__init__(*args, **kwargs)
        # In functions, since Keras takes every variable in an attribute for a variable of the optimizer.
        self._statistics = lambda: list(statistics)

    def build(self, variables):
        """Creates the averages, which are saved with the optimizer."""
        if self.built:
            return
        super().build(variables)
        weights, averages = list(variables), self.add_optimizer_variables(self._statistics(), "average")
        self._weights_to_average, self._averages = lambda: weights, lambda: averages

    def apply(self, grads, trainable_variables=None):
        """Updates the averages of the statistics, and takes a step; the first averages are the values themselves."""
        momentum = tf.where(tf.equal(self.iterations.value, 0), 0.0, self.ema_momentum)
        for value, average in zip(self._statistics(), self._averages(), strict=True):
            average.assign(momentum * average + (1.0 - momentum) * value)
        super().apply(grads, trainable_variables)

    def finalize_variable_values(self, var_list):
        """Replaces weights and statistics by their averages: all of them, in the order of `build`, whatever `var_list` holds."""
        super().finalize_variable_values(self._weights_to_average())
        for value, average in zip(self._statistics(), self._averages(), strict=True):
            value.assign(average)


class AveragedAdam(_Averaged, keras.optimizers.Adam):
    """Adam with moving averages of weights and statistics."""


class AveragedSGD(_Averaged, SGD):
    """SGD with moving averages of weights and statistics."""
