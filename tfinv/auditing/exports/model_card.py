"""Model card of an audit in Markdown, whose metadata Hugging Face's hub reads as evaluation results (`model-index`)."""

import json
from collections.abc import Mapping
from typing import Any

from tfinv.auditing.exports.facts import data_name, model_name, plain, show
from tfinv.reporting.markdown import escape, markdown
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import rows_of


def model_card(results: Results) -> str:
    """Returns the card: metadata, the grades, and the report.

    The metadata have the figures of graded rules alone: what is not to be believed is no result of an evaluation.

    Args:
      results: of an audit, with grades.

    Raises:
      UserError: a row does not follow the schema.
    """
    grades = rows_of(results, "grade")
    head = "\n".join(["---", *_yaml(_metadata(results, grades)), "---"])
    title = f"# {escape(plain(model_name(results)))}"
    about = (
        f"Audited with tfinv on {escape(data_name(results))}, by {escape(plain(results.config.get('policy') or 'its policy'))}. "
        "Files of an audit: `report.html`, `results.json`."
    )
    return plain("\n\n".join([head, title, about, _grades(grades), markdown(results)]).rstrip("\n") + "\n")


def _metadata(results: Results, grades: list[dict[str, Any]]) -> dict[str, Any]:
    metrics = [
        {
            "type": plain(row["rule"]),
            "name": plain(row["text"]),
            "value": round(float(row["value"]), 6),
            "verified": False,
        }
        for row in grades
        if row["state"] == "graded" and row.get("value") is not None
    ]
    dataset = {
        "name": data_name(results),
        "type": data_name(results),
        "split": plain(results.config.get("split") or "test"),
    }
    task = {"type": "image-classification", "name": "Image Classification"}
    index = [{"name": model_name(results), "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}]
    metadata: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["tfinv-audit"],
    }
    # An entry without metrics is refused by the hub.
    return metadata | ({"model-index": index} if metrics else {})


def _yaml(value: Mapping[str, Any], indent: str = "") -> list[str]:
    """Lines of YAML in block style; scalars are JSON's, which YAML reads."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}:", *_yaml(item, indent + "  ")]
        elif isinstance(item, list):
            lines.append(f"{indent}{key}:")
            for part in item:
                if isinstance(part, dict):
                    first, *rest = _yaml(part, indent + "  ")
                    lines += [f"{indent}- {first.strip()}", *rest]
                else:
                    lines.append(f"{indent}- {_scalar(part)}")
        else:
            lines.append(f"{indent}{key}: {_scalar(item)}")
    return lines


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _grades(grades: list[dict[str, Any]]) -> str:
    lines = ["| question | rule | figure | grade |", "| --- | --- | --- | --- |"]
    for row in grades:
        outcome = row["grade"] if row["state"] == "graded" else row.get("reason") or row["state"]
        cells = (row["question"], row["text"], show(row) if row["state"] == "graded" else "", outcome)
        lines.append("| " + " | ".join(escape(plain(cell)) for cell in cells) + " |")
    return "\n".join(lines)
