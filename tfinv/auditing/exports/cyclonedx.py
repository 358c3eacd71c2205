"""CycloneDX 1.6 of an audit: a machine-learning bill of materials whose model card has the figures with their intervals.

The Python library of CycloneDX has no model cards (11.12), so the JSON is made here and validated against its schema in the tests.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tfinv.auditing.bearing import bears_on
from tfinv.auditing.exports.facts import data_name, model_name, plain, sentence
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import is_artefact, rows_of, show_eps
from tfinv.reporting.results.summary import interval, number
from tfinv.version import __version__

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "tfinv")


def cyclonedx(results: Results) -> str:
    """Returns the bill of materials as JSON.

    What is not to be believed is no performance metric; it stands among the technical limitations, beside the failed checks.

    Args:
      results: of an audit, with grades.

    Raises:
      UserError: a row does not follow the schema.
    """
    grades = rows_of(results, "grade")
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "image classification",
            "datasets": [{"type": "dataset", "name": data_name(results), "description": _split(results)}],
            "inputs": [{"format": "image"}],
            "outputs": [{"format": "class"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [*_metrics(results, grades)]},
    }
    if limits := _limitations(results, grades):
        card["considerations"] = {"technicalLimitations": limits}
    component = {"type": "machine-learning-model", "bom-ref": "model", "name": model_name(results), "modelCard": card}
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **({"timestamp": plain(results.environment["date"])} if results.environment.get("date") else {}),
            "tools": {"components": [{"type": "application", "name": "tfinv", "version": __version__}]},
            "component": component | _properties(results),
        },
    }
    # The same audit has the same number.
    serial = uuid.uuid5(_NAMESPACE, json.dumps(bom, sort_keys=True))
    return json.dumps(bom | {"serialNumber": f"urn:uuid:{serial}"}, indent=1, ensure_ascii=False) + "\n"


def _metrics(results: Results, grades: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in grades:
        if row["state"] == "graded":
            yield _metric(row["rule"], row["text"], row, "value")
    if bears_on("robustness", results.checks):
        return
    for row in rows_of(results, "accuracy"):
        if row["attack"] != "none" and not is_artefact(row):
            yield _metric("accuracy", f"{row['attack']} at eps {show_eps(row['eps'])}", row, "accuracy")


def _metric(kind: str, part: str, row: Mapping[str, Any], key: str) -> dict[str, Any]:
    value, bounds = number(row, key), interval(row)
    metric: dict[str, Any] = {"type": plain(kind), "value": f"{value:.6g}", "slice": plain(part)}
    if bounds:
        metric["confidenceInterval"] = {"lowerBound": f"{bounds[0]:.6g}", "upperBound": f"{bounds[1]:.6g}"}
    return metric


def _limitations(results: Results, grades: list[dict[str, Any]]) -> list[str]:
    doubtful = [sentence(row) for row in grades if row["state"] != "graded" or row.get("reason")]
    failed = [plain(f"The check {c.name} failed: {c.evidence}") for c in results.checks if c.passed is False]
    return [*doubtful, *failed]


def _split(results: Results) -> str:
    split = results.config.get("split")
    return plain(f"images of the evaluation, split {split}") if split else "images of the evaluation"


def _properties(results: Results) -> dict[str, Any]:
    keys = ("model_contents", "images_contents", "eps", "budget", "policy", "seed")
    stated = {key: results.config[key] for key in keys if results.config.get(key) is not None}
    pairs = [{"name": f"tfinv:{key}", "value": plain(value)} for key, value in stated.items()]
    return {"properties": pairs} if pairs else {}
