"""The perturbations that a classifier is trained on: projected gradient steps in L-inf, inside one training step."""

from collections.abc import Callable

import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import Loss


def perturb(
    logits: Callable[[tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    goals: tf.Tensor,
    loss: Loss,
    *,
    eps: tf.Tensor | float,
    size: tf.Tensor | float,
    steps: int,
    seed: tf.Tensor,
    towards: bool = False,
) -> tf.Tensor:
    """Signed gradient steps from a uniform random start, kept in the ball of radius eps and in [0, 1].

    Unlike `tfinv.attacks`, it stops for no example, verifies nothing and runs inside the caller's graph.

    Args:
      logits: of images.
      images: (batch, H, W, C) in [0, 1].
      goals: (batch,) true classes, or those to go towards.
      loss: of logits and goals, (batch,).
      eps: radius.
      size: of a step.
      steps: how many.
      seed: (2,) of the start.
      towards: lower the loss instead of raising it.

    Returns:
      (batch, H, W, C).
    """
    low, high = tf.maximum(images - eps, 0.0), tf.minimum(images + eps, 1.0)
    start = images + eps * (2.0 * tf.random.stateless_uniform(tf.shape(images), seed) - 1.0)
    current = tf.clip_by_value(start, low, high)
    for _ in range(steps):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(current)
            value = tf.reduce_sum(loss(tf.cast(logits(current), tf.float32), goals))
        direction = threat.steepest(tape.gradient(value, current), "linf")
        current = tf.clip_by_value(current + (-size if towards else size) * direction, low, high)
    return tf.stop_gradient(current)
