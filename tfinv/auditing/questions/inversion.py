"""Inversion: whether images of the classes can be reconstructed from the model, and whether others recognise them."""

import numpy as np

from tfinv import inversion
from tfinv.auditing.budget import Budget, InversionBudget
from tfinv.auditing.questions import reconstructions
from tfinv.auditing.questions.answer import Answer, Rows
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.classifier import Classifier
from tfinv.comparison.evaluators import Evaluators, evaluator_accuracies, measure_reconstructions, to_arrays
from tfinv.comparison.nearest import search
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.evaluation.inversion.inversion_checks import attack_converged, evaluators_are_accurate
from tfinv.evaluation.inversion.leak_checks import leak_checks
from tfinv.evaluation.inversion.provenance import no_training_data_used, without_copies
from tfinv.evaluation.inversion.references import measure_references, measure_start, with_scale
from tfinv.evaluation.statistics.measurement import Measurement
from tfinv.inversion import Knowledge
from tfinv.labels import first_of_each_class
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule

_FEWEST = 2  # classes, of which evaluators tell one from another


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Reconstructs classes, and measures the reconstructions beside held-out images and the training images.

    Args:
      subject: the model, its held-out images and its training images.
      budget: says with which methods.
      workdir: of the audit, where the evaluators stay.
    """
    settings = budget.inversion
    train = subject.training_images
    if train is None:
        return Answer.not_asked(
            "no training images to compare reconstructions with; pass a data set with a split train"
        )
    methods = suitable_methods(subject.classifier, settings)
    if not methods:
        return Answer.not_asked("no inversion of this budget does without scores; pass --budget=standard")
    train = train.subset(first_of_each_class(train.labels, settings.images))
    held_out = subject.data.take(settings.images)
    labels = np.unique(train.labels)
    labels = labels[labels < subject.classifier.num_classes][: settings.classes]
    if len(labels) < _FEWEST:
        return Answer.not_asked("training images of a single class")
    others = without_copies(held_out, train)
    knowledge = Knowledge(others.images, others.labels, source=f"held-out images of {held_out.name}")
    evaluators = Evaluators(settings.evaluators, Schedule(epochs=settings.epochs, batch_size=_batch(train)))
    try:
        evaluators.check(train, held_out)
    except UserError as error:
        return Answer.not_asked(f"no evaluators for these images: {error.complaint}")
    subject.progress(f"  training evaluators: {', '.join(settings.evaluators)} on {len(train)} images")
    place = Workdir(workdir.path / "evaluators", {"images": train.digest(), "epochs": settings.epochs})
    training_set = evaluators.training_set(train, held_out, place)
    measurements, runs, rows = list[Measurement](), list[reconstructions.Reconstructed](), Rows()
    sources = {"auxiliary images": knowledge.images, "average image": knowledge.require("average", "audit")[None]}
    for form in methods:
        method = inversion.method(form)
        samples = settings.samples if method.is_drawn else 1
        subject.progress(f"  {form}: {len(labels)} classes x {samples}")
        result = inversion.invert(
            subject.attacked, labels, method, samples=samples, knowledge=knowledge, seed=subject.seed
        )
        kind = "convergence" if method.until_convergence else "steps"
        keys = {"experiment": EXPERIMENT, "method": form, "seed": subject.seed, "budget": kind}
        arrays = to_arrays(result, subject.classifier)
        nearest = search(arrays, subject.classifier, train, held_out) if subject.classifier.has_features else None
        inverted = keys | {"knowledge": result.knowledge}
        measurements.append(measure_reconstructions(arrays, training_set, inverted, nearest))
        begun = measure_start(arrays["starts"], result.labels, training_set, method=form, seed=subject.seed)
        rows += [*measurements[-1].rows(), *begun.rows()]
        sources[f"starts of {form}"] = arrays["starts"]
        runs.append(reconstructions.Reconstructed(form, arrays, nearest, measurements[-1]))
    for measurement in measure_references(labels, training_set, held_out, seed=subject.seed):
        rows += measurement.rows()
    n = len(held_out)
    accuracy = float(np.mean(subject.predictions(n) == held_out.labels))
    checks = [
        evaluators_are_accurate(evaluator_accuracies(training_set, held_out), accuracy, n),
        attack_converged([row for row in rows if row["method"] in methods]),
        *leak_checks(measurements, train.num_classes),
        no_training_data_used(sources, train),
    ]
    figures = reconstructions.draw(runs, train, training_set, workdir.path, subject.assumption)
    return Answer(with_scale(rows), checks, figures)


def suitable_methods(classifier: Classifier, settings: InversionBudget) -> tuple[str, ...]:
    """Returns the methods that suit what the model gives."""
    if classifier.differentiable:
        return settings.methods
    return settings.scores_methods if classifier.scores else settings.labels_methods


def _batch(train: Dataset) -> int:
    """Images in a step of an evaluator's training: a few dozen steps an epoch where there are few images."""
    return int(np.clip(len(train) // 32, 1, 128))
