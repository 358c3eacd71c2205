"""The poster's inversion experiment: the same attacker against each model, on AT&T faces and on MNIST."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation import inversion_checks
from tfinv.evaluation.check import Check
from tfinv.evaluation.decoder_probe import probe_encoder
from tfinv.evaluation.evaluators import train_evaluators
from tfinv.evaluation.reconstruction import TrainingSet, measure, nearest_pixels, row, ssim
from tfinv.inversion import Gradient, Inversion, MIFace
from tfinv.recipes.poster import EXPERIMENTS, Defence, train_experiment
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
from tfinv.reporting.figures import Neighbours, image_grid, neighbour_grid

# A label, the architecture and the experiment of each model.
Model = tuple[str, str, str]

SHOWN = 10  # classes in the pictures


@dataclasses.dataclass(frozen=True)
class Attacker:
    """One inversion in its two budgets.

    Attributes:
      name: of the rows.
      equal: the same number of steps for every model, with no stop rule.
      convergence: until its stop rule.
      samples: reconstructions a label; more than one needs a random start.
    """

    name: str
    equal: Inversion
    convergence: Inversion
    samples: int = 1


def attackers(steps: int, most: int, classes: int) -> list[Attacker]:
    """MIFace and gradient inversion from the average image, and gradient inversion from noise.

    Args:
      steps: of the equal budget.
      most: of the budget until convergence.
      classes: how many are reconstructed; from noise, several times each if they are few.
    """
    plain = Gradient(steps=steps, total_variation=0.1)
    settled = dataclasses.replace(plain, steps=most, patience=100)
    published = MIFace(steps=most, start="average")
    return [
        Attacker("miface", dataclasses.replace(published, steps=steps, beta=0, gamma=2.0), published),
        Attacker("gradient", plain, settled),
        Attacker(
            "gradient-from-noise",
            dataclasses.replace(plain, start="noise"),
            dataclasses.replace(settled, start="noise"),
            samples=max(1, 40 // classes),
        ),
    ]


def faces(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    members: Sequence[Model],
    evaluators: tuple[str, ...],
    defence: Defence | None = None,
    evaluator_epochs: int = 10,
    steps: int = 300,
    most_steps: int = 2000,
    labels: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Trains each model, inverts each with the same attackers, measures and draws.

    Args:
      train: the victims' and evaluators' training split, with which reconstructions are compared.
      test: held-out images: for test accuracies, and for the fresh decoders.
      workdir: keeps models, reconstructions and rows.
      members: the models.
      evaluators: architectures of the evaluators.
      defence: how the models are trained; its architecture is each member's own.
      evaluator_epochs: of each evaluator.
      steps: of the equal budget.
      most_steps: of the budget until convergence, at most.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Returns:
      Rows of kinds "training" and "inversion", checks, and figures of the first seed.
    """
    defence = defence or Defence()
    wanted = np.arange(train.num_classes) if labels is None else np.asarray(labels)
    average = train.images.mean(0)
    progress("evaluators: training")
    judges = train_evaluators(
        train,
        architectures=evaluators,
        epochs=evaluator_epochs,
        batch_size=defence.batch_size,
        workdir=workdir.path / "models" / "evaluators",
    )
    judged = {k: c.accuracy(c.from_unit(test.images), test.labels) for k, c in judges.items()}
    against = TrainingSet.make(train.images, train.labels, judges)
    rows = _references(against, wanted, average, seeds[0])
    gallery = _Gallery(wanted[:SHOWN], train, test, against)
    accuracies: dict[str, list[float]] = {}
    for seed in seeds:
        for label, architecture, experiment in members:
            progress(f"{label}, seed {seed}: training")
            own = dataclasses.replace(defence, architecture=architecture)
            model, training = train_experiment(experiment, train, test, own, workdir, seed=seed, verbose=verbose)
            rows += [r | {"experiment": label} for r in training]
            accuracies.setdefault(label, []).append(training[0]["value"])
            classifier = Classifier.from_keras(model)
            for attacker in attackers(steps, most_steps, len(wanted)):
                for budget in ("equal", "convergence"):
                    progress(f"{label}, seed {seed}: {attacker.name}, {budget}")
                    keys = {"experiment": label, "method": attacker.name, "budget": budget, "seed": seed}
                    stage = f"{label}-{attacker.name}-{budget}-{seed}"
                    found = workdir.arrays(stage, partial(_invert, classifier, wanted, attacker, budget, average, seed))
                    rows += workdir.json(stage, partial(_measure, found, against, keys))
                    if seed == seeds[0]:
                        gallery.add(label, attacker.name, budget, found["images"], found["labels"])
            if experiment == "baseline" and architecture == "softmax":
                continue  # its encoding is the image: a decoder would copy it
            progress(f"{label}, seed {seed}: fresh decoder")
            stage = f"{label}-fresh-decoder-{seed}"
            found = workdir.arrays(stage, partial(_probe, model, train, test, seed))
            keys = {"experiment": label, "method": "fresh-decoder", "budget": "convergence", "seed": seed}
            rows += workdir.json(stage, partial(_measure_probe, found, test, judges, keys))
            if seed == seeds[0]:
                gallery.add_decoded(label, found["images"])
    means = {k: float(np.mean(v)) for k, v in accuracies.items()}
    return rows, _checks(rows, means, judged, members), gallery.draw(workdir.path)


