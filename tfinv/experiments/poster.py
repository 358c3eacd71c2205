"""The models of the poster that proposed the destruction defence: one network trained in each of its four experiments."""

import dataclasses
from typing import Any

import keras

from tfinv.comparison.defended import train_defended
from tfinv.datasets import Dataset
from tfinv.errors import from_flag
from tfinv.experiments.reproduction import Reproduction
from tfinv.experiments.settings.poster import DESTRUCTION
from tfinv.runs.workdir import Workdir
from tfinv.training import destruction_training
from tfinv.training.defences import DEFENCES, Defence
from tfinv.training.schedule import Schedule

EXPERIMENTS = ("baseline", *destruction_training.EXPERIMENTS)


@dataclasses.dataclass(frozen=True)
class PosterTraining:
    """Training of the poster's models: a schedule, and the fields of the destruction defence for all experiments.

    Attributes:
      schedule: architecture and optimisation of the classifier; the decoder has Adam at 1e-3.
      strength: lambda.
      weight: of the reconstruction loss.
      bound: of the reversed loss.
      ramp: fraction of the training over which lambda rises as in DANN; 0 for none.
      decoder_steps: steps of the decoder for one of the encoder.

    Raises:
      UserError: a field is out of range.
    """

    schedule: Schedule = dataclasses.field(default_factory=Schedule)
    strength: float = DESTRUCTION["strength"]
    weight: float = DESTRUCTION["weight"]
    bound: str = DESTRUCTION["bound"]
    ramp: float = DESTRUCTION["ramp"]
    decoder_steps: int = DESTRUCTION["decoder_steps"]

    def __post_init__(self):
        for experiment in EXPERIMENTS:
            self.of(experiment)

    def of(self, experiment: str) -> Defence:
        """Returns the defence of one of `EXPERIMENTS`, with those of the fields that it has."""
        cls = DEFENCES["none" if experiment == "baseline" else experiment]
        return cls(**{f.name: getattr(self, f.name) for f in dataclasses.fields(cls) if hasattr(self, f.name)})


def train_experiment(
    experiment: str,
    train: Dataset,
    test: Dataset,
    training: PosterTraining,
    workdir: Workdir,
    *,
    seed: int = 0,
    verbose: int = 0,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Trains the classifier of one experiment, or reads it if the workdir has it; see `train_defended`.

    Args:
      experiment: one of `EXPERIMENTS`.
      train: training split.
      test: the split whose accuracy is reported.
      training: schedule and hyper-parameters.
      workdir: keeps the model, its backups and its TensorBoard logs.
      seed: of weights, order of examples and shuffled targets.
      verbose: as Keras's.

    Returns:
      A plain Keras model from [0, 1] images to logits, and its rows of kind "training".
    """
    return train_defended(
        training.of(experiment), train, test, training.schedule, workdir, label=experiment, seed=seed, verbose=verbose
    )


def poster_training(run: Reproduction) -> PosterTraining:
    """Returns the training of the poster's models with the settings of a reproduction.

    Raises:
      UserError: a setting is out of range.
    """
    schedule = run.schedule
    with from_flag(", ".join(f"--{name}" for name in DESTRUCTION)):
        return PosterTraining(schedule, **run.select(*DESTRUCTION))
