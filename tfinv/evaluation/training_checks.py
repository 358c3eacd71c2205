"""Checks of trainings: that they converged, and kept their robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.evaluation.check import Check, percent


def all_converged(diverged: Sequence[str], n: int) -> Check:
    """Checks that no training of a comparison diverged.

    Args:
      diverged: name and error of each training whose loss became NaN or infinite.
      n: number of trainings.
    """
    return Check(
        "trainings-end",
        not diverged,
        f"{n - len(diverged)} of {n} trainings came to their end" + "".join(f"; {name}" for name in diverged),
        "The models of those that diverged are missing from every figure. Weaken the defence, or lower the learning rate.",
    )


def no_collapse(rows: Sequence[Mapping[str, Any]]) -> Check:
    """Checks for catastrophic overfitting: that an adversarial training kept its robustness to attacks of several steps.

    Args:
      rows: of kind "training" from one training, as `train_defended` gives them.
    """
    metrics = {row["metric"]: row["value"] for row in rows}
    multi_step, single_step = (f"epoch_{name}" for name in ("robust_accuracy", "single_step_accuracy"))
    if f"best_{single_step}" not in metrics:
        passed = None
        evidence = "no robust accuracy was measured while training: --validation holds out images, --validation_attack attacks them"
        if f"best_{multi_step}" in metrics:
            evidence = "the attack on held-out images was none of several steps, or in a norm without a single-step one"
    else:
        passed, sentences = "collapse_epoch" not in metrics, []
        # The last epoch may be the best, and still withstand only single steps: then it is shown once.
        epochs = {metrics[f"{name}_epoch"]: name for name in ("best", "collapse") if f"{name}_epoch" in metrics}
        for epoch, name in epochs.items():
            several, single = (percent(metrics[f"{name}_{measure}"]) for measure in (multi_step, single_step))
            sentences.append(f"after epoch {epoch} {several} withstand several steps and {single} a single one")
        evidence = ", ".join(sentences)
    return Check(
        "no-catastrophic-overfitting",
        passed,
        evidence,
        "The network came to withstand only single steps. The weights of its best epoch are kept: "
        "train with less eps, a lower learning rate, fewer epochs, or a recipe of several steps such as adversarial.",
    )