def _invert(classifier, wanted, attacker, budget, average, seed):
    method = attacker.equal if budget == "equal" else attacker.convergence
    samples = attacker.samples
    found = inversion.invert(
        classifier, wanted, method, samples=samples, average=classifier.from_unit(average), seed=seed
    )
    return {
        "images": classifier.to_unit(found.images),
        "labels": found.labels,
        "confidence": found.confidence,
        "steps": found.steps,
    }


def _measure(found, against, keys):
    also = {"confidence": found["confidence"], "steps": found["steps"]}
    return measure(found["images"], found["labels"], against, also, **keys)


def _probe(model, train, test, seed):
    probe = probe_encoder(model, train.images, train.labels, test.images, seed=seed)
    return {"images": probe.images, "errors": probe.errors}


def _measure_probe(found, test, judges, keys):
    # An equal budget means nothing for a decoder that trains until it stops improving.
    rows = [row("relative_error", found["errors"], **keys) | {"better": "lower"}]
    rows.append(row("ssim_to_original", ssim(found["images"], test.images), **keys) | {"better": "higher"})
    for name, judge in judges.items():
        hits = judge.predict(judge.from_unit(found["images"])).argmax(1) == test.labels
        rows.append(row("acc@1", hits, evaluator=name, **keys))
    return rows


def _references(against, wanted, average, seed):
    """What one gets without any model: the average image for every class, and with the training set: each class's mean."""
    keys = {"method": "reference", "budget": "none", "seed": seed}
    start = np.repeat(average[None], len(wanted), axis=0).astype(np.float32)
    return [
        *measure(start, wanted, against, experiment="average image", **keys),
        *measure(against.class_means[wanted], wanted, against, experiment="class mean", **keys),
    ]


def _checks(rows, accuracies, judged, members):
    # Other architectures are there to be inverted, not to be compared.
    compared = {k: v for k, v in accuracies.items() if k in EXPERIMENTS}
    measured = [r for r in rows if r["kind"] == "inversion"]
    checks = [
        inversion_checks.evaluators_are_accurate(judged),
        inversion_checks.equal_accuracy(compared),
        inversion_checks.attack_converged(measured),
    ]
    for defended in ("reversal", "shuffled"):
        if any(label == defended for label, _, _ in members):
            checks.append(inversion_checks.gives_away_less(measured, defended, ("baseline", "positive")))
    return checks


class _Gallery:
    """Collects the pictures of one seed, and draws them."""

    def __init__(self, labels, train: Dataset, test: Dataset, against: TrainingSet):
        self._labels, self._train, self._test, self._against = labels, train, test, against
        self._names = [train.class_names[k] for k in labels]
        self._grids: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        self._pairs: dict[str, list[Neighbours]] = {}
        self._shown = [int(np.flatnonzero(test.labels == k)[0]) for k in labels if np.any(test.labels == k)]
        self._decoded: dict[str, list[np.ndarray]] = {"image": [test.images[i] for i in self._shown]}

    def add(self, label, method, budget, images, labels):
        first = [int(np.flatnonzero(labels == k)[0]) for k in self._labels]
        grid = self._grids.setdefault(
            (method, budget), {"class mean": [self._against.class_means[k] for k in self._labels]}
        )
        grid[label] = [images[i] for i in first]
        if method == "gradient" and budget == "convergence":
            near = nearest_pixels(images[first], labels[first], self._against)
            self._pairs[label] = [
                Neighbours(images[i], [self._train.images[j]], [f"{j}: {d:.1f}"])
                for i, j, d in zip(first, near.indices, near.distances, strict=True)
            ][: SHOWN // 2]

    def add_decoded(self, label, images):
        self._decoded[label] = [images[i] for i in self._shown]

    def draw(self, folder: pathlib.Path) -> list[Figure]:
        figures = []

        def add(name, title, caption, write, grid, columns):
            path = pathlib.Path("figures") / f"{name}.png"
            write(grid, folder / path, columns=columns)
            figures.append(Figure(name, title, caption, str(path)))

        for (method, budget), grid in self._grids.items():
            add(
                f"{method}-{budget}",
                f"Reconstructions: {method}, {budget}",
                "One column a class; the first row is the mean of the class's training images, which no attacker saw.",
                image_grid,
                grid,
                self._names,
            )
        if self._pairs:
            add(
                "neighbours",
                "Reconstructions beside the nearest training image of the class",
                "Gradient inversion to convergence; below each training image its number and its L2 distance over pixels.",
                neighbour_grid,
                self._pairs,
                self._names[: SHOWN // 2],
            )
        if len(self._decoded) > 1:
            add(
                "fresh-decoder",
                "What a fresh decoder makes of the encoding of held-out images",
                "The first row is the image; each other row a decoder trained anew on that model's frozen encoder.",
                image_grid,
                self._decoded,
                [],
            )
        return figures
