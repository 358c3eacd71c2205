"""What the figures of a training say about the training itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.evaluation.check import Check, percent


def all_converged(diverged: Sequence[str], n: int) -> Check:
    """Whether every training of a comparison came to its end.

    Args:
      diverged: name and error of each whose loss became NaN or infinite.
      n: how many trainings there were.
    """
    return Check(
        "trainings-end",
        not diverged,
        f"{n - len(diverged)} of {n} trainings came to their end" + "".join(f"; {told}" for told in diverged),
        "The models of those that diverged are missing from every figure. Weaken the defence, or lower the learning rate.",
    )


def no_collapse(rows: Sequence[Mapping[str, Any]]) -> Check:
    """Whether a training on perturbed images kept its robustness to attacks of several steps.

    Args:
      rows: of kind "training" from one training, as `train_defended` gives them.
    """
    found = {row["metric"]: row["value"] for row in rows}
    robust, single = (f"epoch_{name}" for name in ("robust_accuracy", "single_step_accuracy"))
    if f"best_{single}" not in found:
        passed = None
        evidence = "no robust accuracy was measured while training: --validation holds out images, --validation_attack attacks them"
        if f"best_{robust}" in found:
            evidence = "the attack on held-out images was none of several steps, or in a norm without a single-step one"
    else:
        passed, told = "collapse_epoch" not in found, []
        # The last epoch may be the best, and withstand only single steps none the less.
        both = {found[f"{name}_epoch"]: name for name in ("best", "collapse") if f"{name}_epoch" in found}
        for name in both.values():
            several, one = (percent(found[f"{name}_{measure}"]) for measure in (robust, single))
            told.append(
                f"after epoch {found[f'{name}_epoch']} {several} withstand several steps and {one} a single one"
            )
        evidence = ", ".join(told)
    return Check(
        "no-catastrophic-overfitting",
        passed,
        evidence,
        "The network came to withstand only single steps. The weights of its best epoch are kept: "
        "train with less eps, a lower learning rate, fewer epochs, or a recipe of several steps such as adversarial.",
    )
