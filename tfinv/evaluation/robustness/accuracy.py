"""Accuracy under attack: rows of kind "accuracy" (see `tfinv.reporting.results`), made chunk by chunk of the images."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfinv import specs
from tfinv.attacks import Attack
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.robustness.chunks import Arrays, ChunkStore, Target, attack_chunk
from tfinv.evaluation.robustness.curves import Outcome
from tfinv.evaluation.robustness.plan import AttackPlan, scale_eps
from tfinv.evaluation.statistics.intervals import rate_interval

Progress = Callable[[int, int, dict[tuple[str, float], float]], None]


def accuracy_row(
    experiment: str, attack: str, eps: float, correct: np.ndarray, seed: int, **keys: Any
) -> dict[str, Any]:
    """Makes one row of accuracy.

    Args:
      experiment: the name of the classifier.
      attack: its name; "none" for clean images.
      eps: fraction of the bounds' width.
      correct: (n,) bool.
      seed: of the run.
      **keys: further keys of the schema.
    """
    hits, n = int(np.sum(correct)), len(correct)
    return {
        "kind": "accuracy",
        "experiment": experiment,
        "attack": attack,
        "eps": float(eps),
        "accuracy": hits / n,
        "n": n,
        "ci95": list(rate_interval(hits, n)),
        "seed": seed,
        **keys,
    }


def clean_row(experiment: str, classifier: Classifier, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Makes the row of clean images over a whole data set.

    Args:
      experiment: the name of the classifier.
      classifier: under test.
      dataset: the images.
      seed: of the run.
    """
    correct = classifier.predict(classifier.from_unit(dataset.images)).argmax(1) == dataset.labels
    return accuracy_row(experiment, "none", 0.0, correct, seed)


def accuracy_curve(
    classifier: Classifier,
    images: Any,
    labels: np.ndarray,
    attacks: Iterable[tuple[str, Attack]],
    eps: Sequence[float],
    *,
    experiment: str,
    seed: int = 0,
    batch_size: int = 256,
    curve: str = "independent",
    store: ChunkStore | None = None,
    share: Callable[[list[range]], None] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measures accuracy on clean images, then under each attack at each eps.

    The images are taken a few batches at a time, so memory does not grow with their number if `images` makes them on demand.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds: an array, or what has a length and gives arrays for slices.
      labels: (n,).
      attacks: names and attacks; their own eps is replaced, and a step size is a fraction as eps is.
      eps: fractions of the bounds' width; 0 is the clean row, which is always there.
      experiment: the name of the rows.
      seed: of the attacks' draws.
      batch_size: examples in one compiled call.
      curve: "independent" runs, one an eps, or "bisected", see `curves.attack_at_each`.
      store: keeps finished chunks, so that a killed run goes on.
      share: is given the rows of each chunk before the first, so that other processes may `attack_chunk` them into the store.
      progress: is told the images done, all of them, and the accuracies so far by (name, eps).

    Returns:
      Rows of kind "accuracy".

    Raises:
      UserError: see `AttackPlan`, or the classifier lacks what one of the attacks needs.
    """
    plan = AttackPlan(tuple(attacks), tuple(eps), curve, seed, batch_size)
    return plan_accuracies(
        Target(classifier, images, labels), plan, experiment=experiment, store=store, share=share, progress=progress
    )


def plan_accuracies(
    target: Target,
    plan: AttackPlan,
    *,
    experiment: str,
    store: ChunkStore | None = None,
    share: Callable[[list[range]], None] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measures as `accuracy_curve` does, with a target and a plan for its arguments."""
    budgets, labels = plan.budgets, target.labels
    attacks = plan.attacks if budgets else ()
    for _, attack in attacks:
        attack.check_needs(target.classifier)
    chunks = target.chunks(plan.batch_size)
    if share and attacks:
        share(chunks)
    correct = np.zeros(len(labels), bool)
    parts: dict[str, list[Arrays]] = {name: [] for name, _ in attacks}
    for rows in chunks:
        part = slice(rows.start, rows.stop)
        logits = target.classifier.predict(np.asarray(target.images[part]), plan.batch_size)
        correct[part] = logits.argmax(1) == labels[part]
        for name, _ in attacks:
            parts[name].append(attack_chunk(target, plan, name, rows, store))
            if progress:
                progress(rows.stop, len(labels), _accuracies(parts, budgets))
    curves = [accuracy_row(experiment, "none", 0.0, correct, plan.seed)]
    for name, _ in attacks:
        whole = Outcome(**{k: _join([p[k] for p in parts[name]], k) for k in parts[name][0]})
        for k, fraction in enumerate(budgets):
            spec = specs.show(name.partition("(")[0], scale_eps(plan.attack(name), fraction, target.classifier))
            keys = {"spec": spec, **_measures(whole, k, correct, plan, name)}
            curves.append(accuracy_row(experiment, name, fraction, ~whole.success[k], plan.seed, **keys))
    return curves


def standing(target: Target, plan: AttackPlan, store: ChunkStore) -> Callable[[dict[str, Any]], np.ndarray]:
    """Returns a function of a row of `plan_accuracies`: (n,) bool, the images that withstood its attack, read from the store."""

    def read(row: dict[str, Any]) -> np.ndarray:
        k = plan.budgets.index(row["eps"])
        chunks = target.chunks(plan.batch_size)
        return ~np.concatenate(
            [attack_chunk(target, plan, row["attack"], rows, store)["success"][k] for rows in chunks]
        )

    return read


def _measures(outcome: Outcome, k: int, correct: np.ndarray, plan: AttackPlan, name: str) -> dict[str, Any]:
    """The keys of a row that say how an attack was run at the k-th budget, and what it cost."""
    attack = plan.attack(name)
    keys: dict[str, Any] = {
        "norm": attack.norm,
        "needs": attack.needs,
        "seconds": round(float(outcome.seconds[k]), 2),
    }
    if attack.minimal:
        keys["minimal"] = True
    keys["curve"] = "searched" if attack.MINIMAL else plan.curve
    attacked = correct & np.isfinite(outcome.distances[k])
    if attacked.any():
        distances = outcome.distances[k, attacked]
        keys |= {"max_distance": float(distances.max()), "mean_distance": float(distances.mean())}
        for cost in ("gradient_calls", "queries"):
            mean = float(getattr(outcome, cost)[k, attacked].mean())
            keys |= {cost: mean} if mean else {}
        if attack.needs == "gradients":
            # Of a bisected curve those that withstand gather at the large eps, and their gradients with them.
            bisected = keys["curve"] == "bisected"
            zero = outcome.zero_gradients[:, correct].any(0) if bisected else outcome.zero_gradients[k, attacked]
            keys["zero_gradients"] = float(zero.mean())
    return keys


def _join(arrays, name):
    return np.sum(arrays, axis=0) if name == "seconds" else np.concatenate(arrays, axis=1)


def _accuracies(parts, budgets):
    """The accuracies so far, by (name, eps)."""
    return {
        (name, e): 1.0 - float(np.concatenate([p["success"][k] for p in chunks]).mean())
        for name, chunks in parts.items()
        if chunks
        for k, e in enumerate(budgets)
    }
