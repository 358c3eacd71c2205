"""Models inverted by the same attackers and judged by the same measures: the one experiment behind faces and inversion."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation import inversion_checks
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.evaluators import JUDGES_SEED
from tfinv.evaluation.leak_checks import leak_checks
from tfinv.evaluation.measurement import CONVERGENCE, FRESH_DECODER, Measurement
from tfinv.evaluation.pooling import differences, pool
from tfinv.evaluation.provenance import no_training_data_used
from tfinv.evaluation.reconstruction import TrainingSet, against_classes
from tfinv.evaluation.references import measure_references, measure_start, with_scale
from tfinv.evaluation.training_checks import all_converged, no_collapse
from tfinv.inversion import Knowledge
from tfinv.recipes import pictures
from tfinv.recipes.attackers import Attacker
from tfinv.recipes.defended import check_member, divergence, is_robust, train_defended, untrained
from tfinv.recipes.gallery import Gallery
from tfinv.recipes.judging import Judging, arrays_of, measure_decoded, measure_found
from tfinv.recipes.nearest import Nearest, search
from tfinv.recipes.processes import spread
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
        if not is_robust(self.defence):
            object.__setattr__(self, "schedule", dataclasses.replace(self.schedule, validation_attack=None))
        check_member(self.defence, self.schedule)


@dataclasses.dataclass(frozen=True)
class Compared:
    """What a comparison found.

    Attributes:
      rows: of kinds "training", "accuracy", "inversion" and "inversion difference".
      checks: of the evaluations, the evaluators and the inversions.
      figures: in the workdir.
      measured: every inversion and fresh decoder, value by value.
      references: of the method "reference": held-out images, class means, and what the attacks began with.
      unsound: by experiment and seed, the checks of its robustness that failed.
    """

    rows: list[dict[str, Any]]
    checks: list[Check]
    figures: list[Figure]
    measured: list[Measurement]
    references: list[Measurement]
    unsound: dict[tuple[str, int], list[str]]

    @property
    def shown(self) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
        """What a report is made of."""
        return self.rows, self.checks, self.figures


def compare(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    members: Sequence[Member],
    attackers: Sequence[Attacker],
    judging: Judging,
    known: Knowledge,
    defended: Sequence[str],
    undefended: Sequence[str],
    robustness: Robustness | None = None,
    featured: int | None = None,
    pictured: Sequence[str] = (),
    labels: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    workers: int = 1,
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> Compared:
    """Trains each model, inverts each with the same attackers, measures and draws.

    A model without gradients, as one that rounds its confidences, meets only the attackers that need none.

    Args:
      train: the victims' and evaluators' training split, with which reconstructions are compared.
      test: held-out images: for test accuracies, and for the fresh decoders.
      workdir: keeps models, reconstructions and measurements.
      members: the models.
      attackers: the inversions.
      judging: evaluators and fresh decoders.
      known: what the attackers have.
      defended: labels of the members that should give away less ...
      undefended: ... than these.
      robustness: the attacks that each model meets; None for none.
      featured: a class of which each model's different samples are drawn side by side.
      pictured: names of attackers whose samples of every class are drawn for each model, with the training images nearest to them
        in its own view, which are measured, too.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      workers: processes that share the models after the first.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Returns:
      What was found; figures of the first seed.
    """
    wanted = np.arange(train.num_classes) if labels is None else np.unique(labels)
    against_classes(wanted, train.labels)
    judges = range(JUDGES_SEED, JUDGES_SEED + len(judging.evaluators))
    if own := sorted(set(seeds) & set(judges)):
        raise expected(f"seeds that are not the evaluators', {judges[0]} to {judges[-1]}", own, "Change --seed.")
    if twice := sorted({m.label for m in members if [x.label for x in members].count(m.label) > 1}):
        raise expected("each model once", ", ".join(twice), "Change --defenses, or --plain_architecture.")
    average = known.require("average", "inversions")
    _check(members, attackers, train, known, wanted)
    progress("evaluators: training")
    against, judged = judging.judges(train, test, workdir)
    references = [
        *measure_references(wanted, against, test, seed=seeds[0]),
        measure_start(average, wanted, against, name="average image", seed=seeds[0]),
    ]
    run = _Run(train, test, workdir, judging, against, known, wanted, tuple(pictured), verbose, progress)
    gallery = Gallery(wanted, train, test, against, featured)
    tasks = [(member, seed) for seed in seeds for member in members]
    for i, (member, seed) in enumerate(tasks):
        if i == 1 and workers > 1:
            # The first has trained what attacks have in common; what the others leave is read below, and not told again.
            run.progress = lambda line: None
            spread(
                _apart,
                (train, test, workdir, judging, known, wanted, tuple(pictured), tuple(attackers), robustness),
                tasks[1:],
                workers,
                done=lambda task: progress(f"{task[0].label}, seed {task[1]}: done"),
            )
        run.meet(member, seed, attackers, robustness, gallery if seed == seeds[0] else None)
    measured, references = run.measured, [*references, *run.starts]
    rows = [r for m in references for r in m.rows()] + run.rows + [r for m in measured for r in m.rows()]
    means = {k: float(np.mean(v)) for k, v in run.accuracies.items()}
    single = [r for r in rows if r["kind"] == "inversion"]
    if not measured:
        wanted_by = (
            "a model whose training does not diverge, and an inversion that it does not refuse for want of gradients"
        )
        raise expected(wanted_by, "; ".join(run.diverged) or "no inversion", "Change the trainings or --methods.")
    checks = [
        all_converged(run.diverged, len(members) * len(seeds)),
        inversion_checks.evaluators_are_accurate(judged, judging.least),
        inversion_checks.equal_accuracy(means),
        inversion_checks.attack_converged(single),
        *leak_checks(measured, train.num_classes),
        no_training_data_used({"auxiliary images": known.images, "the average image": average[None]}, train),
    ]
    present = [member.label for member in members]
    for name in defended:
        if name in present:
            check = inversion_checks.gives_away_less(single, name, undefended, measured=measured)
            checks.append(dataclasses.replace(check, name=f"{check.name} ({name})"))
    pairs = [(a, b) for a in defended for b in undefended if a in present and b in present]
    rows += pool(measured) + [d.row() for a, b in pairs for d in differences(measured, a, b)]
    figures = gallery.draw(workdir.path) + run.figures
    return Compared(with_scale(rows), merge(run.sound) + checks, figures, measured, references, run.unsound)


@dataclasses.dataclass(frozen=True)
class _Victim:
    label: str
    seed: int
    model: keras.Model
    classifier: Classifier
    images: Dataset


@dataclasses.dataclass
class _Run:
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
        # A stage of its own, or whoever reads what others left would train again what diverged there.
        said = divergence(self.workdir, f"{member.label}-{seed}", partial(self.begin, member, seed))
        if said is not None:
            self.diverged.append(f"{member.label} (seed {seed}): {said}")
            return
        victim = self.train(member, seed)
        if robustness is not None:
            self.attack(victim, robustness)
        for attacker in _meeting(attackers, victim.classifier):
            self.invert(victim, attacker, gallery)
        # What the outputs hide, the encoder does not.
        if victim.classifier.differentiable and self.judging.has_decoder(victim.model):
            self.decode(victim, gallery)

    def begin(self, member: Member, seed: int) -> None:
        self.progress(f"{member.label}, seed {seed}: training")
        self.trained(member, seed)

    def trained(self, member: Member, seed: int) -> tuple[keras.Model, list[dict[str, Any]]]:
        return train_defended(
            member.defence,
            self.train_data,
            self.test,
            member.schedule,
            self.workdir,
            label=member.label,
            seed=seed,
            verbose=self.verbose,
        )

    def train(self, member: Member, seed: int) -> _Victim:
        model, rows = self.trained(member, seed)
        self.rows += rows
        if is_robust(member.defence):
            self.sound.append((f"{member.label} (seed {seed})", no_collapse(rows)))
        if member.compared:
            self.accuracies.setdefault(member.label, []).append(rows[0]["value"])
        images, _ = member.schedule.split(self.train_data)
        return _Victim(member.label, seed, model, Classifier.from_keras(model), images)

    def attack(self, victim: _Victim, robustness: Robustness) -> None:
        self.progress(f"{victim.label}, seed {victim.seed}: attacking")
        rows, checks = robustness.judge(
            victim.classifier, self.test, self.workdir, label=victim.label, seed=victim.seed
        )
        self.rows += rows
        self.sound += [(f"{victim.label} (seed {victim.seed})", check) for check in checks]
        if failed := [check.name for check in checks if check.passed is False]:
            self.unsound[victim.label, victim.seed] = failed

    def invert(self, victim: _Victim, attacker: Attacker, gallery: Gallery | None) -> None:
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

    def decode(self, victim: _Victim, gallery: Gallery | None) -> None:
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


def _meeting(attackers, classifier):
    """Those that do without gradients, where there are none."""
    return [a for a in attackers if a.equal.ACCESS != "gradients" or classifier.differentiable]


def _check(members, attackers, train, known, wanted):
    """Raises what a training or an inversion would refuse when it is its turn, after hours of the others."""
    for member in members:
        classifier = Classifier.from_keras(untrained(member.defence, train, member.schedule))
        for attacker in _meeting(attackers, classifier):
            for _, method in attacker.budgets:
                inversion.check(classifier, wanted, method, samples=attacker.samples, knowledge=known)


def _apart(train, test, workdir, judging, known, wanted, pictured, attackers, robustness):
    """What a process of its own does with each member and seed: it leaves the stages."""
    against, _ = judging.judges(train, test, workdir)

    def meet(member, seed):
        run = _Run(train, test, workdir, judging, against, known, wanted, pictured, 0, lambda line: None)
        run.meet(member, seed, attackers, robustness, None)

    return meet


def _invert(classifier, wanted, method, samples, known, seed):
    found = inversion.invert(classifier, wanted, method, samples=samples, knowledge=known, seed=seed)
    return arrays_of(found, classifier)
