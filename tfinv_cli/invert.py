"""`tfinv invert`."""

import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import files, inversion
from tfinv.errors import UserError
from tfinv.evaluation.evaluators import check_evaluators, train_evaluators
from tfinv.evaluation.inversion_checks import attack_converged, convince_others, evaluators_are_accurate
from tfinv.evaluation.provenance import no_training_data_used
from tfinv.evaluation.reconstruction import TrainingSet, measure, nearest_pixels
from tfinv.evaluation.references import measure_references, measure_start, with_scale
from tfinv.reporting import Figure, Results
from tfinv.reporting.figures import Neighbours, neighbour_grid
from tfinv_cli import command, finish, flags, victim
from tfinv_cli.command import UsageError


def _run(values: Any, _: list[str]) -> None:
    begin = time.perf_counter()
    methods = [(spec, inversion.method(spec, start=values.start)) for spec in values.methods]
    try:
        check_evaluators(values.evaluators)
    except UserError as error:
        raise UsageError(str(error)) from error
    classifier, data = victim.load(values)
    train = victim.images(values, "train")
    labels = np.arange(classifier.num_classes) if values.labels is None else np.array(values.labels)
    folder = pathlib.Path(values.workdir)
    finish.say(f"{classifier}\ntraining evaluators: {', '.join(values.evaluators)}")
    judges = train_evaluators(
        train,
        architectures=tuple(values.evaluators),
        epochs=values.epochs,
        batch_size=values.batch_size,
        workdir=folder / "evaluators",
    )
    accuracies = {k: c.accuracy(data.images, data.labels) for k, c in judges.items()}
    against = TrainingSet.make(train.images, train.labels, judges)
    known = inversion.Knowledge(images=data.images, source=f"held-out images of {data.name}")
    rows, figures, kept = [], [], {"labels": np.repeat(labels, values.samples)}
    given = {"average image": known.require("average", "invert")[None]}
    for reference in measure_references(labels, against, data, seed=values.seed):
        rows += reference.rows()
    for i, (spec, method) in enumerate(methods):
        finish.say(f"{spec}: {len(labels)} classes x {values.samples}")
        found = inversion.invert(classifier, labels, method, samples=values.samples, knowledge=known, seed=values.seed)
        shown = classifier.to_unit(found.images)
        also = {"confidence": found.confidence, "steps": found.steps}
        keys: dict[str, Any] = {"experiment": "model", "method": spec, "budget": _budget(method), "seed": values.seed}
        given[f"starts of {spec}"] = starts = classifier.to_unit(found.starts)
        rows += measure(shown, found.labels, against, also, knowledge=found.knowledge, **keys).rows()
        rows += measure_start(starts, found.labels, against, of=spec, seed=values.seed).rows()
        kept[spec] = found.images
        near = nearest_pixels(shown, found.labels, against)
        cells = [Neighbours(a, [train.images[j]], [f"no. {j}"]) for a, j in zip(shown, near.indices, strict=True)]
        names = [train.class_names[k] for k in found.labels]
        path = pathlib.Path("figures") / f"reconstructions-{i}.png"
        neighbour_grid({spec: cells[:12]}, folder / path, columns=names[:12])
        caption = "Each reconstruction with the nearest training image of its class (pixels, L2)."
        figures.append(Figure(f"reconstructions-{i}", f"Reconstructions: {spec}", caption, str(path)))
    with files.atomic_path(folder / "reconstructions.npz") as temporary:
        np.savez(temporary, **kept)  # type: ignore[arg-type]
    checks = [
        victim.bounds_check(classifier, data),
        evaluators_are_accurate(accuracies),
        attack_converged(rows),
        convince_others(rows, train.num_classes),
        no_training_data_used(given, train),
    ]
    finish.finish(Results("invert", command.resolved(values), with_scale(rows), checks, figures), folder, begin)


def _budget(method: inversion.Inversion) -> str:
    """What ends the method: its own rule, or the number of its steps."""
    stops = isinstance(method, inversion.MIFace) or getattr(method, "patience", 0) > 0
    return "convergence" if stops else "steps"


COMMAND = command.Command(
    "invert",
    """Reconstructs what a model's classes look like, and measures how much that gives away.

--dataset is what the model was trained on: its training split trains the evaluators and holds the nearest images;
--split, which the model should not have seen, is what the attacker may have.
WORKDIR/reconstructions.npz holds the reconstructions in the model's bounds.

  tfinv invert --model=model.keras --dataset=mnist5k --methods='miface,gradient(steps=300)' --workdir=runs/i""",
    (
        *victim.FLAGS,
        flags.METHODS,
        flags.LABELS,
        flags.choice("start", "average", inversion.STARTS, "Where a method starts that does not say so itself."),
        flags.whole("samples", 1, "Reconstructions a class; they differ with --start=noise only.", 1),
        flags.spec_list(
            "evaluators", ["mlp", "softmax"], "Evaluators: architectures, not the model's own, such as mlp."
        ),
        flags.epochs(10),
        flags.SEED,
        flags.BATCH_SIZE,
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
