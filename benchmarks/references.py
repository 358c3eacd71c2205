"""Membership attacks by their number of shadow models: `python -m benchmarks.references --shadows=DIR [--null=model.keras]`.

Each shadow of a store that `tfinv shadows` filled is the target once; of the others, without its complement, the next pairs are the
references. Prints AUC and TPR at 1 % and .1 % FPR in %, means over targets with standard errors, and with --null the TPR at 1 % FPR
that each attack reaches on a model that was trained on none of the examples, in each target's place.
"""

import argparse
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
    parser.add_argument("--null", type=pathlib.Path)
    parser.add_argument("--dataset", help="of the pool, for --null")
    arguments = parser.parse_args()
    store = ShadowStore.open(arguments.shadows)
    null = None
    if arguments.null:
        data = datasets.load(arguments.dataset, "train").take(len(store.labels))
        null = Classifier.from_keras(keras.models.load_model(arguments.null, compile=False)).predict(data.images)
    counts = [count for count in arguments.references if count <= store.size - 2]
    print("| attack | references | AUC | TPR at 1 % | TPR at .1 % | null, TPR at 1 % |\n|---|---|---|---|---|---|")
    for attack, count in [(attack, 0) for attack in _ALONE] + [(attack, n) for attack in _COMPARED for n in counts]:
        values = measured(store, attack, count)
        means, errors = values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))
        cells = [f"{means[0]:.3f} ± {errors[0]:.3f}"]
        cells += [f"{100 * mean:.1f} ± {100 * error:.1f}" for mean, error in zip(means[1:], errors[1:], strict=True)]
        without = measured(store, attack, count, null)[:, 1] if null is not None else np.array([])
        cells.append(f"{100 * without.mean():.1f}" if len(without) else "")
        print(f"| `{attack}` | {count or ''} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
