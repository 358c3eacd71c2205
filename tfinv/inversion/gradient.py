"""Plain gradient inversion: gradient steps on the pixels that raise the confidence in a class."""

import dataclasses

from tfinv.inversion.descent import Descent


@dataclasses.dataclass(frozen=True)
class Gradient(Descent):
    """x <- clip(x - rate * g / |g|) on a cost of the logits and the priors, by default from the average image.

    The gradient's length is divided out, since steps in proportion to raw gradients would favour models with small gradients.
    `optimiser` has other rules; with `loss=logit, optimiser=descent, rate=.01, alpha_norm=1, start=noise` it is
    the vanilla inversion of the blog post's authors, but for their blur.
    """
