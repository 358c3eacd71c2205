"""Models inverted by the same attackers and judged by the same measures: the one experiment behind faces and inversion."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation import inversion_checks
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.leak_checks import leak_checks
from tfinv.evaluation.measurement import Measurement
from tfinv.evaluation.pooling import differences, pool
from tfinv.evaluation.provenance import no_training_data_used
from tfinv.evaluation.reconstruction import against_classes
from tfinv.evaluation.references import measure_references, measure_start, with_scale
from tfinv.evaluation.training_checks import all_converged
from tfinv.inversion import Knowledge
from tfinv.recipes.attackers import Attacker
from tfinv.recipes.defended import untrained
from tfinv.recipes.gallery import Gallery
from tfinv.recipes.judging import Judge, Judging, accuracies_of
from tfinv.recipes.meeting import Meeting, Member, usable
from tfinv.recipes.processes import spread
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure


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
      workers: processes that share the trainings, and then the models after the first.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Returns:
      What was found; figures of the first seed.
    """
    wanted = np.arange(train.num_classes) if labels is None else np.unique(labels)
    against_classes(wanted, train.labels)
    theirs = {judge.seed for judge in judging.each}
    if own := sorted(theirs.intersection(seeds)):
        listed = ", ".join(map(str, sorted(theirs)))
        raise expected(f"seeds that are not the evaluators', {listed}", own, "Change --seed.")
    if twice := sorted({m.label for m in members if [x.label for x in members].count(m.label) > 1}):
        raise expected("each model once", ", ".join(twice), "Change --defenses, or --plain_architecture.")
    average = known.require("average", "inversions")
    _check(members, attackers, train, known, wanted)
    judging.check(train, test)
    tasks = [(member, seed) for seed in seeds for member in members]
    if workers > 1:
        _train(tasks, train, test, workdir, judging, workers, progress)
    else:
        progress("evaluators: training")
    against = judging.judges(train, test, workdir)
    references = [
        *measure_references(wanted, against, test, seed=seeds[0]),
        measure_start(average, wanted, against, name="average image", seed=seeds[0]),
    ]
    run = Meeting(train, test, workdir, judging, against, known, wanted, tuple(pictured), verbose, progress)
    gallery = Gallery(wanted, train, test, against, featured)
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
        inversion_checks.evaluators_are_accurate(accuracies_of(against, test), judging.least),
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


def _check(members, attackers, train, known, wanted):
    """Raises what a training or an inversion would refuse when it is its turn, after hours of the others."""
    for member in members:
        classifier = Classifier.from_keras(untrained(member.defence, train, member.schedule))
        for attacker in usable(attackers, classifier):
            for _, method in attacker.budgets:
                inversion.check(classifier, wanted, method, samples=attacker.samples, knowledge=known)


def _train(tasks, train, test, workdir, judging, workers, progress):
    """All models and their judges at once: not even the first model has to wait for those who will judge it."""
    trainings = [*tasks, *((judge, judge.seed) for judge in judging.each)]
    # Those of several passes a step take longest: the last to begin should not be one of them.
    trainings.sort(key=lambda task: not task[0].robust)

    progress(f"trainings: {len(trainings)}, shared among {workers} processes")

    def done(task):
        progress(f"{task[0].label}, seed {task[1]}: trained")

    spread(_training, (train, test, workdir, judging), trainings, workers, done)


def _training(train, test, workdir, judging):
    """What a process of its own does with each training: it leaves the model."""

    def one(what, seed):
        if isinstance(what, Judge):
            judging.train(what, train, test, workdir)
        else:
            what.divergence(train, test, workdir, seed)

    return one


def _apart(train, test, workdir, judging, known, wanted, pictured, attackers, robustness):
    """What a process of its own does with each member and seed: it leaves the stages."""
    against = judging.judges(train, test, workdir)

    def meet(member, seed):
        run = Meeting(train, test, workdir, judging, against, known, wanted, pictured, 0, lambda line: None)
        run.meet(member, seed, attackers, robustness, None)

    return meet
