"""A check of a surrogate, whose adversarial images are tried on a model that has no gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.check import Check, percent

_LEAST = 0.9  # of predictions that agree: models trained alike on other draws of the data may well differ on every tenth image


def surrogate_agrees(agree: np.ndarray, rows: Sequence[dict[str, Any]], attacks: dict[str, str]) -> Check:
    """Checks that a surrogate predicts what the model does, and puts their accuracies side by side.

    Args:
      agree: (n,) bool, whether both predict the same class for a clean image.
      rows: of kind "accuracy" and one seed, of the experiments "model" and "surrogate".
      attacks: names of the model's transfer attacks, by the name of the attack on the surrogate.
    """
    accuracy = {(row["experiment"], row["attack"], row["eps"]): row["accuracy"] for row in rows}
    lines = [f"clean {_pair(accuracy['surrogate', 'none', 0.0], accuracy['model', 'none', 0.0])}"]
    for name, transfer in attacks.items():
        for eps in sorted(e for experiment, attack, e in accuracy if (experiment, attack) == ("surrogate", name)):
            pair = _pair(accuracy["surrogate", name, eps], accuracy["model", transfer, eps])
            lines.append(f"{name} at eps {eps:.4g} {pair}")
    share = float(np.mean(agree))
    return Check(
        "surrogate-agrees",
        share >= _LEAST,
        f"both predict the same class for {percent(share)} of {len(agree)} clean images (at least {percent(_LEAST)}); accuracy "
        f"of surrogate | model: {'; '.join(lines)}",
        "What fools a model that decides otherwise need not fool this one, and the accuracy that is left says little. Pass the "
        "network that the model was made from with --surrogate, and its --preprocessing. Even from a good surrogate, accuracy "
        "under transfer is above that under attacks with the model's own gradients.",
    )


def _pair(surrogate: float, model: float) -> str:
    return f"{percent(surrogate)} | {percent(model)}"
