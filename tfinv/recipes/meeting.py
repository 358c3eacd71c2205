"""What each model of a comparison meets: its training, the attacks that judge it, the inversions, the measures."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.evaluation.measurement import CONVERGENCE, FRESH_DECODER, Measurement
from tfinv.evaluation.reconstruction import TrainingSet
from tfinv.evaluation.references import measure_start
from tfinv.evaluation.training_checks import no_collapse
from tfinv.inversion import Knowledge
from tfinv.recipes import pictures
from tfinv.recipes.attackers import Attacker
from tfinv.recipes.defended import check_member, divergence, is_robust, train_defended
from tfinv.recipes.gallery import Gallery
from tfinv.recipes.judging import Judging, arrays_of, measure_decoded, measure_found
from tfinv.recipes.nearest import Nearest, search
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.training.defence import Defence
from tfinv.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Member:
    """A model of the comparison.

    Attributes:
      label: its name in rows and files.
      defence: how it is trained.
      schedule: architecture and optimisation. Its `validation_attack` chooses the epoch of robust trainings alone: by robust
        accuracy, one as usual would be judged by the epoch in which it had learnt least.
      compared: whether it is held to equal accuracy; others are there to be inverted only.

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
        """The model and its rows; see `train_defended`, which trains it once."""
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
        begins: Callable[[], None] = lambda: None,
    ) -> str | None:
        """How its training failed to converge; None if it came to its end. It is trained once, and tells `begins` first."""

        def end() -> None:
            begins()
            self.train(train, test, workdir, seed, verbose)

        # A stage of its own, or whoever reads what others left would train again what diverged there.
        return divergence(workdir, f"{self.label}-{seed}", end)


@dataclasses.dataclass(frozen=True)
class _Victim:
    label: str
    seed: int
    model: keras.Model
    classifier: Classifier
    images: Dataset


