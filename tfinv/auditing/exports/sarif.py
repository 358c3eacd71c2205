"""SARIF 2.1.0 of an audit (OASIS Standard with errata 01): its rules and failed checks as results, for code scanning."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tfinv.auditing.exports.facts import model_uri, plain, sentence, thresholds
from tfinv.evaluation.check import Check
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import rows_of
from tfinv.version import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# Kind and level of a result; where the kind is not "fail", the standard wants the level "none".
_GRADES = {"poor": ("fail", "error"), "fair": ("fail", "warning"), "good": ("pass", "none")}
_STATES = {"disbelieved": ("open", "none"), "not asked": ("notApplicable", "none")}


def sarif(results: Results) -> str:
    """Returns the SARIF log: poor grades are errors, fair ones and failed checks warnings, and what is disbelieved is open.

    Args:
      results: of an audit, with grades.

    Raises:
      UserError: a row does not follow the schema.
    """
    grades = rows_of(results, "grade")
    failed = [check for check in results.checks if check.passed is False]
    headings = {check.heading: check for check in failed}
    driver = {
        "name": "tfinv",
        "semanticVersion": __version__,
        "rules": [*map(_rule, grades), *(_check_rule(name, check) for name, check in headings.items())],
    }
    location = _location(results)
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [{"executionSuccessful": True}],
                "results": [
                    *(_result(i, row, location) for i, row in enumerate(grades)),
                    *(_check_result(len(grades) + list(headings).index(c.heading), c, location) for c in failed),
                ],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": plain(row["rule"]),
        "shortDescription": {"text": plain(row["text"])},
        "fullDescription": {"text": plain(f"{row['question']}: {row['text']}; {thresholds(row)}.")},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": [plain(tag) for tag in [row["question"], *(row.get("tags") or ())]]},
    }


def _check_rule(name: str, check: Check) -> dict[str, Any]:
    return {
        "id": plain(name),
        "shortDescription": {"text": plain(f"check {name}")},
        "help": {"text": plain(check.advice or check.evidence)},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["check"]},
    }


def _result(index: int, row: Mapping[str, Any], location: dict[str, Any]) -> dict[str, Any]:
    kind, level = _STATES.get(row["state"]) or _GRADES.get(row["grade"], ("review", "none"))
    return _finding(row["rule"], index, kind, level, sentence(row), location)


def _check_result(index: int, check: Check, location: dict[str, Any]) -> dict[str, Any]:
    return _finding(check.heading, index, "fail", "warning", plain(f"{check.name} failed: {check.evidence}"), location)


def _finding(rule: str, index: int, kind: str, level: str, text: str, location: dict[str, Any]) -> dict[str, Any]:
    return {
        "ruleId": plain(rule),
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [location],
        # The same rule on the same model is the same finding, whatever its figure.
        "partialFingerprints": {"tfinv/v1": hashlib.sha256(repr((rule, location)).encode()).hexdigest()},
    }


def _location(results: Results) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": model_uri(results)}}}
