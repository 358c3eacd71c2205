"""Membership attacks by their number of shadow models: `python -m benchmarks.references --shadows=DIR [--null model.keras ...]`.

Each shadow of a store that `tfinv shadows` filled is the target once; of the others, without its complement, the next pairs are the
references. Prints AUC and TPR at 1 % and .1 % FPR in %, means over targets with standard errors, and with --null the TPR at 1 % FPR
that each attack reaches on models that were trained on none of the examples, in each target's place.
"""

import argparse
import itertools
import pathlib
from collections.abc import Iterator

import keras
import numpy as np

from tfinv import datasets
from tfinv.classifier import Classifier
from tfinv.evaluation.membership import roc
from tfinv.membership import Evidence, membership_attack
from tfinv.membership.shadows import ShadowStore

_ALONE = ("gap", "loss", "modified_entropy")
_COMPARED = (
    "lira(variance=per_example)",
    "lira(variance=pooled)",
    "lira(variance=shrunk)",
    "lira(online=False,variance=pooled)",
    "rmia",
    "rmia(online=False)",
    "base",
    "bavaria",
)


def targets(store: ShadowStore, count: int, null: np.ndarray | None) -> Iterator[tuple[np.ndarray, Evidence]]:
    """Each shadow as a target with `count` references, and who its members are; with other logits if `null` is given."""
    for number, logits, rest in store.leave_one_out():
        # The pairs that follow, around the end: each pair is among the references of as many targets.
        order = np.roll(np.arange(rest.size), -(number // 2 * 2))[:count]
        references = rest.without(np.setdiff1d(np.arange(rest.size), order).tolist())
        evidence = Evidence(
            store.labels, logits=logits if null is None else null, shadows=references if count else None
        )
        yield store.members[:, number], evidence


def measured(store: ShadowStore, attack: str, count: int, null: np.ndarray | None = None) -> np.ndarray:
    """(targets, 3) AUC and TPR at 1 % and .1 % FPR."""
    values = []
    for members, evidence in targets(store, count, null):
        scores = membership_attack(attack).score(evidence)
        sides = scores[members], scores[~members]
        values.append((roc.auc(*sides), roc.tpr_at_fpr(*sides, 0.01), roc.tpr_at_fpr(*sides, 0.001)))
    return np.array(values)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shadows", type=pathlib.Path, required=True)
    parser.add_argument("--references", type=int, nargs="*", default=[2, 4, 8, 16, 32])
    parser.add_argument("--attacks", nargs="*", default=_COMPARED, help="that compare, such as lira(queries=1)")
    parser.add_argument("--null", nargs="*", default=[], type=pathlib.Path)
    parser.add_argument("--dataset", help="of the pool, for --null")
    arguments = parser.parse_args()
    store = ShadowStore.open(arguments.shadows)
    nulls = []
    if arguments.null:
        images = datasets.load(arguments.dataset, "train").take(len(store.labels)).images
        models = [keras.models.load_model(path, compile=False) for path in arguments.null]
        nulls = [Classifier.from_keras(model).predict(images) for model in models]
    counts = [count for count in arguments.references if count <= store.size - 2]
    print("| attack | references | AUC | TPR at 1 % | TPR at .1 % | null, TPR at 1 % |\n|---|---|---|---|---|---|")
    contestants = [(attack, 0) for attack in _ALONE] + list(itertools.product(arguments.attacks, counts))
    for attack, count in contestants:
        values = measured(store, attack, count)
        cells = [mean_and_error(values[:, 0], 1, 3), *(mean_and_error(values[:, i], 100, 1) for i in (1, 2))]
        without = [measured(store, attack, count, logits)[:, 1] for logits in nulls]
        cells.append(mean_and_error(np.concatenate(without), 100, 2) if without else "")
        print(f"| `{attack}` | {count or ''} | {' | '.join(cells)} |", flush=True)


def mean_and_error(values: np.ndarray, scale: float, digits: int) -> str:
    """Mean and its standard error over targets, scaled."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{scale * values.mean():.{digits}f} ± {scale * error:.{digits}f}"


if __name__ == "__main__":
    main()
