"""Plain gradient inversion: gradient steps on the pixels until a class is as likely as it gets."""

import dataclasses

from tfinv.inversion.descent import Descent


@dataclasses.dataclass(frozen=True)
class Gradient(Descent):
    """x <- clip(x - rate * g / |g|) on a cost of the logits and the priors, by default from the average image.

    The gradient's length is divided out, since equal steps along raw gradients favour the model whose gradients happen
    to be small. `optimiser` has other rules; with `loss=logit, optimiser=descent, rate=.01, alpha_norm=1, start=noise` it is
    the vanilla inversion of the blog post's authors, but for their blur.
    """
