"""A run of a published experiment: its settings, data and workdir, and the parts that all experiments make of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfinv import datasets, models
from tfinv.catalogue import Registry
from tfinv.comparison.attackers import load_auxiliary
from tfinv.comparison.evaluators import Evaluators, evaluators_schedule
from tfinv.comparison.protocol import SILENT, Execution
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion.provenance import without_copies
from tfinv.reporting import Figure
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule

Report = tuple[list[dict[str, Any]], list[Check], list[Figure]]

# Experiments whose attackers have images of their own.
COMPARISONS = ("inversion", "cifar10", "fer2013", "frontier")
_EXPERIMENTS = Registry(
    {
        "demo": "tfinv.experiments.demo:reproduce",
        "table1": "tfinv.experiments.table1:reproduce",
        "faces": "tfinv.experiments.faces:reproduce",
        "inversion": "tfinv.experiments.inversion:reproduce",
        "cifar10": "tfinv.experiments.robust_or_private:reproduce",
        "fer2013": "tfinv.experiments.robust_or_private:reproduce",
        "frontier": "tfinv.experiments.frontier:reproduce",
        "membership": "tfinv.experiments.membership:reproduce",
    }
)


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """A run of an experiment.

    Attributes:
      experiment: its name, one of `settings.DEFAULTS`.
      config: its configuration, see `settings.resolve`.
      train: training split.
      test: held-out images.
      workdir: keeps every finished stage.
      auxiliary: images of the attackers, see `auxiliary_images`; None where they have only the held-out ones.
      execution: processes and progress.
    """

    experiment: str
    config: Mapping[str, Any]
    train: Dataset
    test: Dataset
    workdir: Workdir
    auxiliary: Dataset | None = None
    execution: Execution = SILENT

    def report(self) -> Report:
        """Runs the experiment.

        Returns:
          Rows, checks and figures.

        Raises:
          UserError: settings that it refuses, before anything is trained.
        """
        return _EXPERIMENTS[self.experiment](self)

    @property
    def seeds(self) -> range:
        """Seeds, each of a training and an evaluation."""
        return range(self.config["seed"], self.config["seed"] + self.config.get("seeds", 1))

    @cached_property
    def schedule(self) -> Schedule:
        """Architecture and optimisation."""
        names = [field.name for field in dataclasses.fields(Schedule)]
        return Schedule(**{name: self.config[name] for name in names if name in self.config})

    @property
    def evaluators(self) -> Evaluators:
        """Evaluators and fresh decoders."""
        return Evaluators(
            tuple(self.config["evaluators"]),
            evaluators_schedule(self.schedule, self.config["evaluator_epochs"]),
            identifiers=self.identifiers,
            decoder_images=self.config["decoder_images"],
            decoder_epochs=self.config["decoder_epochs"],
        )

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Evaluators that see the held-out photographs alone, where the classes are people."""
        return ("mlp", "softmax") if self.train.name == "att_faces" else ()

    @property
    def robustness(self) -> Robustness:
        """Adversarial attacks on each model."""
        c = self.config
        return Robustness(tuple(c["attacks"]), tuple(c["eps"]), c["attack_limit"], c["gradients"])

    @property
    def same_classes(self) -> bool:
        """Whether the auxiliary labels are those of the training split."""
        return self.config["auxiliary"] in (None, self.config["dataset"])

    def select(self, *names: str) -> dict[str, Any]:
        """Returns those of the named settings that the configuration has."""
        return {name: self.config[name] for name in names if name in self.config}


def auxiliary_images(config: Mapping[str, Any], train: Dataset, data_dir: str | None) -> Dataset:
    """Loads the attackers' images: the first of another data set, or the last training images of the same; no copies of `train`.

    Raises:
      UserError: the training split is too small to leave the attackers images, or another data set has other channels.
    """
    name, count = config["auxiliary"] or config["dataset"], config["auxiliary_limit"]
    if name != config["dataset"]:
        with from_flag("--auxiliary"):
            return without_copies(load_auxiliary(name, train, data_dir, count), train)
    whole = datasets.load(name, "train", data_dir=data_dir, image_size=train.image_shape[:2])
    if len(whole) < len(train) + count:
        raise expected(
            f"a training split with {count} images beside the {len(train)} of training",
            f"{len(whole)} in all",
            "Lower --train_limit or --auxiliary_limit, or name another data set with --auxiliary.",
        )
    return without_copies(whole.subset(np.arange(len(whole) - count, len(whole))), train)


def other_architectures(architecture: str) -> Sequence[str]:
    """Returns evaluators for models of one architecture: two others, and one that is trained adversarially."""
    others = {"cnn": ("mlp", "softmax"), "softmax": ("mlp", "cnn")}.get(
        models.name_of(architecture), ("cnn", "softmax")
    )
    return (*others, "cnn+adversarial")
