"""A chunk of the images under one attack: the unit that is computed at once, kept in one file, and given to other processes."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfinv import files
from tfinv.classifier import Classifier
from tfinv.evaluation.robustness.curves import Chunk, attack_at_each
from tfinv.evaluation.robustness.plan import AttackPlan, scale_eps

Arrays = dict[str, np.ndarray]

# Batches in a chunk: enough for the examples that withstand to fill new batches, few enough for the memory; of large images one.
_BATCHES, _MOST_BYTES = 4, 64 << 20


@dataclasses.dataclass(frozen=True)
class Target:
    """A classifier and the images on which it is attacked.

    Attributes:
      classifier: under test.
      images: (n, H, W, C) in its bounds: an array, or what has a length and gives arrays for slices.
      labels: (n,).
    """

    classifier: Classifier
    images: Any
    labels: np.ndarray

    def chunk(self, rows: range) -> Chunk:
        """The images of some rows."""
        part = slice(rows.start, rows.stop)
        return Chunk(
            self.classifier, np.asarray(self.images[part]), self.labels[part], np.arange(rows.start, rows.stop)
        )

    def chunks(self, batch_size: int) -> list[range]:
        """The rows of each chunk."""
        total, image_bytes = len(self.labels), 4 * int(np.prod(self.classifier.input_shape))
        size = batch_size * max(1, min(_BATCHES, _MOST_BYTES // (image_bytes * batch_size)))
        return [range(start, min(start + size, total)) for start in range(0, total, size)]


@dataclasses.dataclass(frozen=True)
class ChunkStore:
    """Storage of finished chunks and adversarial images.

    Attributes:
      arrays: keeps what a function returns under a name, and returns it without a call when it is asked again; None keeps nothing.
      checkpoints: a folder for the state of the chunk at work; None for none.
      sink: is given the name of the attack, with its eps if there is one run an eps, the rows, and their adversarial images.
      sunk: whether what the sink was given under a name for some rows is still there; without it, it is taken to be.
      forget: is given the name of arrays to be made again, since the sink has lost their images.
    """

    arrays: Callable[[str, Callable[[], Arrays]], Arrays] | None = None
    checkpoints: pathlib.Path | None = None
    sink: Callable[[str, np.ndarray, np.ndarray], None] | None = None
    sunk: Callable[[str, np.ndarray], bool] | None = None
    forget: Callable[[str], None] | None = None


def attack_chunk(target: Target, plan: AttackPlan, name: str, rows: range, store: ChunkStore | None = None) -> Arrays:
    """Attacks one chunk of the images at each eps.

    Args:
      target: the classifier and all images.
      plan: the attacks and budgets.
      name: of the attack.
      rows: of the chunk.
      store: keeps the chunk, or has it.

    Returns:
      The arrays of a `curves.Outcome`.
    """
    store = store or ChunkStore()
    label = f"{files.slug(name)}-{plan.seed}-{rows.start}"
    attack, budgets, classifier = plan.attack(name), plan.budgets, target.classifier
    names = _image_sets(plan, name)

    def make() -> Arrays:
        chunk = target.chunk(rows)
        outcome, adversarial = attack_at_each(
            chunk,
            scale_eps(attack, 0.0, classifier),
            [scale_eps(attack, e, classifier).eps for e in budgets],
            seed=plan.seed,
            batch_size=plan.batch_size,
            mode=plan.curve,
            checkpoint=store.checkpoints and store.checkpoints / f"{label}.npz",
        )
        if store.sink:
            for image_set, images in zip(names, adversarial, strict=True):
                store.sink(image_set, chunk.rows, images)
        return vars(outcome)

    if store.sunk and store.forget and not all(store.sunk(image_set, np.array(rows)) for image_set in names):
        store.forget(label)

    return store.arrays(label, make) if store.arrays else make()


def _image_sets(plan: AttackPlan, name: str) -> list[str]:
    """Names of the sets of adversarial images that an attack leaves: one an eps where each has a run of its own, else one."""
    runs = plan.budgets if plan.curve == "independent" and not plan.attack(name).MINIMAL else []
    return [f"{name} eps={e:g}" for e in runs] if len(runs) > 1 else [name]
