"""Shadow models of membership attacks: trained with any recipe on complementary random halves, their logits kept in a store."""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv import files, models, paths, specs
from tfinv.classifier import Classifier
from tfinv.comparison.defended import check_member, train_defended, untrained_model
from tfinv.comparison.protocol import SILENT, Execution
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.membership.queries import copies
from tfinv.membership.shadows.store import ShadowStore, examples_digest
from tfinv.runs.cluster import map_tasks
from tfinv.runs.workdir import Workdir
from tfinv.training.defence import Defence
from tfinv.training.defences import show
from tfinv.training.schedule import Schedule

# Augmented queries, and the augmentations of a training that has seen such copies.
QUERIES = {"shift": ("crop", "crop_flip"), "mirror": ("crop_flip",)}
_SHIFT = 1  # pixels
_BLOCK = 4096  # images in memory at a time, beside their data set


@dataclasses.dataclass(frozen=True, eq=False)
class ShadowRecipe:
    """How the shadows of a store are trained, and on what.

    Each shadow is trained on a random half of the examples, and its neighbour on the other half: shadows 2k and 2k + 1 are
    complements, so each example is in half of the training sets.

    Attributes:
      defence: hyper-parameters, those of the target.
      schedule: architecture and optimisation, those of the target.
      images: the examples, and after them `schedule.validation` images that are none: all shadows choose their epoch on these, and
        train on none of them.
      pool: where the examples come from, such as "train[0:4000]", for the record.
      queries: augmented copies whose logits are kept beside the image's own: "shift", by a pixel in four directions, and "mirror".
      seed: of halves and trainings.

    Raises:
      UserError: the defence can't be trained with the schedule; too few images; or a query that the training has not seen, which
        halves what an attack finds at low false-positive rates.
    """

    defence: Defence
    schedule: Schedule
    images: Dataset
    pool: tuple[str, ...]
    queries: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self):
        check_member(self.defence, self.schedule)
        if len(self.images) - self.schedule.validation < 2:
            received = f"{len(self.images)} images, {self.schedule.validation} of them for validation"
            raise expected("two examples at least", received, "Change --pool, --limit or --validation.")
        check_queries(self.queries)
        augmentation = specs.parse(self.schedule.augmentation)[0]
        for query in self.queries:
            if augmentation not in QUERIES[query]:
                hint = f"Train with --augmentation={QUERIES[query][0]}, or change --queries."
                raise expected(f"an augmentation of which {query} is a part", augmentation, hint)

    @property
    def examples(self) -> Dataset:
        """The images that shadows are trained on, half of them each."""
        return self.images.take(len(self.images) - self.schedule.validation)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain values, for the store."""
        schedule = dataclasses.asdict(self.schedule) | {"architecture": models.canonical(self.schedule.architecture)}
        about = {"dataset": self.images.name, "pool": list(self.pool), "defense": show(self.defence)}
        return about | schedule | {"queries": list(self.queries), "seed": self.seed}


@dataclasses.dataclass(frozen=True)
class Shadow:
    """One shadow; its number is its place in the store."""

    number: int

    @property
    def label(self) -> str:
        """Its name in rows, files and messages."""
        return f"shadow-{self.number:04d}"

    def seed(self, seed: int) -> int:
        """Seed of its training, of that of the recipe; no two shadows of the same or of neighbouring seeds share it."""
        return int(np.random.SeedSequence([seed, 1, self.number]).generate_state(1)[0] >> 1)

    def name(self, recipe: ShadowRecipe) -> str:
        """Name of its files, that of `train_defended`."""
        return f"{models.canonical(recipe.schedule.architecture)}-{self.label}-{self.seed(recipe.seed)}"

    def model_path(self, recipe: ShadowRecipe, folder: pathlib.Path) -> pathlib.Path:
        """File of its model in the folder of a store, which is there after `fill(keep=True)`."""
        return folder / "models" / f"{self.name(recipe)}.keras"


def halves(examples: int, count: int, seed: int) -> np.ndarray:
    """Training sets of shadows: a random half for each even one, and the rest of the examples for the next.

    Args:
      examples: how many; of an odd number the odd shadows have one more.
      count: number of shadows. The first of more are the same.
      seed: of the draws.

    Returns:
      (examples, count) bool.
    """
    table = np.zeros((examples, count), bool)
    for number in range(count):
        pair, is_complement = divmod(number, 2)
        half = np.random.default_rng([seed, 0, pair]).permutation(examples) < examples // 2
        table[:, number] = ~half if is_complement else half
    return table


def check_queries(queries: Sequence[str]) -> None:
    """Raises UserError unless the queries are names, each once."""
    if set(queries) - set(QUERIES) or len(set(queries)) < len(queries):
        raise expected(f"queries among {', '.join(QUERIES)}, each once", ", ".join(queries), "Change --queries.")


def query_logits(classifier: Classifier, images: Dataset, queries: Sequence[str] = ()) -> np.ndarray:
    """Logits of images and of their augmented copies.

    Args:
      classifier: the target or a shadow.
      images: n images of its size.
      queries: see `ShadowRecipe`.

    Returns:
      (n, Q, K) float32; query 0 is the image itself. The order of the queries is that of `membership.queries.copies`.
    """
    shift, fill = _SHIFT * ("shift" in queries), classifier.bounds[0]
    blocks = []
    for start in range(0, len(images), _BLOCK):
        block = classifier.from_unit(images.images_at(slice(start, start + _BLOCK)))
        copied = copies(block, shift, "mirror" in queries, fill)
        blocks.append(np.stack([classifier.predict(copy) for copy in copied], axis=1))
    return np.concatenate(blocks)


def fill(
    recipe: ShadowRecipe,
    count: int,
    folder: str | pathlib.Path,
    *,
    keep: bool = False,
    resume: bool = True,
    execution: Execution = SILENT,
) -> tuple[ShadowStore, list[dict[str, Any]]]:
    """Trains the shadows that a store lacks, and puts their logits of all examples into it.

    A shadow is whole or absent, and the same whoever trains it and when. Killed, a call goes on: the trainings from their last
    epochs. With a higher count it adds shadows to those that are there.

    Args:
      recipe: how they are trained.
      count: how many shadows there are to be.
      folder: of the store, and of the trainings while they last.
      keep: whether to keep the models, too, in models/. Those of an earlier call without it are trained again.
      resume: whether the folder may have a store.
      execution: processes that share the trainings, and progress.

    Returns:
      The store, and the rows of kind "training" of the first `count` shadows: `test_accuracy` is that on the other half.

    Raises:
      UserError: the folder has something else, or a store of other examples or another recipe; the defence does not fit the
        architecture; or a training broke down.
    """
    root, examples, description = paths.expand(folder), recipe.examples, recipe.to_json()
    if count < 1:
        raise expected("at least one shadow", count, "Change --count.")
    digest = examples_digest(np.asarray(examples.pixels), examples.labels)
    config = {"command": "shadows", **description, "examples": digest}
    if (root / "config.json").exists():
        Workdir(root, config, resume=resume)  # refuses the folder before anything of the store is changed
    store = ShadowStore.create(
        root,
        labels=examples.labels,
        members=halves(len(examples), count, recipe.seed),
        classes=examples.num_classes,
        digest=digest,
        recipe=description,
        queries=1 + 4 * _SHIFT * ("shift" in recipe.queries) + ("mirror" in recipe.queries),
    )
    workdir = Workdir(root, config)
    shadows, absent = [Shadow(number) for number in range(count)], set(store.missing())
    tasks = [(s,) for s in shadows if s.number in absent or (keep and not s.model_path(recipe, root).exists())]
    if tasks:
        untrained_model(recipe.defence, recipe.images, recipe.schedule)  # refuses what can't be trained

    def done(task: tuple[Any, ...]) -> None:
        execution.progress(f"{task[0].label} of {count}: trained")

    if execution.cluster.shares and len(tasks) > 1:
        arguments = (recipe, workdir, keep)
        map_tasks(execution.cluster, _worker, arguments, tasks, folder=root, progress=execution.progress, done=done)
    else:
        train = _worker(recipe, workdir, keep)
        for task in tasks:
            train(*task)
            done(task)
    if not keep:
        for shadow in shadows:  # what a call that was killed has left
            _remove(recipe, workdir, shadow)
        for name in ("training", "models"):
            with contextlib.suppress(OSError):
                (root / name).rmdir()
    stages = [root / "stages" / f"training-{shadow.name(recipe)}.json" for shadow in shadows]
    return store, [row for path in stages if path.exists() for row in files.read_json(path)]


def _worker(recipe: ShadowRecipe, workdir: Workdir, keep: bool) -> Callable[[Shadow], None]:
    """Returns a process's function that trains a shadow and leaves its logits in the store."""
    store, examples = ShadowStore.open(workdir.path), recipe.examples
    validation = np.arange(len(examples), len(recipe.images))

    def train(shadow: Shadow) -> None:
        members = store.members[:, shadow.number]
        half = recipe.images.subset(np.concatenate([np.flatnonzero(members), validation]))
        rest = recipe.images.subset(np.flatnonzero(~members))
        seed = shadow.seed(recipe.seed)
        model, _ = train_defended(recipe.defence, half, rest, recipe.schedule, workdir, label=shadow.label, seed=seed)
        store.add(shadow.number, query_logits(Classifier.from_keras(model), examples, recipe.queries))
        if not keep:
            _remove(recipe, workdir, shadow)

    return train


def _remove(recipe, workdir, shadow):
    # The model last: with it, a training is not begun again.
    shutil.rmtree(workdir.path / "training" / shadow.name(recipe), ignore_errors=True)
    shadow.model_path(recipe, workdir.path).unlink(missing_ok=True)
