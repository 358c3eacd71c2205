"""`tfinv invert`."""

import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import files, inversion
from tfinv.evaluation.inversion_checks import attack_converged, evaluators_are_accurate
from tfinv.evaluation.leak_checks import leak_checks
from tfinv.evaluation.measurement import Measurement
from tfinv.evaluation.provenance import no_training_data_used
from tfinv.evaluation.reconstruction import against_classes
from tfinv.evaluation.references import measure_references, measure_start, with_scale
from tfinv.recipes import pictures
from tfinv.recipes.judging import Judging, accuracies_of, arrays_of, measure_found
from tfinv.recipes.nearest import search
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure, Results
from tfinv.reporting.course import course_rows
from tfinv.training.schedule import Schedule
from tfinv_cli import command, finish, flags, victim

_RECORDED = 10  # reconstructions whose course is pictured


def _run(values: Any, _: list[str]) -> None:
    begin, methods = time.perf_counter(), [(spec, inversion.method(spec)) for spec in values.methods]
    schedule = Schedule(epochs=values.epochs, batch_size=values.batch_size)
    judging = Judging(tuple(values.evaluators), schedule, identifiers=tuple(values.identifiers or ()))
    if values.identifiers and values.auxiliary is None and any(m.needs & {"images", "labels"} for _, m in methods):
        raise command.UsageError("Expected --auxiliary beside --identifiers, who learn from --split. Received: none.")
    classifier, data = victim.load(values)
    train = victim.images(values, "train")
    known = victim.knowledge(values, data, train)
    labels = np.arange(classifier.num_classes) if values.labels is None else np.unique(values.labels)
    against_classes(labels, train.labels)
    batch_size = values.inversion_batch_size
    numbers = [values.samples if method.is_drawn else 1 for _, method in methods]  # copies would count as evidence
    for (_, method), samples in zip(methods, numbers, strict=True):
        inversion.check(classifier, labels, method, samples=samples, knowledge=known, batch_size=batch_size)
    judging.check(train, data)
    folder = pathlib.Path(values.workdir)
    finish.say(f"{classifier}\ntraining evaluators: {', '.join(values.evaluators)}")
    drawn = {k: getattr(values, k) for k in ("image_size", "epochs", "batch_size")} | {"images": train.digest()}
    against = judging.judges(train, data, Workdir(folder / "evaluators", drawn))
    given = {"auxiliary images": known.images, "average image": known.require("average", "invert")[None]}
    rows = [row for m in measure_references(labels, against, data, seed=values.seed) for row in m.rows()]
    figures, measured, kept = list[Figure](), list[Measurement](), dict[str, Any]()
    for i, ((spec, method), samples) in enumerate(zip(methods, numbers, strict=True)):
        finish.say(f"{spec}: {len(labels)} classes x {samples}")
        asked = {"samples": samples, "record": _RECORDED, "batch_size": batch_size}
        found = inversion.invert(classifier, labels, method, knowledge=known, seed=values.seed, **asked)
        keys: dict[str, Any] = {"experiment": "model", "method": spec, "seed": values.seed}
        keys["budget"] = "convergence" if method.until_convergence else "steps"
        arrays = arrays_of(found, classifier)
        nearest = search(arrays, classifier, train, data) if classifier.has_features else None
        measured.append(measure_found(arrays, against, keys | {"knowledge": found.knowledge}, nearest))
        rows += measured[-1].rows()
        rows += measure_start(arrays["starts"], found.labels, against, of=spec, seed=values.seed).rows()
        if found.course is not None:
            rows += course_rows(found.course.steps, found.course.cost, found.course.confidence, **keys)
        given[f"starts of {spec}"], kept[spec], kept[f"labels of {spec}"] = arrays["starts"], found.images, found.labels
        about = (train, against, folder)
        figures += pictures.draw(arrays["images"], found.labels, nearest, *about, name=f"inversion-{i}", title=spec)
        pictures.log(found, classifier, *about, experiment="model", method=spec)
    with files.atomic_path(folder / "reconstructions.npz") as temporary:
        np.savez(temporary, **kept)
    checks = [
        victim.bounds_check(classifier, data),
        evaluators_are_accurate(accuracies_of(against, data)),
        attack_converged(rows),
        *leak_checks(measured, train.num_classes),
        no_training_data_used(given, train),
    ]
    finish.finish(Results("invert", command.resolved(values), with_scale(rows), checks, figures), folder, begin)


COMMAND = command.Command(
    "invert",
    """Reconstructs what a model's classes look like, and measures how much that gives away.

--dataset is what the model was trained on: its training split trains the evaluators and holds the nearest images. The
attacker has --auxiliary, or --split, which the model should not have seen, with labels.
WORKDIR/reconstructions.npz holds each method's reconstructions, in the model's bounds, and their labels.

  tfinv invert --model=model.keras --dataset=mnist5k --methods='miface,gradient(steps=300)' --workdir=runs/i""",
    (
        *victim.FLAGS,
        flags.METHODS,
        flags.LABELS,
        flags.GRADIENTS,
        flags.whole("samples", 1, "Reconstructions a class; of methods that draw nothing there is but one.", 1),
        flags.AUXILIARY,
        flags.whole("auxiliary_limit", 5000, "At most so many images of it.", 1),
        flags.evaluators(["mlp", "softmax", "cnn+adversarial"]),
        flags.spec_list("identifiers", None, "Who ranks persons, trained on --split alone.", example="mlp,softmax"),
        flags.epochs(10),
        flags.SEED,
        flags.BATCH_SIZE,
        flags.whole("inversion_batch_size", 512, "Reconstructions in one compiled call.", 1),
        flags.WORKDIR,
    ),
    _run,
    required=victim.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
