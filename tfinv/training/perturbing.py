"""Perturbations for adversarial training: projected gradient ascent in L-inf or L2, inside one training step.

Unlike `tfinv.attacks`, it never stops early, verifies nothing, and runs inside the caller's graph: beside the passes through the
network, a step costs a clip or a projection.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import Loss
from tfinv.training import replicas

TensorFunction = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Ascent:
    """Projected gradient ascent on images in [0, 1].

    Attributes:
      eps: radius of the ball around the images.
      step_size: of each step, in the same norm; below 0 for descent.
      steps: number of steps.
      norm: "linf" or "l2".
    """

    eps: tf.Tensor | float
    step_size: tf.Tensor | float
    steps: int
    norm: str = "linf"


def perturb(
    logits: TensorFunction,
    images: tf.Tensor,
    labels: tf.Tensor,
    loss: Loss,
    ascent: Ascent,
    seed: tf.Tensor,
    *,
    targeted: bool = False,
) -> tf.Tensor:
    """Perturbs images by projected gradient ascent from a uniform random start (PGD), within the ball of radius eps and [0, 1].

    Args:
      logits: from images to logits.
      images: (batch, H, W, C) in [0, 1].
      labels: (batch,) true classes, or target classes.
      loss: from logits and labels to (batch,).
      ascent: radius and steps.
      seed: (2,) of the start.
      targeted: lower the loss instead of raising it.

    Returns:
      (batch, H, W, C).
    """
    project = ball_projection(images, ascent.eps, ascent.norm)
    start = project(images + uniform_noise(images, ascent.eps, ascent.norm, seed))
    return gradient_ascent(
        lambda x: loss(tf.cast(logits(x), tf.float32), labels),
        start,
        project,
        dataclasses.replace(ascent, step_size=-ascent.step_size) if targeted else ascent,
    )


def gradient_ascent(value: TensorFunction, start: tf.Tensor, project: TensorFunction, ascent: Ascent) -> tf.Tensor:
    """Makes steps of one size in the steepest direction, each followed by a projection.

    Args:
      value: to raise, from images to (batch,).
      start: (batch, H, W, C).
      project: from images (batch, H, W, C) to the nearest allowed ones, in place of the ball of `ascent`.
      ascent: size, number and norm of the steps.

    Returns:
      (batch, H, W, C), through which no gradient flows.
    """

    # Traced once, called in turn. In a tf.while_loop, some compiled trainings of a small network are a third slower than others.
    @tf.function(autograph=False)
    def step(current):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(current)
            total = tf.reduce_sum(value(current))
        return project(current + ascent.step_size * threat.steepest(tape.gradient(total, current), ascent.norm))

    perturbed = start
    for _ in range(ascent.steps):
        perturbed = step(perturbed)
    return tf.stop_gradient(perturbed)


def ball_projection(images: tf.Tensor, eps: tf.Tensor | float, norm: str) -> TensorFunction:
    """Returns the projection onto the ball of radius eps around `images`, cut to [0, 1]."""
    if norm == "linf":
        low, high = tf.maximum(images - eps, 0.0), tf.minimum(images + eps, 1.0)
        return lambda x: tf.clip_by_value(x, low, high)
    # The cut to [0, 1] comes second: it moves every pixel towards the image, so it can't leave the ball.
    return lambda x: clip_to_unit(images + threat.project(x - images, eps, norm))


def clip_to_unit(images: tf.Tensor) -> tf.Tensor:
    """Clips images to [0, 1]."""
    return tf.clip_by_value(images, 0.0, 1.0)


def uniform_noise(images: tf.Tensor, radius: tf.Tensor | float, norm: str, seed: tf.Tensor) -> tf.Tensor:
    """Draws uniformly from the ball of this radius for each image, (batch, H, W, C)."""
    shape = tf.shape(images)
    uniform = replicas.draw_rows(lambda s: tf.random.stateless_uniform(s, seed), shape)
    if norm == "linf":
        return threat.random_start(uniform, uniform, radius, norm)
    normal = replicas.draw_rows(lambda s: tf.random.stateless_normal(s, tf.random.fold_in(seed, 1)), shape)
    return threat.random_start(uniform, normal, radius, norm)
