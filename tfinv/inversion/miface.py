"""MIFace (Fredrikson, Jha and Ristenpart 2015, Algorithm 1)."""

import dataclasses

import tensorflow as tf

from tfinv.errors import expected
from tfinv.inversion.base import check_real, check_whole
from tfinv.inversion.descent import Descent
from tfinv.inversion.processing import PROCESSES
from tfinv.inversion.step import History


@dataclasses.dataclass(frozen=True)
class MIFace(Descent):
    """Gradient descent on c(x) = 1 - f_label(x), with the paper's stop rules.

    x_i = Process(clip(x_{i-1} - rate * grad c(x_{i-1}))). A row stops after `steps` (alpha), or when
    c(x_i) >= max(c(x_{i-1}), ..., c(x_{i-beta})), or when its confidence reaches gamma. The paper writes the last rule as
    c(x_i) <= gamma, which with its gamma of .99 would stop at once; it means the confidence. The iterate of the lowest cost is
    returned.

    Attributes:
      steps: alpha.
      start: the paper starts at zeros.
      beta: length of the window of costs; 0 turns that rule off.
      gamma: confidence at which a row stops; above 1 turns that rule off.
      rate: lambda, on images scaled to [0, 1].
      process: key of `processing.PROCESSES`.
      process_every: steps between two applications of it.
    """

    steps: int = 5000
    start: str = "zeros"
    loss: str = "miface"
    optimiser: str = "descent"
    beta: int = 100
    gamma: float = 0.99
    rate: float = 0.1
    process: str = "identity"
    process_every: int = 25

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 0, "beta")
        check_whole(self, 1, "process_every")
        check_real(self, 0, "gamma", above=True)
        if self.process not in PROCESSES:
            raise expected(
                f"process among {', '.join(PROCESSES)}", repr(self.process), "Change the argument `process`."
            )

    @property
    def until_convergence(self) -> bool:
        """The stop rules of beta and gamma end a row."""
        return True

    @property
    def window(self) -> int:
        """Number of earlier costs that the rule of beta compares with."""
        return max(1, self.beta)

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Clips to [0, 1], and applies Process every `process_every` steps."""
        points = super().constrain(points, start, count)
        if self.process == "identity":
            return points
        due = tf.equal(tf.math.floormod(count, self.process_every), 0)
        return tf.cond(due, lambda: tf.clip_by_value(PROCESSES[self.process](points), 0.0, 1.0), lambda: points)

    def stop(self, history: History) -> tf.Tensor:
        """(b,) bool: the rules of beta and gamma."""
        is_confident = history.confidence >= self.gamma
        if not self.beta:
            return is_confident
        # An infinite entry means that there are fewer than beta earlier costs.
        return is_confident | (history.cost >= tf.reduce_max(history.recent, axis=1))
