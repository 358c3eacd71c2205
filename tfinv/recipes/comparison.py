"""Models inverted by the same attackers and judged by the same measures: the one experiment behind faces and inversion."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation import inversion_checks
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.measurement import Measurement
from tfinv.evaluation.pooling import differences, pool
from tfinv.evaluation.provenance import no_training_data_used
from tfinv.evaluation.references import measure_references, measure_start, with_scale
from tfinv.inversion import Knowledge
from tfinv.recipes import pictures
from tfinv.recipes.attackers import CONVERGENCE, Attacker
from tfinv.recipes.defended import train_defended
from tfinv.recipes.gallery import Gallery
from tfinv.recipes.judging import Judging, measure_decoded, measure_found
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.training.defence import Defence
from tfinv.training.schedule import Schedule

FRESH_DECODER = "fresh-decoder"


@dataclasses.dataclass(frozen=True)
class Member:
    """A model of the comparison.

    Attributes:
      label: its name in rows and files.
      defence: how it is trained.
      schedule: architecture and optimisation.
      compared: whether it is held to equal accuracy; others are there to be inverted only.
    """

    label: str
    defence: Defence
    schedule: Schedule
    compared: bool = True


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
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
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
      pictured: names of attackers whose samples of every class, and the training images nearest to them, are drawn for each model.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Returns:
      Rows of kinds "training", "accuracy", "inversion" and "inversion difference", checks, and figures of the first seed.
    """
    wanted = np.arange(train.num_classes) if labels is None else np.asarray(labels)
    average = known.require("average", "inversions")
    progress("evaluators: training")
    against, judged = judging.judges(train, test, workdir)
    references = [
        *measure_references(wanted, against, test, seed=seeds[0]),
        measure_start(average, wanted, against, name="average image", seed=seeds[0]),
    ]
    rows = [r for m in references for r in m.rows()]
    measured: list[Measurement] = []
    gallery = Gallery(wanted, train, test, against, featured)
    accuracies: dict[str, list[float]] = {}
    sound: list[tuple[str, Check]] = []
    figures: list[Figure] = []
    for seed in seeds:
        for member in members:
            label = member.label
            progress(f"{label}, seed {seed}: training")
            model, training = train_defended(
                member.defence, train, test, member.schedule, workdir, label=label, seed=seed, verbose=verbose
            )
            rows += training
            if member.compared:
                accuracies.setdefault(label, []).append(training[0]["value"])
            classifier = Classifier.from_keras(model)
            if robustness is not None:
                progress(f"{label}, seed {seed}: attacking")
                curve, judged_by = robustness.judge(classifier, test, workdir, label=label, seed=seed)
                rows += curve
                sound += [(f"{label} (seed {seed})", check) for check in judged_by]
            for attacker in attackers:
                if attacker.equal.ACCESS == "gradients" and not classifier.differentiable:
                    continue
                for budget, method in attacker.budgets:
                    progress(f"{label}, seed {seed}: {attacker.name}, {budget}")
                    stage = f"{label}-{attacker.name}-{budget}-{seed}"
                    invert = partial(_invert, classifier, wanted, method, attacker.samples, known, seed)
                    found = workdir.arrays(stage, invert)
                    keys = {"experiment": label, "method": attacker.name, "budget": budget, "seed": seed}
                    keys["knowledge"] = str(found["knowledge"])
                    measured.append(_kept(workdir, stage, partial(measure_found, found, against, keys)))
                    if seed == seeds[0]:
                        gallery.add(label, attacker.name, budget, found["images"], found["labels"])
                        if attacker.name in pictured:
                            figures += pictures.draw(
                                found["images"],
                                found["labels"],
                                classifier,
                                train,
                                against,
                                workdir.path,
                                name=f"{attacker.name}-{budget}-{label}",
                                title=f"{label}, {attacker.name}, {budget}",
                            )
            if not classifier.differentiable or not judging.has_decoder(model):
                continue  # what the outputs hide, the encoder does not
            progress(f"{label}, seed {seed}: fresh decoder")
            stage = f"{label}-{FRESH_DECODER}-{seed}"
            found = workdir.arrays(stage, partial(judging.decode, model, train, test, seed))
            # An equal budget means nothing for a decoder that trains until it stops improving.
            keys = {"experiment": label, "method": FRESH_DECODER, "budget": CONVERGENCE, "seed": seed}
            keys["knowledge"] = "encodings of the training images, with the images"
            measured.append(_kept(workdir, stage, partial(measure_decoded, found, test, against, keys)))
            if seed == seeds[0]:
                gallery.add_decoded(label, found["images"])
    rows += [r for m in measured for r in m.rows()]
    means = {k: float(np.mean(v)) for k, v in accuracies.items()}
    single = [r for r in rows if r["kind"] == "inversion"]
    checks = [
        inversion_checks.evaluators_are_accurate(judged),
        inversion_checks.equal_accuracy(means),
        inversion_checks.attack_converged(single),
        inversion_checks.convince_others(single, train.num_classes),
        no_training_data_used({"auxiliary images": known.images, "the average image": average[None]}, train),
    ]
    present = [member.label for member in members]
    for name in defended:
        if name in present:
            check = inversion_checks.gives_away_less(single, name, undefended, measured=measured)
            checks.append(dataclasses.replace(check, name=f"{check.name} ({name})"))
    pairs = [(a, b) for a in defended for b in undefended if a in present and b in present]
    rows += pool(measured) + [d.row() for a, b in pairs for d in differences(measured, a, b)]
    return with_scale(rows), merge(sound) + checks, gallery.draw(workdir.path) + figures


def _invert(classifier, wanted, method, samples, known, seed):
    found = inversion.invert(classifier, wanted, method, samples=samples, knowledge=known, seed=seed)
    return {
        "images": classifier.to_unit(found.images),
        "labels": found.labels,
        "confidence": found.confidence,
        "steps": found.steps,
        "queries": found.queries,
        "knowledge": np.array(found.knowledge),
    }


def _kept(workdir, stage, make) -> Measurement:
    return Measurement.from_json(workdir.json(stage, lambda: make().to_json()))
