"""The destruction defence: a classifier with an auxiliary autoencoder behind a gradient reversal (the poster).

With encoder E, head C, decoder D and the reversal R:

    z = E(x),  L = CE(C(z), y) + w * mean_i e_i,  e_i = |D(R(z_i)) - t_i|^2 / V,  V = mean |x - mean image|^2

so e = 1 is the error of a decoder that always answers with the mean image. The decoder descends L. The encoder descends the
cross-entropy and the reconstruction gradient times s_i: +1 in `positive`, -pressure_i in `reversal`, and in `shuffled` +1 where
the target is the example's own image and -pressure_i where it is the image of another example. `reversal_bounds` has the pressures.
"""

import dataclasses
import math
import pathlib
from typing import ClassVar

from tfinv import models
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range
from tfinv.training.destruction_training import DestructionTraining
from tfinv.training.images import ReconstructionImages
from tfinv.training.reversal_bounds import check_bound


@dataclasses.dataclass(frozen=True)
class Positive(Defence):
    """The poster's control: an autoencoder whose gradient the encoder follows.

    Attributes:
      weight: w, of the reconstruction loss.
      decoder_steps: decoder updates for each update of the encoder.
      layer: name of the encoder's last layer, such as the "stage2" of `cnn`.
    """

    NAME: ClassVar[str] = "positive"
    weight: float = 1.0
    decoder_steps: int = 2
    layer: str = models.ENCODING

    def __post_init__(self):
        check_range(self, 0.0, math.inf, "weight")
        check_range(self, 1, math.inf, "decoder_steps")

    def build(self, plan: Plan, inner: ClassifierTraining | None = None) -> DestructionTraining:
        """See `DestructionTraining`."""
        fields = dataclasses.asdict(self)
        ramp_steps = round(fields.pop("ramp", 0.0) * plan.steps * (inner.updates if inner else 1))
        dataset = plan.dataset
        return DestructionTraining(
            plan.classifier,
            self.NAME,
            dataset.images,
            dataset.labels,
            ramp_steps=ramp_steps,
            seed=plan.seed,
            inner=inner,
            **fields,
        )

    def callbacks(self, images, logdir):
        """Returns the callback that writes reconstructions of the images to TensorBoard."""
        return (ReconstructionImages(images, pathlib.Path(logdir)),)


@dataclasses.dataclass(frozen=True)
class Reversal(Positive):
    """The destruction defence of the poster's inversion experiments: the encoder receives the reversed gradient.

    Attributes:
      strength: lambda, the factor of the reversed gradient.
      bound: one of `reversal_bounds.BOUNDS`.
      ramp: fraction of the training over which lambda rises as in DANN; 0 for none.
    """

    NAME: ClassVar[str] = "reversal"
    strength: float = 10.0
    bound: str = "class_mean"
    ramp: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "strength")
        check_range(self, 0.0, 1.0, "ramp")
        check_bound(self.bound)


@dataclasses.dataclass(frozen=True)
class Shuffled(Reversal):
    """The destruction defence of the poster's Table 1: reversed where the target is the image of another example."""

    NAME: ClassVar[str] = "shuffled"