@dataclasses.dataclass
class Meeting:
    """What every model of a comparison meets, and what was found of them so far; each step of it is a stage of the workdir."""

    train_data: Dataset
    test: Dataset
    workdir: Workdir
    judging: Judging
    against: TrainingSet
    known: Knowledge
    wanted: np.ndarray
    pictured: tuple[str, ...]
    verbose: int
    progress: Callable[[str], None]
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    measured: list[Measurement] = dataclasses.field(default_factory=list)
    starts: list[Measurement] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    accuracies: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    sound: list[tuple[str, Check]] = dataclasses.field(default_factory=list)
    unsound: dict[tuple[str, int], list[str]] = dataclasses.field(default_factory=dict)
    diverged: list[str] = dataclasses.field(default_factory=list)

    def meet(
        self,
        member: Member,
        seed: int,
        attackers: Sequence[Attacker],
        robustness: Robustness | None,
        gallery: Gallery | None,
    ) -> None:
        """All that one model meets; nothing but a note where its training diverges, as the others are worth having."""
        begins = partial(self.progress, f"{member.label}, seed {seed}: training")
        said = member.divergence(self.train_data, self.test, self.workdir, seed, self.verbose, begins)
        if said is not None:
            self.diverged.append(f"{member.label} (seed {seed}): {said}")
            return
        victim = self._victim(member, seed)
        if robustness is not None:
            self._attack(victim, robustness)
        for attacker in usable(attackers, victim.classifier):
            self._invert(victim, attacker, gallery)
        # What the outputs hide, the encoder does not.
        if victim.classifier.differentiable and self.judging.has_decoder(victim.model):
            self._decode(victim, gallery)

    def _victim(self, member: Member, seed: int) -> _Victim:
        model, rows = member.train(self.train_data, self.test, self.workdir, seed, self.verbose)
        self.rows += rows
        if member.robust:
            self.sound.append((f"{member.label} (seed {seed})", no_collapse(rows)))
        if member.compared:
            self.accuracies.setdefault(member.label, []).append(rows[0]["value"])
        images, _ = member.schedule.split(self.train_data)
        return _Victim(member.label, seed, model, Classifier.from_keras(model), images)

    def _attack(self, victim: _Victim, robustness: Robustness) -> None:
        self.progress(f"{victim.label}, seed {victim.seed}: attacking")
        rows, checks = robustness.judge(
            victim.classifier, self.test, self.workdir, label=victim.label, seed=victim.seed
        )
        self.rows += rows
        self.sound += [(f"{victim.label} (seed {victim.seed})", check) for check in checks]
        if failed := [check.name for check in checks if check.passed is False]:
            self.unsound[victim.label, victim.seed] = failed

    def _invert(self, victim: _Victim, attacker: Attacker, gallery: Gallery | None) -> None:
        for budget, method in attacker.budgets:
            self.progress(f"{victim.label}, seed {victim.seed}: {attacker.name}, {budget}")
            stage = f"{victim.label}-{attacker.name}-{budget}-{victim.seed}"
            make = partial(_invert, victim.classifier, self.wanted, method, attacker.samples, self.known, victim.seed)
            found = self.workdir.arrays(stage, make)
            nearest = None
            if attacker.name in self.pictured and victim.classifier.has_features:
                nearest = self._nearest(stage, victim, found)
            measure = partial(measure_found, nearest=nearest)
            self._measure(stage, victim, attacker.name, budget, str(found["knowledge"]), measure, found)
            if gallery is None:
                continue
            gallery.add(victim.label, attacker.name, budget, found)
            self._measure_start(attacker.name, victim.seed, found)
            if attacker.name in self.pictured:
                self.figures += pictures.draw(
                    found["images"],
                    found["labels"],
                    nearest,
                    victim.images,
                    self.against,
                    self.workdir.path,
                    name=f"{attacker.name}-{budget}-{victim.label}",
                    title=f"{victim.label}, {attacker.name}, {budget}",
                )

    def _decode(self, victim: _Victim, gallery: Gallery | None) -> None:
        self.progress(f"{victim.label}, seed {victim.seed}: fresh decoder")
        stage = f"{victim.label}-{FRESH_DECODER}-{victim.seed}"
        make = partial(self.judging.decode, victim.model, self.train_data, self.test, victim.seed)
        found = self.workdir.arrays(stage, make)
        knowledge = "encodings of the training images, with the images"
        measure = partial(measure_decoded, test=self.test)
        # An equal budget means nothing for a decoder that trains until it stops improving.
        self._measure(stage, victim, FRESH_DECODER, CONVERGENCE, knowledge, measure, found)
        if gallery is not None:
            gallery.add_decoded(victim.label, found["images"])

    def _nearest(self, stage, victim, found):
        def made():
            return search(found, victim.classifier, victim.images, self.test).to_arrays()

        return Nearest.from_arrays(self.workdir.arrays(f"nearest-{stage}", made))

    def _measure_start(self, method, seed, found):
        """Once an attacker: what its reconstructions have in common with what it began with is no leak."""
        if not any(m.keys["of"] == method for m in self.starts):

            def made():
                begun = measure_start(found["starts"], found["labels"], self.against, of=method, seed=seed)
                return begun.to_json()

            self.starts.append(Measurement.from_json(self.workdir.json(f"start-{method}-{seed}", made)))

    def _measure(self, stage, victim, method, budget, knowledge, measure, found):
        keys = {"experiment": victim.label, "method": method, "budget": budget, "seed": victim.seed}
        keys["knowledge"] = knowledge

        def made():
            return measure(found, against=self.against, keys=keys).to_json()

        self.measured.append(Measurement.from_json(self.workdir.json(stage, made)))


def usable(attackers: Sequence[Attacker], classifier: Classifier) -> list[Attacker]:
    """Those that do without gradients, where there are none."""
    return [a for a in attackers if a.equal.ACCESS != "gradients" or classifier.differentiable]


def _invert(classifier, wanted, method, samples, known, seed):
    found = inversion.invert(classifier, wanted, method, samples=samples, knowledge=known, seed=seed)
    return arrays_of(found, classifier)
