"""Exports of an audit for other tools: JUnit, SARIF, a CycloneDX model card, a card for Hugging Face, and MLflow."""

import os
import pathlib
from collections.abc import Callable, Mapping

from tfinv import files, paths
from tfinv.auditing.exports.cyclonedx import cyclonedx
from tfinv.auditing.exports.junit import junit
from tfinv.auditing.exports.mlflow import log_mlflow
from tfinv.auditing.exports.model_card import model_card
from tfinv.auditing.exports.sarif import sarif
from tfinv.reporting import Results

__all__ = ["EXPORTS", "cyclonedx", "junit", "log_mlflow", "model_card", "sarif", "write_exports"]

# By file name, what makes its text.
EXPORTS: Mapping[str, Callable[[Results], str]] = {
    "junit.xml": junit,
    "audit.sarif": sarif,
    "model-card.cdx.json": cyclonedx,
    "model-card.md": model_card,
}


def write_exports(results: Results, folder: str | os.PathLike) -> dict[str, pathlib.Path]:
    """Writes every export but that to MLflow, each whole or not at all.

    Args:
      results: of an audit, with grades.
      folder: where the files go.

    Returns:
      The paths by file name.

    Raises:
      UserError: a row does not follow the schema, or the folder can't be written to.
    """
    written = {}
    for name, export in EXPORTS.items():
        written[name] = paths.expand(folder) / name
        files.write_text(written[name], export(results))
    return written
