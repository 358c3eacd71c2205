"""The chunks of an evaluation, attacked by several processes."""

import types
from collections.abc import Callable
from typing import Any

from tfinv.evaluation.robustness import attack_chunk, named_attacks
from tfinv.evaluation.stream import BoundedImages
from tfinv.recipes.processes import spread
from tfinv.recipes.workdir import Workdir
from tfinv_cli import finish, victim


def how(values: Any, workdir: Workdir) -> dict[str, Any]:
    """What a chunk is attacked with, whoever does it."""
    stages = {"keep": workdir.arrays, "checkpoints": workdir.path / "stages"}
    return {"batch_size": values.batch_size, "curve": values.curve, **stages}


def share(values: Any, kept: dict[str, Any], seed: int, chunks: list[range]) -> None:
    """Has other processes attack the chunks; the command reads what they leave in the workdir.

    Args:
      values: the flags, `workers` among them.
      kept: the workdir's configuration.
      seed: of the attacks.
      chunks: the rows of each.
    """
    tasks = [(seed, rows, name) for name, _ in named_attacks(values.attacks) for rows in chunks]

    def done(task: tuple[int, range, str]) -> None:
        _, rows, name = task
        finish.say(f"{name}: images {rows.start} to {rows.stop - 1} done")

    spread(_apart, (values.flag_values_dict(), kept), tasks, values.workers, done)


def _apart(given: dict[str, Any], kept: dict[str, Any]) -> Callable[[int, range, str], None]:
    """What a process of its own does with a chunk and an attack."""
    values = types.SimpleNamespace(**given)
    classifier, data = victim.load(values)
    images, workdir = BoundedImages(data, classifier), Workdir(values.workdir, kept)
    made = dict(named_attacks(values.attacks))

    def attack(seed: int, rows: range, name: str) -> None:
        one = name, made[name]
        attack_chunk(classifier, images, data.labels, one, values.eps, rows, seed=seed, **how(values, workdir))

    return attack
