"""The perturbations that a classifier is trained on: projected gradient steps in L-inf or L2, inside one training step.

Unlike `tfinv.attacks`, they stop for no example, verify nothing, and run inside the caller's graph: what a step costs beside the
passes through the network is a clip or a projection.
"""

from collections.abc import Callable

import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import Loss
from tfinv.training import replicas

Move = Callable[[tf.Tensor], tf.Tensor]


def perturb(
    logits: Move,
    images: tf.Tensor,
    goals: tf.Tensor,
    loss: Loss,
    *,
    eps: tf.Tensor | float,
    size: tf.Tensor | float,
    steps: int,
    seed: tf.Tensor,
    norm: str = "linf",
    towards: bool = False,
) -> tf.Tensor:
    """Steepest steps from a uniform random start, kept in the ball of radius eps and in [0, 1].

    Args:
      logits: of images.
      images: (batch, H, W, C) in [0, 1].
      goals: (batch,) true classes, or those to go towards.
      loss: of logits and goals, (batch,).
      eps: radius, of images in [0, 1].
      size: of a step, in the same norm.
      steps: how many.
      seed: (2,) of the start.
      norm: "linf" or "l2".
      towards: lower the loss instead of raising it.

    Returns:
      (batch, H, W, C).
    """
    within = ball(images, eps, norm)
    start = within(images + noise(images, eps, norm, seed))
    return climb(
        lambda x: loss(tf.cast(logits(x), tf.float32), goals),
        start,
        within,
        size=-size if towards else size,
        steps=steps,
        norm=norm,
    )


def climb(value: Move, start: tf.Tensor, within: Move, *, size: tf.Tensor | float, steps: int, norm: str) -> tf.Tensor:
    """Steps of one size along the steepest direction, each followed by `within`.

    Args:
      value: of images, (batch,), which the steps raise.
      start: (batch, H, W, C).
      within: of images (batch, H, W, C), those allowed that are nearest.
      size: of a step; one below 0 lowers the value.
      steps: how many.
      norm: "linf" or "l2".

    Returns:
      (batch, H, W, C), to which no gradient flows.
    """

    # Traced once, called in turn. In a tf.while_loop, some compiled trainings of a small network are a third slower than others.
    @tf.function(autograph=False)
    def step(current):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(current)
            total = tf.reduce_sum(value(current))
        return within(current + size * threat.steepest(tape.gradient(total, current), norm))

    found = start
    for _ in range(steps):
        found = step(found)
    return tf.stop_gradient(found)


def ball(images: tf.Tensor, eps: tf.Tensor | float, norm: str) -> Move:
    """What takes images back into the ball of radius eps around `images`, and into [0, 1]."""
    if norm == "linf":
        low, high = tf.maximum(images - eps, 0.0), tf.minimum(images + eps, 1.0)
        return lambda x: tf.clip_by_value(x, low, high)
    # The cut to [0, 1] comes second: it moves every pixel towards the image, so it can't leave the ball.
    return lambda x: unit(images + threat.project(x - images, eps, norm))


def unit(images: tf.Tensor) -> tf.Tensor:
    """The images cut to [0, 1]."""
    return tf.clip_by_value(images, 0.0, 1.0)


def noise(images: tf.Tensor, radius: tf.Tensor | float, norm: str, seed: tf.Tensor) -> tf.Tensor:
    """A uniform draw from the ball of this radius for each image, (batch, H, W, C)."""
    shape = tf.shape(images)
    uniform = replicas.rows(lambda whole: tf.random.stateless_uniform(whole, seed), shape)
    if norm == "linf":
        return threat.random_start(uniform, uniform, radius, norm)
    normal = replicas.rows(lambda whole: tf.random.stateless_normal(whole, tf.random.fold_in(seed, 1)), shape)
    return threat.random_start(uniform, normal, radius, norm)
