"""GMI-style inversion (Zhang et al. 2020, "The secret revealer: generative model-inversion attacks")."""

import dataclasses

from tfinv.inversion.generative import Generative


@dataclasses.dataclass(frozen=True)
class GMI(Generative):
    """Minimises prior loss + 100 x identity loss over z in [-1, 1], by Nesterov's momentum of .9, with the paper's settings.

    The paper's generator is a GAN's, and its prior loss is minus the discriminator's value of the image. Ours is a VAE's decoder,
    which trains steadily on few images, and the prior loss is -log N(z; 0, 1): GMI-style, not GMI itself. The identity loss is
    the cross-entropy, as in the paper, whose rate for MNIST is 1e-2.
    """

    steps: int = 1500
    optimiser: str = "nesterov"
    rate: float = 2e-2
    prior: float = 1.0
    identity: float = 100.0
    bound: float = 1.0
