"""PLG-MI-style inversion (Yuan et al. 2023, "Pseudo label-guided model inversion attack via conditional GAN")."""

import dataclasses

import tensorflow as tf

from tfinv.errors import expected
from tfinv.inversion import views
from tfinv.inversion.base import check_real
from tfinv.inversion.generative import Generative


@dataclasses.dataclass(frozen=True)
class PLG(Generative):
    """Minimises the max-margin loss on random views of the image, over the latent space of a generator conditional on the class.

    Auxiliary images without labels get the victim's predictions as pseudo-labels, on which the generator is conditioned. The paper
    trains a conditional GAN on the images of the victim's highest confidence; ours is a conditional VAE on all of them, and a step
    sees one view: PLG-MI-style. The settings are the paper's.

    Attributes:
      crop: a view is a random crop of at least this share of the height and width, resized; 1 for none.
      jitter: a view is also rolled by up to so many pixels.
      flip: the paper mirrors faces; off, since digits and letters have a left and a right.
    """

    steps: int = 600
    loss: str = "margin"
    optimiser: str = "adam"
    rate: float = 2e-2
    condition: str = "predicted"
    crop: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_real(self, 0, "crop", above=True)
        if self.crop > 1:
            raise expected("crop of at most 1", self.crop, "Change the argument `crop`.")

    def view(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) random crops, then the views of the base class."""
        if self.crop < 1:
            images = views.crop(images, self.crop, seed + 2)
        return super().view(images, seed)
