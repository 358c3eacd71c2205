"""A model of a comparison, and its training."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from tfinv.comparison.defended import check_member, divergence, is_robust, train_defended
from tfinv.datasets import Dataset
from tfinv.runs.workdir import Workdir
from tfinv.training.defence import Defence
from tfinv.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Member:
    """A model of the comparison.

    Attributes:
      label: its name in rows and files.
      defence: how it is trained.
      schedule: architecture and optimisation. Its `validation_attack` chooses the epoch of robust trainings only: by robust
        accuracy, the best epoch of any other training would be the one that has learnt least.
      compared: whether its test accuracy must equal that of the others; otherwise it is there to be inverted only.

    Raises:
      UserError: the defence can't be trained in the way of the schedule.
    """

    label: str
    defence: Defence
    schedule: Schedule
    compared: bool = True

    def __post_init__(self):
        if not self.robust:
            object.__setattr__(self, "schedule", dataclasses.replace(self.schedule, validation_attack=None))
        check_member(self.defence, self.schedule)

    @property
    def robust(self) -> bool:
        """Whether it is trained to withstand perturbations."""
        return is_robust(self.defence)

    def train(
        self, train: Dataset, test: Dataset, workdir: Workdir, seed: int, verbose: int = 0
    ) -> tuple[keras.Model, list[dict[str, Any]]]:
        """Returns the trained model and its rows; see `train_defended`, which trains it once."""
        return train_defended(
            self.defence, train, test, self.schedule, workdir, label=self.label, seed=seed, verbose=verbose
        )

    def divergence(
        self,
        train: Dataset,
        test: Dataset,
        workdir: Workdir,
        seed: int,
        verbose: int = 0,
        on_start: Callable[[], None] = lambda: None,
    ) -> str | None:
        """Returns the error of a training that diverged; None if it ended well. It is trained once, after a call of `on_start`."""

        def train_once() -> None:
            on_start()
            self.train(train, test, workdir, seed, verbose)

        # A stage of its own, or a process that reads the stages of others would repeat a training that diverged there.
        return divergence(workdir, f"{self.label}-{seed}", train_once)
