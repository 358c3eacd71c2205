"""--surrogate: attacks that need gradients take those of another model, and both models' accuracies stand side by side."""

import pathlib
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tfinv.attacks.transfer import through
from tfinv.classifier import Classifier
from tfinv.errors import UsageError, expected
from tfinv.evaluation.check import Check
from tfinv.evaluation.robustness.accuracy import plan_accuracies
from tfinv.evaluation.robustness.chunks import ChunkStore, Target
from tfinv.evaluation.robustness.plan import AttackPlan, named_attacks
from tfinv.evaluation.robustness.surrogate_check import surrogate_agrees

Rows = list[dict[str, Any]]


def attack_forms(values: Any) -> list[str]:
    """The attacks of the flags, as text forms: with --surrogate those that need gradients are run through it.

    Raises:
      UsageError: there is a surrogate, but no such attack.
      UserError: the surrogate doesn't exist, or see `named_attacks`.
    """
    if not getattr(values, "surrogate", None):
        return list(values.attacks)
    if not pathlib.Path(values.surrogate).exists():
        raise expected("a surrogate that exists", repr(values.surrogate), "Change --surrogate.")
    named_attacks(values.attacks)  # whose errors are about what was written
    forms = list(_transfers(values).values())
    if forms == list(values.attacks):
        raise UsageError(
            f"Expected an attack that needs gradients, such as pgd, for --surrogate. Received: {', '.join(forms)}. "
            "Change --attacks, or leave out --surrogate."
        )
    return forms


def _transfers(values: Any) -> dict[str, str]:
    """The text form of each attack of the flags on the model, by that in the flags."""
    arguments = {"preprocessing": values.preprocessing} if values.preprocessing is not None else {}
    arguments |= {"channels": values.channels} if values.channels != "rgb" else {}
    return {form: through(form, values.surrogate, **arguments) for form in values.attacks}


def compare(
    values: Any, load: Callable[..., Classifier], attacked: Target, plan: AttackPlan, store: ChunkStore, rows: Rows
) -> tuple[Rows, list[Check]]:
    """Attacks the surrogate itself, and compares it with the model; nothing without --surrogate.

    Args:
      values: the flags.
      load: a classifier by flags, and arguments of `load_classifier` that differ.
      attacked: the model and the images.
      plan: of the model's attacks.
      store: of finished chunks.
      rows: of the model, one seed.

    Returns:
      The rows of the surrogate, and a check.
    """
    if not values.surrogate:
        return [], []
    arguments = values.flag_values_dict() | {"model": values.surrogate, "output": None, "outputs": None}
    size = attacked.classifier.input_shape[:2] if values.image_size else None
    twin = load(
        types.SimpleNamespace(**arguments), bounds=attacked.classifier.bounds, image_size=size, class_names=None
    )
    twin = twin.with_gradients(values.gradients)
    names = {form: other for form, other in _transfers(values).items() if form != other}
    alone = AttackPlan(tuple(named_attacks(names)), plan.eps, plan.curve, plan.seed, plan.batch_size)
    of_twin = plan_accuracies(
        Target(twin, attacked.images, attacked.labels), alone, experiment="surrogate", store=ChunkStore(store.arrays)
    )
    agree = [
        attacked.classifier.predict(images, plan.batch_size).argmax(1)
        == twin.predict(images, plan.batch_size).argmax(1)
        for part in attacked.chunks(plan.batch_size)
        for images in [np.asarray(attacked.images[part.start : part.stop])]
    ]
    return of_twin, [surrogate_agrees(np.concatenate(agree), [*rows, *of_twin], names)]
