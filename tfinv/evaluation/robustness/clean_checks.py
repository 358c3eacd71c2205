"""Checks of the clean accuracy: whether the model sees, and knows the classes that the data set means, before anyone attacks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize, stats

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check, percent
from tfinv.importing.probing import Probe, Setting, describe, probe_preprocessing

_SIGNIFICANCE = 0.001  # of a better order of the classes, over all that are tried
_GUESSING = 0.01  # of an accuracy above that of guessing
_FAR = 0.05  # of accuracy: what a better order must gain
_MAX_NAMES = 40  # in a flag


@dataclasses.dataclass(frozen=True)
class Classes:
    """Classes of a model and of its data set.

    Attributes:
      outputs: number of the model's classes.
      names: of the data set's classes, in the order of its labels.
      model_names: of the model's classes in the order of its outputs, if they are known; the labels then follow these names.
    """

    outputs: int
    names: tuple[str, ...]
    model_names: tuple[str, ...] | None = None


def probed_checks(
    classifier: Classifier, data: Dataset, declared: Setting | None = None, bare: Callable[[], Classifier] | None = None
) -> list[Check]:
    """Runs all checks of the clean accuracy, on the predictions of a model.

    Args:
      classifier: in the declared setting.
      data: some 500 labelled images.
      declared: see `probe_preprocessing`, like `bare`.
      bare: see there.
    """
    probe = probe_preprocessing(classifier, data.images, data.labels, declared=declared, bare=bare)
    return clean_checks(probe, Classes(classifier.num_classes, data.class_names, classifier.class_names))


def clean_checks(probe: Probe, classes: Classes) -> list[Check]:
    """Runs all checks of the clean accuracy.

    Args:
      probe: predictions for labelled images.
      classes: of the model and of the data set.
    """
    return [
        preprocessing_fits(probe),
        beats_guessing(probe.predictions, probe.labels),
        class_order_fits(probe.predictions, probe.labels, classes),
        class_counts_agree(probe.predictions, probe.labels, classes),
    ]


def preprocessing_fits(probe: Probe) -> Check:
    """Checks that no other usual preprocessing gives a clearly better accuracy than the declared one."""
    n, tried = len(probe.labels), len(probe.alternatives)
    declared = f"{percent(probe.accuracy)} of {n} images are right as declared ({describe(probe.declared)})"
    rule = f"sign test at .1 % over {tried} other settings"
    if probe.better is None:
        others = ", ".join(alternative.flags(probe.declared) for alternative in probe.alternatives)
        evidence = f"{declared}, and in no other usual setting clearly more ({rule}): {others}"
    else:
        evidence = (
            f"{declared}, but {percent(probe.better_accuracy)} with {describe(probe.better)}: {probe.only_better} only so, "
            f"{probe.only_declared} only as declared ({rule}). Pass {probe.better.flags(probe.declared)}"
        )
    return Check(
        "preprocessing-fits",
        probe.better is None,
        evidence,
        "The model was trained on images that were prepared in another way, so every figure here is of a model that can't see. "
        "Pass the flags that the evidence names, and run the command again.",
    )


def beats_guessing(predictions: np.ndarray, labels: np.ndarray) -> Check:
    """Checks that the accuracy is beyond that of guessing the most frequent class (binomial test at 1 %).

    Args:
      predictions: (n,) classes.
      labels: (n,).
    """
    n, right = len(labels), int(np.sum(predictions == labels))
    guess = np.bincount(labels).max() / n
    decided = guess < 1 and guess**n < _GUESSING  # so few images that all right would show nothing
    passed = bool(stats.binomtest(right, n, guess, alternative="greater").pvalue < _GUESSING) if decided else None
    return Check(
        "clean-accuracy-beats-guessing",
        passed,
        f"{percent(right / n)} of {n} images are right; guessing the most frequent class is right for {percent(guess)} "
        f"({'binomial test at 1 %' if decided else 'too few images to tell'})",
        "A model without skill on these images has no robustness to measure and no classes to reconstruct. See whether it was "
        "trained on this data set, in this order of the classes (--class_names), on images prepared like these "
        "(--preprocessing, --channels, --bounds), and whether its weights were saved.",
    )


def class_order_fits(predictions: np.ndarray, labels: np.ndarray, classes: Classes) -> Check:
    """Checks that no other order of the classes fits far better.

    The orders of the alphabet and of numbers are compared on all images. Any other is chosen on one half of the images, as the best
    assignment of predictions to labels (Hungarian method), and judged on the other half.

    Args:
      predictions: (n,) classes.
      labels: (n,).
      classes: of the model and of the data set.
    """
    odd = np.arange(len(labels)) % 2 == 1
    orders = [
        (f"the classes in the order of {name}", _mapping_of(order, classes), np.ones_like(odd))
        for name, order in _usual_orders(classes.names).items()
    ]
    orders.append(("the classes in another order", _best_mapping(predictions[~odd], labels[~odd], classes), odd))
    rule = f"at least {100 * _FAR:g} points more, sign test at .1 %"
    fitting = [order for order in orders if _is_far_better(predictions[order[2]], labels[order[2]], order[1])]
    evidence = f"{percent(float(np.mean(predictions == labels)))} of {len(labels)} images are right"
    if fitting:
        name, mapping, rows = fitting[0]
        before, after = (float(np.mean(p[rows] == labels[rows])) for p in (predictions, mapping[predictions]))
        evidence += (
            f". With {name} it is {percent(after)} of {int(rows.sum())} images, and not {percent(before)} ({rule}). "
            f"{_remedy(mapping, classes)}"
        )
    else:
        evidence += f", and clearly more in no other order of the classes ({rule})"
    return Check(
        "class-order-fits",
        not fitting,
        evidence,
        "The labels of the data set mean other outputs of the model than they are compared with: its classes were in another "
        "order when it was trained. Every figure here is then of wrong labels. Pass --class_names in the order of the outputs.",
    )


def class_counts_agree(predictions: np.ndarray, labels: np.ndarray, classes: Classes) -> Check:
    """Checks that the model has as many classes as the data set, or that its classes are matched by name.

    Args:
      predictions: (n,) classes.
      labels: (n,).
      classes: of the model and of the data set.
    """
    outputs, count = classes.outputs, len(classes.names)
    beyond = float(np.mean(predictions >= count))
    evidence = f"the model has {outputs} classes, the data set {count}"
    passed = outputs == count
    if not passed and classes.model_names is not None and set(classes.names) <= set(classes.model_names):
        passed, evidence = True, f"{evidence}, which are matched by name"
    elif (
        not passed
        and classes.names == tuple(str(k) for k in range(count))
        and beats_guessing(predictions, labels).passed
    ):
        # Classes that are numbers, of which a small data set lacks the last ones.
        passed, evidence = True, f"{evidence}, numbered from 0, and knows them"
    elif not passed:
        first = ", ".join(f"{name} for output {k}" for k, name in enumerate(classes.names[:3]))
        evidence += (
            f", of which the first is taken for the model's first and so on ({first}); {percent(beyond)} of the "
        )
        evidence += f"images are taken for one of the other {outputs - count} classes"
    return Check(
        "class-counts-agree",
        passed,
        evidence,
        "The model was trained on other classes than those of the data set. Name its classes in the order of its outputs with "
        "--class_names, to match the data set's by name, or give the data set that it was trained on.",
    )


def _usual_orders(names: Sequence[str]) -> dict[str, list[str]]:
    """The usual orders of these names that differ from their own, each with its name."""
    orders = {
        "the alphabet": sorted(names),
        "the alphabet, without regard to case": sorted(names, key=str.lower),
    }
    if all(name.strip().isdecimal() for name in names):
        orders["numbers"] = sorted(names, key=int)
    return {name: order for name, order in orders.items() if order != list(names)}


def _mapping_of(order: Sequence[str], classes: Classes) -> np.ndarray:
    """(K,) the label of each output, if the outputs have the names in this order; -1 for outputs beyond."""
    labels = [classes.names.index(name) for name in order][: classes.outputs]
    return np.array(labels + [-1] * (classes.outputs - len(labels)))


def _best_mapping(predictions: np.ndarray, labels: np.ndarray, classes: Classes) -> np.ndarray:
    """(K,) the label of each output under which most images are right; -1 for outputs that are left over."""
    seen = np.union1d(predictions, labels)
    confusion = 0.5 * np.eye(len(seen))  # of several that are as good, the order as it is
    np.add.at(confusion, (np.searchsorted(seen, predictions), np.searchsorted(seen, labels)), 1)
    _, columns = optimize.linear_sum_assignment(-confusion)
    mapping = np.arange(max(classes.outputs, len(classes.names)))
    mapping[seen] = seen[columns]
    return np.where(mapping < len(classes.names), mapping, -1)[: classes.outputs]


def _is_far_better(predictions: np.ndarray, labels: np.ndarray, mapping: np.ndarray) -> bool:
    before, after = predictions == labels, mapping[predictions] == labels
    better, worse = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    if better - worse < _FAR * max(1, len(labels)):
        return False
    pvalue = stats.binomtest(better, better + worse, 0.5, alternative="greater").pvalue
    return bool(pvalue < _SIGNIFICANCE)


def _remedy(mapping: np.ndarray, classes: Classes) -> str:
    """The flag that puts the classes in the order of the outputs, or the first pairs where they can't be all named."""
    count = len(classes.names)
    if classes.outputs == count and sorted(mapping) == list(range(count)):
        names = [classes.names[label] for label in mapping]
        if count <= _MAX_NAMES and not any("," in name for name in names):
            return f"Pass --class_names={','.join(names)}"
    moved = [k for k in range(len(mapping)) if 0 <= mapping[k] < count and mapping[k] != k][:3]
    pairs = ", ".join(f"output {k} is {classes.names[mapping[k]]}" for k in moved)
    return f"Pass --class_names, a file of the names in the order of the outputs: {pairs}, ..."
