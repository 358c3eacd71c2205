"""Attacks of the flags, chunk by chunk, in this process and in others: those of --workers, or of the cluster of --scheduler."""

import dataclasses
import functools
import types
from collections.abc import Callable, Iterable
from typing import Any

from tfinv.classifier import Classifier
from tfinv.datasets.locations import data_dir
from tfinv.evaluation.robustness.checks import THOROUGH, Effort
from tfinv.evaluation.robustness.chunks import ChunkStore, Target, attack_chunk
from tfinv.evaluation.robustness.plan import AttackPlan, named_attacks
from tfinv.evaluation.robustness.stream import BoundedImages
from tfinv.runs import descriptions
from tfinv.runs.adversarial import AdversarialFiles
from tfinv.runs.adversarial_forms import Contents
from tfinv.runs.cluster import Cluster, map_tasks
from tfinv.runs.workdir import Workdir
from tfinv_cli.common import finish, surrogate, target


def plan(values: Any, seed: int) -> AttackPlan:
    """Returns the attacks and budgets of the flags.

    Raises:
      UserError: see `named_attacks` and `AttackPlan`.
    """
    attacks = named_attacks(surrogate.attack_forms(values))
    return AttackPlan(tuple(attacks), tuple(values.eps), values.curve, seed, values.batch_size)


def check(plans: Iterable[AttackPlan], classifier: Classifier) -> None:
    """Checks that the classifier has what the attacks need, before anything is written that belongs to them.

    Raises:
      UserError: it hasn't; the error says which attacks do without.
    """
    for _, attack in (pair for plan in plans for pair in plan.attacks):
        attack.check_needs(classifier)


def adversarial_files(values: Any, workdir: Workdir, attacked: Target) -> AdversarialFiles | None:
    """Returns the folder of adversarial images that `attack` keeps, or None for none.

    Raises:
      UserError: see `AdversarialFiles`.
    """
    form = getattr(values, "save", "none")
    if form == "none":
        return None
    classifier, names = attacked.classifier, descriptions.class_names(attacked.classifier, attacked.images.dataset)
    contents = Contents(len(attacked.labels), classifier.input_shape, classifier.bounds, names)
    return AdversarialFiles(workdir.path / "adversarial", workdir.path / "stages" / "adversarial", contents, form)


def store(values: Any, workdir: Workdir, attacked: Target) -> ChunkStore:
    """Returns the storage of chunks, the same in every process."""
    images = adversarial_files(values, workdir, attacked)
    if images is None:
        return ChunkStore(workdir.arrays, workdir.path / "stages")
    return ChunkStore(workdir.arrays, workdir.path / "stages", images.write, images.has, workdir.forget)


def cluster(values: Any) -> Cluster:
    """Returns the cluster of the flags.

    Raises:
      UserError: see `Cluster`.
    """
    return Cluster(values.workers, values.scheduler)


def effort(values: Any) -> Effort:
    """Returns the budget of the checks."""
    return dataclasses.replace(THOROUGH, images=values.check_images)


def share(values: Any, config: dict[str, Any], seed: int) -> Callable[[list[range]], None]:
    """Returns a function that gives chunks to other processes to attack; the command then reads their files in the workdir.

    Args:
      values: the flags.
      config: the workdir's configuration.
      seed: of the attacks.
    """
    return functools.partial(_share, values, config, seed)


def _share(values: Any, config: dict[str, Any], seed: int, chunks: list[range]) -> None:
    names = [name for name, _ in named_attacks(surrogate.attack_forms(values))]
    tasks = [(seed, rows, name) for name in names for rows in chunks]

    def done(task: tuple[Any, ...]) -> None:
        _, rows, name = task
        finish.say(f"{name}: images {rows.start} to {rows.stop - 1} done")

    # The folder of the data may be that of a variable, which a process elsewhere has not.
    arguments = (values.flag_values_dict() | {"data_dir": str(data_dir(values.data_dir))}, config)
    map_tasks(cluster(values), _chunk_worker, arguments, tasks, folder=values.workdir, progress=finish.say, done=done)


def _chunk_worker(arguments: dict[str, Any], config: dict[str, Any]) -> Callable[[int, range, str], None]:
    """Returns a process's function that attacks a chunk."""
    values = types.SimpleNamespace(**arguments)
    classifier, data = target.load(values)
    chunks, workdir = Target(classifier, BoundedImages(data, classifier), data.labels), Workdir(values.workdir, config)

    def attack(seed: int, rows: range, name: str) -> None:
        attack_chunk(chunks, plan(values, seed), name, rows, store(values, workdir, chunks))

    return attack
