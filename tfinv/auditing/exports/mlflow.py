"""Logging of an audit to MLflow, where it is installed."""

import importlib
import os
import re
from collections.abc import Sequence
from typing import Any

from tfinv import paths
from tfinv.auditing.exports.facts import data_name, model_name, plain
from tfinv.errors import expected
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import rows_of
from tfinv.reporting.results.summary import interval, number

# Characters of MLflow's names.
_FORBIDDEN = re.compile(r"[^\w\-. /]")
_FILES = ("results.json", "report.html", "junit.xml", "audit.sarif", "model-card.cdx.json", "model-card.md")


def log_mlflow(results: Results, folder: str | os.PathLike, files: Sequence[str] = _FILES) -> None:
    """Logs an audit to MLflow's active run, or to a new one.

    The figures of graded rules are metrics, with `.low` and `.high` for the ends of their intervals; grades and states are tags,
    and the files are artifacts in the folder `tfinv`.

    Args:
      results: of an audit, with grades.
      folder: of the audit.
      files: names in the folder; those that are not there are left out.

    Raises:
      UserError: MLflow is not installed, or a row does not follow the schema.
    """
    try:
        mlflow: Any = importlib.import_module("mlflow")
    except ImportError as error:
        raise expected("MLflow", "an environment without it", "Run pip install mlflow.") from error
    metrics: dict[str, float] = {}
    tags = {"tfinv.model": model_name(results), "tfinv.images": data_name(results)}
    for row in rows_of(results, "grade"):
        name = _FORBIDDEN.sub("-", plain(row["rule"]))
        value, bounds = number(row, "value"), interval(row)
        tags[f"tfinv.{name}"] = str(row["grade"] if row["state"] == "graded" else row["state"])
        if row["state"] != "graded" or value is None:
            continue
        metrics[name] = value
        if bounds:
            metrics |= {f"{name}.low": bounds[0], f"{name}.high": bounds[1]}
    failed = [check.name for check in results.checks if check.passed is False]
    tags["tfinv.failed checks"] = plain(", ".join(failed)) or "none"
    run = mlflow.active_run()
    if run is None:
        with mlflow.start_run():
            _log(mlflow, metrics, tags, folder, files)
    else:
        _log(mlflow, metrics, tags, folder, files)


def _log(
    mlflow: Any, metrics: dict[str, float], tags: dict[str, str], folder: str | os.PathLike, files: Sequence[str]
) -> None:
    mlflow.log_metrics(metrics)
    mlflow.set_tags(tags)
    for name in files:
        path = paths.expand(folder) / name
        if path.is_file():
            mlflow.log_artifact(str(path), artifact_path="tfinv")
