"""The learning rate that each architecture bears."""

import math


def default_rate(architecture: str, image_shape: tuple[int, ...]) -> float:
    """Adam's rate at the start.

    Adam moves every weight by about its rate in a step, so the input of a sigmoid behind n bright pixels moves by about n times
    that. At 1e-3 the sigmoids of an image of 10,000 pixels saturate in the first steps and never come back.

    Args:
      architecture: a key of `tfinv.models.MODELS`.
      image_shape: (H, W, C).
    """
    return min(1e-3, 1.0 / math.prod(image_shape)) if architecture == "mlp" else 1e-3
