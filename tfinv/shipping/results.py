"""Reads the results of a training and an evaluation for a card: accuracies, command lines, and whether the two fit each other."""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

from tfinv import files
from tfinv.errors import expected
from tfinv.models.pretrained import Privacy, Score
from tfinv.reporting import Results
from tfinv.runs.workdir import read_config

# Flags that change no figure.
_PLACES = ("data_dir", "workdir", "workers")


def read_results(path: str | os.PathLike, *commands: str) -> Results:
    """Reads the results of a workdir.

    Raises:
      UserError: they are not of one of these commands.
    """
    results = Results.read(path)
    if results.command not in commands:
        raise expected(
            f"the workdir of tfinv {' or '.join(commands)}", f"{path}, of tfinv {results.command}", "Change the folder."
        )
    return results


def only_model(workdir: pathlib.Path) -> pathlib.Path:
    """Returns the file of the one model in a training's workdir.

    Raises:
      UserError: there is none, or more than one.
    """
    paths = sorted((workdir / "models").glob("*.keras"))
    if len(paths) != 1:
        raise expected(f"one model in {workdir / 'models'}", len(paths), "Change the argument `training_dir`.")
    return paths[0]


def check_evaluation(config: Mapping[str, Any], **training: Any) -> None:
    """Refuses an evaluation that is not on the test split, or differs from the training.

    Args:
      config: of the evaluation.
      **training: configuration of the training that the evaluation must share.

    Raises:
      UserError: it is such.
    """
    if config["split"] != "test":
        raise expected("an evaluation on the test split", config["split"], "Run it with --split=test.")
    for key, value in training.items():
        if config[key] != value:
            raise expected(
                f"an evaluation on the {key} of the training, {value}", config[key], f"Run it with that --{key}."
            )


def check_contents(evaluation_dir: str | os.PathLike, model: pathlib.Path) -> None:
    """Refuses an evaluation of other weights, even if the file had the same path then.

    Raises:
      UserError: it is such.
    """
    if read_config(evaluation_dir).get("model_contents") != files.digest(model):
        raise expected("an evaluation of the model that ships", "one of another file", "Run it again.")


def robust_scores(results: Results, seed: int, experiment: str | None = None) -> tuple[Score, ...]:
    """Returns the accuracies under attack of a seed, and of an experiment if there are several.

    Raises:
      UserError: AutoAttack is not among the attacks.
    """
    rows = [r for r in results.rows_of("accuracy") if r["attack"] != "none" and r["seed"] == seed]
    rows = [r for r in rows if experiment in (None, r["experiment"])]
    if not any(r["attack"].partition("(")[0] == "autoattack" for r in rows):
        attacks = ", ".join(sorted({r["attack"] for r in rows})) or "none"
        raise expected("an evaluation with autoattack", attacks, "Run it with --attacks=autoattack.")
    return tuple(Score(r["attack"], r.get("norm"), r["eps"], r["accuracy"], r["n"], tuple(r["ci95"])) for r in rows)


def privacy_of(results: Results, row: Mapping[str, Any]) -> Privacy | None:
    """Returns the guarantee of a training, given its row of another metric; None if it has none.

    Raises:
      UserError: an epsilon without what it is stated for, of a training whose batches were shuffled.
    """
    training = {key: row[key] for key in ("experiment", "seed")}
    for candidate in results.rows_of("training"):
        if candidate["metric"] != "epsilon" or {key: candidate[key] for key in training} != training:
            continue
        terms: dict[str, Any] = {field.name: candidate.get(field.name) for field in dataclasses.fields(Privacy)}
        if absent := [name for name, value in terms.items() if value is None and name != "epsilon"]:
            raise expected(f"an epsilon with {', '.join(absent)}", "none, of an earlier version", "Train it again.")
        return Privacy(**terms | {"epsilon": candidate["value"]})
    return None


def command_line(results: Results, **changes: Any) -> str:
    """Returns the command line that gave the results, with every flag that has a value, and with some flags changed."""
    config: Mapping[str, Any] = results.config | changes
    flags = [f"--{k}={_flag(v)}" for k, v in config.items() if v is not None and k not in _PLACES]
    return shlex.join(["tfinv", *results.command.split(), *flags])


def machine(environment: Mapping[str, Any]) -> str:
    """Describes processor, versions and date of the results in one line."""
    versions = ", ".join(f"{k} {environment[k]}" for k in ("tfinv", "tensorflow", "keras", "numpy"))
    return f"{environment['processor']}, {environment['cores']} cores; {versions}; {environment['date']}"


def _flag(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_flag, value)) if isinstance(value, (list, tuple)) else str(value)
