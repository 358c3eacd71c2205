"""MIFace (Fredrikson, Jha and Ristenpart 2015, Algorithm 1)."""

import dataclasses

import tensorflow as tf

from tfinv.errors import expected
from tfinv.inversion.base import History, Inversion


@dataclasses.dataclass(frozen=True)
class MIFace(Inversion):
    """Gradient descent on c(x) = 1 - f_label(x), with the paper's stop rules.

    x_i = clip(x_{i-1} - rate * grad c(x_{i-1})). A row stops after `steps` (alpha), or when c(x_i) >= max(c(x_{i-1}), ...,
    c(x_{i-beta})), or when its confidence reaches gamma. The paper writes the last rule as c(x_i) <= gamma, which with its
    gamma of .99 would stop at once: the confidence is meant. The iterate of the lowest cost is returned.

    Attributes:
      steps: alpha.
      start: the paper starts at zeros.
      beta: length of the window of costs; 0 turns that rule off.
      gamma: confidence that is enough; above 1 turns that rule off.
      rate: lambda, on images scaled to [0, 1].
    """

    steps: int = 5000
    start: str = "zeros"
    loss: str = "miface"
    beta: int = 100
    gamma: float = 0.99
    rate: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if not self.rate > 0:
            raise expected("a positive rate", self.rate, "Change the argument `rate`.")
        if self.beta < 0:
            raise expected("beta of at least 0", self.beta, "Change the argument `beta`.")
        if not self.gamma > 0:
            raise expected("a positive gamma", self.gamma, "Change the argument `gamma`.")

    def move(self, gradient: tf.Tensor) -> tf.Tensor:
        """-lambda times the gradient."""
        return -self.rate * gradient

    def stop(self, history: History) -> tf.Tensor:
        """The rules of beta and gamma."""
        sure = history.confidence >= self.gamma
        if not self.beta:
            return sure
        # Infinite entries mean that there are no beta earlier costs yet.
        return sure | (history.cost >= tf.reduce_max(history.recent, axis=1))
