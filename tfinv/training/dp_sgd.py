"""DP-SGD: differentially private training (Abadi et al. 2016, arXiv 1607.00133)."""

import dataclasses
import math
from typing import ClassVar

import keras
import tensorflow as tf

from tfinv.errors import expected
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range
from tfinv.training.privacy import epsilon

# With far less the accountant overflows, and claims an epsilon of 0.
_LEAST_NOISE = 1e-3


@dataclasses.dataclass(frozen=True)
class DPSGD(Defence):
    """Clips each example's gradient and adds noise to their sum, so that no single example can show in the weights.

    epsilon is that of batches drawn by Poisson sampling, which is the field's custom to state; `fit` shuffles instead, for which
    it is no proven bound. The draws come from a seed, so the guarantee needs a seed that nobody knows.

    Attributes:
      clip: L2 norm that each example's gradient is cut to.
      noise: standard deviation of the noise on the sum, over the clip.
      delta: of the guarantee.
    """

    NAME: ClassVar[str] = "dp_sgd"
    clip: float = 1.0
    noise: float = 1.1
    delta: float = 1e-5

    def __post_init__(self):
        check_range(self, 1e-12, math.inf, "clip")
        check_range(self, 0.0, math.inf, "noise")
        if 0.0 < self.noise < _LEAST_NOISE:
            raise expected(f"noise of dp_sgd of 0, or at least {_LEAST_NOISE:g}", self.noise, "Change --defense.")
        check_range(self, 1e-30, 0.5, "delta")

    def training(self, plan: Plan) -> "DPSGDTraining":
        """See `DPSGDTraining`."""
        return DPSGDTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)

    def costs(self, plan: Plan) -> dict[str, float]:
        """epsilon, and the delta it is for; none without noise, where there is no guarantee."""
        if not self.noise:
            return {}
        share = min(plan.batch_size, len(plan.dataset)) / len(plan.dataset)
        return {"epsilon": epsilon(self.noise, share, plan.steps, self.delta), "delta": self.delta}


class DPSGDTraining(ClassifierTraining):
    """One noisy step of the mean clipped gradient (Abadi et al. 2016, algorithm 1), with any optimizer.

    The gradients of all examples are held at once: batch x weights x 4 bytes. The further arguments are those of
    `ClassifierTraining`.

    Raises:
      UserError: the network normalises over the batch, so that an example has no gradient of its own.
    """

    def __init__(self, classifier, defence: DPSGD = DPSGD(), **kwargs):
        mixing = [x.name for x in classifier.layers if isinstance(x, keras.layers.BatchNormalization)]
        if mixing:
            raise expected(
                "a network without batch normalisation for 'dp_sgd', since it mixes the examples of a batch",
                f"{classifier.name} with {len(mixing)} such layers",
                "Change --architecture.",
            )
        super().__init__(classifier, measured=("clipped",), **kwargs)
        self.defence = defence

    def compile(self, optimizer="adam", jit_compile=False, **kwargs):
        """As `keras.Model.compile`, without XLA, which takes five times as long for the loops over the examples."""
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def gradients(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Each example's own gradients, a tensor (batch, ...) a variable; losses (batch,); logits (batch, classes)."""
        variables = self.trained_variables

        def one(example):
            image, label = example
            with tf.GradientTape() as tape:
                logits = self.classifier(image[None], training=True)
                loss = self.classification(label[None], logits)
            return tape.gradient(loss, variables), loss, logits[0]

        # While it is traced, TensorFlow warns of a loop in each convolution's gradient, which nothing can be done about.
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("ERROR")
        try:
            return tf.vectorized_map(one, (images, labels))
        finally:
            logger.setLevel(level)

    def train_step(self, data):
        """Clips, sums, adds noise, divides by the batch size, and steps."""
        images, labels = data
        images = self.augmented(images)
        each, losses, logits = self.gradients(images, labels)
        summed, norms = clipped_sum(each, self.defence.clip)
        size = tf.cast(tf.shape(images)[0], tf.float32)
        # Every replica adds its share of one draw, as their gradients are averaged.
        noisy = [(g + n / replicas.count()) / size for g, n in zip(summed, self.noises(summed), strict=True)]
        self.optimizer.apply_gradients(zip(noisy, self.trained_variables, strict=True))
        self.measured["clipped"].update_state(tf.cast(norms > self.defence.clip, tf.float32))
        return self.logs(tf.reduce_mean(losses), labels, logits)

    def noises(self, like: list[tf.Tensor]) -> list[tf.Tensor]:
        """Normal draws of standard deviation noise x clip, one for each number of the summed gradients."""
        sizes = [math.prod(t.shape) for t in like]
        drawn = tf.random.stateless_normal([sum(sizes)], self.draw(), stddev=self.defence.noise * self.defence.clip)
        return [tf.reshape(part, t.shape) for part, t in zip(tf.split(drawn, sizes), like, strict=True)]


def clipped_sum(gradients: list[tf.Tensor], clip: float) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Shortens each example's gradient to the norm `clip`, over all variables together, and sums over the batch.

    Args:
      gradients: (batch, ...) each.
      clip: the longest norm left.

    Returns:
      The sums, without the batch, and the norms before, (batch,).
    """
    flat = [tf.reshape(g, [tf.shape(g)[0], math.prod(g.shape[1:])]) for g in gradients]
    norms = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g), axis=1) for g in flat]))
    scales = clip / tf.maximum(norms, clip)
    # As a product with the scales, so that no scaled copy of all gradients is made.
    sums = [tf.linalg.matvec(f, scales, transpose_a=True) for f in flat]
    return [tf.reshape(s, g.shape[1:]) for s, g in zip(sums, gradients, strict=True)], norms
