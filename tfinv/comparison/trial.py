"""The trial of one model of a comparison: its training, the attacks on it, the inversions and their measures."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.comparison import pictures
from tfinv.comparison.attackers import Attacker
from tfinv.comparison.evaluators import Arrays, measure_decoded, measure_reconstructions, to_arrays
from tfinv.comparison.gallery import Gallery
from tfinv.comparison.member import Member
from tfinv.comparison.membership.shadowless import Sides
from tfinv.comparison.nearest import NearestImages, search
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion.reconstruction import TrainingSet
from tfinv.evaluation.inversion.references import measure_start
from tfinv.evaluation.statistics.measurement import CONVERGENCE, FRESH_DECODER, Measurement
from tfinv.evaluation.training_checks import no_collapse
from tfinv.reporting import Figure
from tfinv.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class _Victim:
    """A trained model under attack; `images` are those that it was trained on."""

    label: str
    seed: int
    model: keras.Model
    classifier: Classifier
    images: Dataset

    @property
    def name(self) -> str:
        return f"{self.label}, seed {self.seed}"

    def keys(self, method: str, budget: str, knowledge: str) -> dict[str, Any]:
        """The keys that the rows of an inversion have in common."""
        keys = {"experiment": self.label, "method": method, "budget": budget, "seed": self.seed}
        return keys | {"knowledge": knowledge}


@dataclasses.dataclass
class Findings:
    """Results of the trials so far.

    Attributes:
      rows: of kinds "training", "accuracy" and "membership".
      measurements: of every inversion and fresh decoder.
      starts: measurements of what the attackers start from, one an attacker.
      figures: of the pictured attackers.
      accuracies: test accuracies of the members that are compared, by label.
      checks: of trainings and robustness, each with the name of its trial.
      failed_checks: names of the failed checks of robustness, by label and seed.
      diverged: name and error of each training that diverged.
    """

    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    measurements: list[Measurement] = dataclasses.field(default_factory=list)
    starts: list[Measurement] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    accuracies: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    checks: list[tuple[str, Check]] = dataclasses.field(default_factory=list)
    failed_checks: dict[tuple[str, int], list[str]] = dataclasses.field(default_factory=dict)
    diverged: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Trial:
    """The trial of every model of a comparison, each step of it a stage of the workdir.

    Attributes:
      splits: the data set.
      workdir: keeps the stages.
      protocol: the attacks and measures.
      training_set: the training images and the evaluators.
      execution: progress and verbosity.
      findings: results, to which each run adds its own.
    """

    splits: Splits
    workdir: Workdir
    protocol: Protocol
    training_set: TrainingSet
    execution: Execution = SILENT
    findings: Findings = dataclasses.field(default_factory=Findings)

    def run(self, member: Member, seed: int, gallery: Gallery | None = None) -> None:
        """Trains, attacks and inverts one model; one whose training diverges is only noted, since the others are worth having.

        Args:
          member: the model.
          seed: of its training and of the attacks.
          gallery: collects pictures; None draws nothing.
        """
        on_start = partial(self.execution.progress, f"{member.label}, seed {seed}: training")
        train, test = self.splits.train, self.splits.test
        error = member.divergence(train, test, self.workdir, seed, self.execution.verbose, on_start)
        if error is not None:
            self.findings.diverged.append(f"{member.label} (seed {seed}): {error}")
            return
        victim = self._victim(member, seed)
        if self.protocol.robustness is not None:
            self._attack(victim, self.protocol.robustness)
        if self.protocol.members:
            self._infer_membership(victim)
        for attacker in usable_attackers(self.protocol.attackers, victim.classifier):
            self._invert(victim, attacker, gallery)
        # The encoder does not hide what the outputs do.
        if victim.classifier.differentiable and self.protocol.evaluators.has_decoder(victim.model):
            self._decode(victim, gallery)

    def _victim(self, member: Member, seed: int) -> _Victim:
        train, test = self.splits.train, self.splits.test
        model, rows = member.train(train, test, self.workdir, seed, self.execution.verbose)
        self.findings.rows += rows
        if member.robust:
            self.findings.checks.append((f"{member.label} (seed {seed})", no_collapse(rows)))
        if member.compared:
            self.findings.accuracies.setdefault(member.label, []).append(rows[0]["value"])
        images, _ = member.schedule.split(train)
        return _Victim(member.label, seed, model, Classifier.from_keras(model), images)

    def _attack(self, victim: _Victim, robustness: Robustness) -> None:
        self.execution.progress(f"{victim.name}: attacking")
        rows, checks = robustness.evaluate(
            victim.classifier, self.splits.test, self.workdir, label=victim.label, seed=victim.seed
        )
        self.findings.rows += rows
        self.findings.checks += [(f"{victim.label} (seed {victim.seed})", check) for check in checks]
        if failed := [check.name for check in checks if check.passed is False]:
            self.findings.failed_checks[victim.label, victim.seed] = failed

    def _infer_membership(self, victim: _Victim) -> None:
        sides = Sides.draw(victim.images, self.splits.test, self.protocol.members)
        rows = partial(sides.rows, victim.classifier, victim.label, victim.seed)
        self.findings.rows += self.workdir.json(f"membership-{victim.label}-{victim.seed}", rows)

    def _invert(self, victim: _Victim, attacker: Attacker, gallery: Gallery | None) -> None:
        for budget, method in attacker.budgets:
            self.execution.progress(f"{victim.name}: {attacker.name}, {budget}")
            stage = f"{victim.label}-{attacker.name}-{budget}-{victim.seed}"
            arrays = self.workdir.arrays(stage, partial(self._reconstruct, victim, method, attacker.samples))
            nearest = None
            if attacker.name in self.protocol.pictured and victim.classifier.has_features:
                nearest = self._nearest(stage, victim, arrays)
            keys = victim.keys(attacker.name, budget, str(arrays["knowledge"]))
            self._measure(stage, partial(measure_reconstructions, arrays, self.training_set, keys, nearest))
            if gallery is None:
                continue
            gallery.add(victim.label, attacker.name, budget, arrays)
            self._measure_start(attacker.name, victim.seed, arrays)
            if attacker.name in self.protocol.pictured:
                self.findings.figures += pictures.draw(
                    arrays,
                    nearest,
                    victim.images,
                    self.training_set,
                    self.workdir.path,
                    name=f"{attacker.name}-{budget}-{victim.label}",
                    title=f"{victim.label}, {attacker.name}, {budget}",
                )

    def _reconstruct(self, victim: _Victim, method: inversion.Inversion, samples: int) -> Arrays:
        classes, knowledge = self.protocol.target_classes(self.splits.train.num_classes), self.protocol.knowledge
        result = inversion.invert(
            victim.classifier, classes, method, samples=samples, knowledge=knowledge, seed=victim.seed
        )
        return to_arrays(result, victim.classifier)

    def _decode(self, victim: _Victim, gallery: Gallery | None) -> None:
        self.execution.progress(f"{victim.name}: fresh decoder")
        stage = f"{victim.label}-{FRESH_DECODER}-{victim.seed}"
        train, test = self.splits.train, self.splits.test
        decode = partial(self.protocol.evaluators.decode, victim.model, train, test, victim.seed)
        arrays = self.workdir.arrays(stage, decode)
        knowledge = "encodings of the training images, with the images"
        # An equal budget means nothing for a decoder that trains until it stops improving.
        keys = victim.keys(FRESH_DECODER, CONVERGENCE, knowledge)
        self._measure(stage, partial(measure_decoded, arrays, test, self.training_set, keys))
        if gallery is not None:
            gallery.add_decoded(victim.label, arrays["images"])

    def _nearest(self, stage: str, victim: _Victim, arrays: Arrays) -> NearestImages:
        def make() -> Arrays:
            return search(arrays, victim.classifier, victim.images, self.splits.test).to_arrays()

        return NearestImages.from_arrays(self.workdir.arrays(f"nearest-{stage}", make))

    def _measure_start(self, method: str, seed: int, arrays: Arrays) -> None:
        """Measures an attacker's start once: what its reconstructions have in common with that is no leak."""
        starts = self.findings.starts
        if not any(m.keys["of"] == method for m in starts):
            measure = partial(
                measure_start, arrays["starts"], arrays["labels"], self.training_set, method=method, seed=seed
            )
            starts.append(self._measurement(f"start-{method}-{seed}", measure))

    def _measure(self, stage: str, measure: Callable[[], Measurement]) -> None:
        self.findings.measurements.append(self._measurement(stage, measure))

    def _measurement(self, stage: str, measure: Callable[[], Measurement]) -> Measurement:
        return Measurement.from_json(self.workdir.json(stage, lambda: measure().to_json()))


def usable_attackers(attackers: Sequence[Attacker], classifier: Classifier) -> list[Attacker]:
    """Attackers of a classifier: without gradients, only those that need none."""
    return [a for a in attackers if a.equal.ACCESS != "gradients" or classifier.differentiable]
