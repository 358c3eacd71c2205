"""Examples whose membership is asked for, of the flags: two parts of a data set, or a file that says who of the pool was in."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tfinv import paths
from tfinv.classifier import Classifier
from tfinv.comparison.membership.pool import Part, join, load_parts, overlap, positions
from tfinv.comparison.membership.targets import check_members
from tfinv.datasets import Dataset
from tfinv.errors import UsageError, expected
from tfinv.membership.shadows import Shadows, ShadowStore, examples_digest
from tfinv_cli.common import target
from tfinv_cli.common.membership.members_file import members_file, read_members


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Examples, and the shadows that were queried on them.

    Attributes:
      data: n images, in the classifier's form.
      members: (n,) bool, who was in the target's training set; None where each shadow is a target.
      store: of the shadows, or None.
      rows: (n,) places of the examples in the store.
    """

    data: Dataset
    members: np.ndarray | None
    store: ShadowStore | None = None
    rows: np.ndarray | None = None

    @property
    def shadows(self) -> Shadows | None:
        """The shadows, on these examples."""
        return None if self.store is None else self.store.shadows().rows(self.rows)

    @property
    def queries(self) -> tuple[str, ...]:
        """Augmented copies of each example that the shadows were queried with."""
        return () if self.store is None else tuple((self.store.recipe or {}).get("queries", ()))


def load_examples(values: Any, classifier: Classifier | None) -> Examples:
    """Loads the examples of the flags.

    Args:
      values: the flags.
      classifier: the target; None where each shadow is one.

    Raises:
      UserError: a split or a file is not there, members and non-members have images in common, or one of them is (nearly) empty;
        or the shadows are of other data.
    """

    @functools.cache
    def load(split: str, stop: int | None) -> Dataset:
        return target.images(values, split, limit=stop, classifier=classifier)

    file = members_file(values)
    if file is not None and values.nonmembers is not None:
        received = ",".join(values.nonmembers)
        raise UsageError(str(expected("no --nonmembers beside a file of --members", received, "Leave it out.")))
    if values.shadows is None and file is None:
        return _two_sides(values, load)
    store, pool, data = _pool(values, load, classifier)
    if classifier is None:
        return Examples(data, None, store, np.arange(len(data)))
    if file is not None:
        members = read_members(file, len(data))
        check_members(members)
        return Examples(data, members, store, np.arange(len(data)))
    (of_members, _), (of_others, _) = _sides(values, load)
    inside = positions(of_members, pool, "--members, or the --pool of tfinv shadows")
    outside = positions(of_others, pool, "--nonmembers, or the --pool of tfinv shadows")
    rows, members = np.concatenate([inside, outside]), np.arange(len(inside) + len(outside)) < len(inside)
    check_members(members)
    return Examples(data.subset(rows), members, store, rows)


def _sides(values, load):
    """Parts and images of the members and of the non-members."""
    inside = load_parts(values.members or ["train"], load, "--members")
    outside = load_parts(values.nonmembers or ["test"], load, "--nonmembers")
    if shared := overlap([*inside[0], *outside[0]]):
        raise expected("members and non-members without common images", shared, "Change --members or --nonmembers.")
    return inside, outside


def _two_sides(values, load):
    (_, inside), (_, outside) = _sides(values, load)
    data = join([inside, outside])
    members = np.arange(len(data)) < len(inside)
    check_members(members)
    return Examples(data, members)


def _pool(values, load, classifier) -> tuple[ShadowStore | None, tuple[Part, ...], Dataset]:
    """The store, and the examples of its pool."""
    if values.shadows is None:
        return None, *load_parts(values.pool or ["train"], load, "--pool")
    # Of a store that tfinv made, the recipe says which examples it has; a folder of the user's may have no labels.
    is_ours = (paths.expand(values.shadows) / "store.json").exists()
    store = ShadowStore.open(values.shadows) if is_ours else None
    recorded = ((store.recipe if store is not None else None) or {}).get("pool")
    parts, data = load_parts(values.pool or recorded or ["train"], load, "--pool or --dataset")
    if store is None:
        store = ShadowStore.open(values.shadows, data.labels)
    digest = examples_digest(np.asarray(data.pixels), data.labels)
    store.check(data.labels, data.num_classes if classifier is None else classifier.num_classes, digest)
    return store, parts, data
