"""DP-SGD: differentially private training (Abadi et al. 2016, arXiv 1607.00133)."""

import dataclasses
import math
from typing import Any, ClassVar

import tensorflow as tf

from tfinv.errors import expected
from tfinv.training import poisson, replicas
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range
from tfinv.training.privacy import LEAST_DELTA, guarantee

# With far less noise epsilon is astronomical, and the accountant slow.
_MIN_NOISE = 1e-3


@dataclasses.dataclass(frozen=True)
class DPSGD(Defence):
    """Clips each example's gradient and adds noise to their sum, so that the weights reveal little of any example.

    Batches are drawn by Poisson sampling, for which epsilon is stated (`poisson`, `privacy`). It covers the weights; what a
    training shows of its images, loss and accuracy, has no noise. Draws and noise come from a seed, which must stay secret.

    Attributes:
      clip: largest L2 norm of each example's gradient.
      noise: standard deviation of the noise on the sum, divided by clip.
      delta: of the guarantee.
    """

    NAME: ClassVar[str] = "dp_sgd"
    clip: float = 1.0
    noise: float = 1.1
    delta: float = 1e-5

    def __post_init__(self):
        check_range(self, 1e-12, math.inf, "clip")
        check_range(self, 0.0, math.inf, "noise")
        if 0.0 < self.noise < _MIN_NOISE:
            raise expected(f"noise of dp_sgd of 0, or at least {_MIN_NOISE:g}", self.noise, "Change --defense.")
        check_range(self, LEAST_DELTA, 0.5, "delta")

    def build(self, plan: Plan) -> "DPSGDTraining":
        """See `DPSGDTraining`."""
        return DPSGDTraining(plan.classifier, self, self.sampling(plan), steps=plan.steps, seed=plan.seed)

    def sampling(self, plan: Plan) -> poisson.PoissonSampling:
        """Returns the sampling of a training."""
        n = len(plan.dataset)
        return poisson.PoissonSampling(n, min(plan.batch_size, n), plan.steps)

    def costs(self, plan: Plan) -> list[dict[str, Any]]:
        """Returns epsilon, with all that it is stated for, and its delta; nothing without noise, where there is no guarantee."""
        if not self.noise:
            return []
        privacy = guarantee(self.noise, self.sampling(plan).probability, plan.steps, self.delta)
        return [
            {"metric": "epsilon", "value": privacy.epsilon, **privacy.terms()},
            {"metric": "delta", "value": self.delta},
        ]


class DPSGDTraining(ClassifierTraining):
    """Trains with noisy steps of the sum of clipped gradients (Abadi et al. 2016, algorithm 1), with any optimizer.

    The sum is divided by the expected size of a batch, since the true one would depend on who is in it. The gradients of all
    examples are held at once: batch x weights x 4 bytes. The further arguments are those of `ClassifierTraining`.

    Args:
      classifier: without batch normalisation that learns.
      defence: hyper-parameters.
      sampling: of the batches; `fit` draws them.

    Raises:
      UserError: the network has batch normalisation, so no example has a gradient independent of the others.
    """

    def __init__(self, classifier, defence: DPSGD, sampling: poisson.PoissonSampling, **kwargs):
        batch_norms = replicas.batch_norms(classifier.layers)
        learning = [layer.name for layer in batch_norms if layer.trainable]
        if learning:
            raise expected(
                "a network without batch normalisation for 'dp_sgd', since it mixes the examples of a batch",
                f"{classifier.name} with {len(learning)} such layers",
                "Change --architecture, or freeze them: layer.trainable = False.",
            )
        super().__init__(classifier, extra_metrics=("clipped",), **kwargs)
        self.defence, self.sampling, self._expected_size = defence, sampling, float(sampling.batch_size)

    def compile(self, optimizer="adam", jit_compile=False, **kwargs):
        """Compiles as `keras.Model.compile`, without XLA, which is five times as slow for loops over the examples."""
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def gradients(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Computes gradients per example, (batch, ...) for each variable, losses (batch,) and logits (batch, classes)."""
        variables = self.trained_variables

        def example_gradient(example):
            image, label = example
            with tf.GradientTape() as tape:
                logits = self.classifier(image[None], training=True)
                loss = self.classification(label[None], logits)
            return tape.gradient(loss, variables), loss, logits[0]

        # While tracing, TensorFlow warns of a loop in the gradient of each convolution, which is unavoidable.
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("ERROR")
        try:
            return tf.vectorized_map(example_gradient, (images, labels))
        finally:
            logger.setLevel(level)

    def train_step(self, data):
        """Clips, sums, adds noise, divides by the expected size of the batch, and updates the weights."""
        images, labels, weights = poisson.unpack(data)
        images = self.augment(images)
        gradients, losses, logits = self.gradients(images, labels)
        sums, norms = clipped_sum(gradients, self.defence.clip, weights)
        # Every replica adds its share of one draw, as the gradients of replicas are averaged.
        size = self._expected_size / replicas.count()
        noisy = [(g + n / replicas.count()) / size for g, n in zip(sums, self.noises(sums), strict=True)]
        self.optimizer.apply_gradients(zip(noisy, self.trained_variables, strict=True))
        clipped = tf.cast(norms > self.defence.clip, tf.float32)
        self.extra_metrics["clipped"].update_state(clipped, sample_weight=weights)
        return self.logs(losses, labels, logits, weights)

    def noises(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Draws normal noise of standard deviation noise x clip, in the shapes of the summed gradients."""
        sizes = [math.prod(g.shape) for g in gradients]
        noise = tf.random.stateless_normal(
            [sum(sizes)], self.step_seed(), stddev=self.defence.noise * self.defence.clip
        )
        return [tf.reshape(part, g.shape) for part, g in zip(tf.split(noise, sizes), gradients, strict=True)]


def clipped_sum(
    gradients: list[tf.Tensor], clip: float, weights: tf.Tensor | None = None
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Clips each example's gradient to the norm `clip`, over all variables together, and sums over the batch.

    Args:
      gradients: (batch, ...) for each variable.
      clip: largest norm.
      weights: (batch,), 0 for rows that pad the batch and add nothing, 1 for others; None is all 1.

    Returns:
      The sums, without the batch axis, and the norms before clipping, (batch,).
    """
    flat = [tf.reshape(g, [tf.shape(g)[0], math.prod(g.shape[1:])]) for g in gradients]
    norms = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g), axis=1) for g in flat]))
    scales = clip / tf.maximum(norms, clip) * (1.0 if weights is None else weights)
    # As a product with the scales, to avoid a scaled copy of all gradients.
    sums = [tf.linalg.matvec(f, scales, transpose_a=True) for f in flat]
    return [tf.reshape(s, g.shape[1:]) for s, g in zip(sums, gradients, strict=True)], norms
