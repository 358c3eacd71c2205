"""Inversions of the flags: the classes reconstructed, measured and drawn."""

import pathlib
import time
from typing import Any

import numpy as np

from tfinv import files, inversion
from tfinv.comparison import pictures
from tfinv.comparison.evaluators import Evaluators, evaluator_accuracies, measure_reconstructions, to_arrays
from tfinv.comparison.nearest import search
from tfinv.errors import UsageError
from tfinv.evaluation.inversion.inversion_checks import attack_converged, evaluators_are_accurate
from tfinv.evaluation.inversion.leak_checks import leak_checks
from tfinv.evaluation.inversion.provenance import no_training_data_used
from tfinv.evaluation.inversion.reconstruction import check_classes
from tfinv.evaluation.inversion.references import measure_references, measure_start, with_scale
from tfinv.evaluation.statistics.measurement import Measurement
from tfinv.labels import first_of_each_class
from tfinv.reporting import Figure, Results
from tfinv.reporting.figures.course import course_rows
from tfinv.runs import descriptions
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule
from tfinv_cli.common import command, finish, target
from tfinv_cli.common.progress import TrainingLines

_RECORDED = 10  # reconstructions whose course is pictured


def run(values: Any) -> None:
    """Runs `tfinv invert`.

    Args:
      values: the flags.

    Raises:
      UserError: flags that exclude each other, or files that can't be read, before any evaluator is trained.
    """
    start, methods = time.perf_counter(), [(spec, inversion.method(spec)) for spec in values.methods]
    schedule, identifiers = Schedule(epochs=values.epochs, batch_size=values.batch_size), values.identifiers or ()
    evaluators = Evaluators(tuple(values.evaluators), schedule, identifiers=tuple(identifiers))
    if identifiers and values.auxiliary is None and any(m.needs & {"images", "labels"} for _, m in methods):
        raise UsageError("Expected --auxiliary beside --identifiers, who learn from --split. Received: none.")
    classifier, data = target.load(values)
    train = target.images(values, "train", classifier=classifier)
    learned = train if values.limit is None else train.subset(first_of_each_class(train.labels, values.limit))
    knowledge = target.knowledge(values, data, train)
    labels = np.arange(classifier.num_classes) if values.labels is None else np.unique(values.labels)
    check_classes(labels, train.labels)
    batch_size = values.inversion_batch_size
    numbers = [values.samples if method.is_drawn else 1 for _, method in methods]  # copies would count as evidence
    for (_, method), samples in zip(methods, numbers, strict=True):
        inversion.check(classifier, labels, method, samples=samples, knowledge=knowledge, batch_size=batch_size)
    evaluators.check(learned, data)
    folder = pathlib.Path(values.workdir)
    finish.say(descriptions.introduction(classifier, data))
    clean = target.clean_accuracy(values, classifier, data)
    finish.say(f"training evaluators: {', '.join(values.evaluators)}")
    settings = {k: getattr(values, k) for k in ("image_size", "epochs", "batch_size")} | {"images": learned.digest()}
    place = folder / ("evaluators" if learned is train else f"evaluators-{len(learned)}")
    training_set = evaluators.training_set(learned, data, Workdir(place, settings), TrainingLines)
    sources = {"auxiliary images": knowledge.images, "average image": knowledge.require("average", "invert")[None]}
    rows = [row for m in measure_references(labels, training_set, data, seed=values.seed) for row in m.rows()]
    figures, measurements, arrays_on_disk = list[Figure](), list[Measurement](), dict[str, Any]()
    for i, ((spec, method), samples) in enumerate(zip(methods, numbers, strict=True)):
        finish.say(f"{spec}: {len(labels)} classes x {samples}")
        options = {"samples": samples, "record": _RECORDED, "batch_size": batch_size}
        result = inversion.invert(classifier, labels, method, knowledge=knowledge, seed=values.seed, **options)
        budget = "convergence" if method.until_convergence else "steps"
        keys = {"experiment": "model", "method": spec, "seed": values.seed, "budget": budget}
        arrays = to_arrays(result, classifier)
        nearest = search(arrays, classifier, train, data) if classifier.has_features else None
        inverted = keys | {"knowledge": result.knowledge}
        measurements.append(measure_reconstructions(arrays, training_set, inverted, nearest))
        begun = measure_start(arrays["starts"], result.labels, training_set, method=spec, seed=values.seed)
        rows += [*measurements[-1].rows(), *begun.rows()]
        if (course := result.course) is not None:
            rows += course_rows(course.steps, course.cost, course.confidence, **keys)
        sources[f"starts of {spec}"] = arrays["starts"]
        arrays_on_disk |= {spec: result.images, f"labels of {spec}": result.labels}
        about = (train, training_set, folder)
        figures += pictures.draw(arrays, nearest, *about, name=f"inversion-{i}", title=spec)
        pictures.log(result, classifier, *about, experiment="model", method=spec)
    with files.atomic_path(folder / "reconstructions.npz") as temporary:
        np.savez(temporary, **arrays_on_disk)
    accuracy = classifier.accuracy(classifier.from_unit(data.images), data.labels, values.batch_size)
    checks = [
        *clean,
        evaluators_are_accurate(evaluator_accuracies(training_set, data), accuracy, len(data)),
        attack_converged(rows),
        *leak_checks(measurements, train.num_classes),
        no_training_data_used(sources, train),
    ]
    results = Results("invert", command.resolved(values), with_scale(rows), checks, figures)
    finish.finish(results, folder, start, descriptions.about(classifier, data), verbose=values.verbose)
