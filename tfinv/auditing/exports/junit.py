"""JUnit XML of an audit: a test case for each rule and each check, for the test pages of CI systems.

It follows the schema of Jenkins's xUnit plugin (junit-10.xsd), which GitLab, GitHub's actions and Azure read, too.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any

from tfinv.auditing.exports.facts import data_name, model_name, plain, sentence
from tfinv.evaluation.check import Check
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import rows_of, unique

_OUTCOMES = ("failure", "error", "skipped")


def junit(results: Results) -> str:
    """Returns the XML: one suite a question, and one of the checks.

    A poor grade and a failed check are failures, what is not to be believed is an error, and what nobody asked or judged is
    skipped. A fair grade passes; its text is in the output of the case.

    Args:
      results: of an audit, with grades.

    Raises:
      UserError: a row does not follow the schema.
    """
    grades = rows_of(results, "grade")
    root = ET.Element("testsuites", name=f"tfinv audit of {model_name(results)}")
    for question in unique(row["question"] for row in grades):
        cases = [_rule(row) for row in grades if row["question"] == question]
        root.append(_suite(plain(question), cases, results))
    if results.checks:
        root.append(_suite("checks", map(_check, results.checks), results))
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _suite(name: str, cases: Iterable[ET.Element], results: Results) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("model", model_name(results)),
        ("images", data_name(results)),
        ("eps", results.config.get("eps")),
    ):
        if value is not None:
            ET.SubElement(properties, "property", name=key, value=plain(value))
    suite.extend(cases)
    tests = suite.findall("testcase")
    counts = {outcome: sum(case.find(outcome) is not None for case in tests) for outcome in _OUTCOMES}
    suite.set("tests", str(len(tests)))
    for key, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(counts[outcome]))
    if results.environment.get("date"):
        suite.set("timestamp", plain(results.environment["date"]))
    return suite


def _rule(row: Mapping[str, Any]) -> ET.Element:
    outcome = {"disbelieved": "error", "not asked": "skipped"}.get(row["state"])
    if row["state"] == "graded" and row["grade"] == "poor":
        outcome = "failure"
    details = "\n".join([sentence(row), *(plain(tag) for tag in row.get("tags") or ())])
    return _case(f"tfinv.audit.{row['question']}", row["rule"], outcome, sentence(row), details)


def _check(check: Check) -> ET.Element:
    outcome = {True: None, False: "failure", None: "skipped"}[check.passed]
    details = f"{check.evidence}\n{check.advice}" if check.passed is False else check.evidence
    return _case("tfinv.audit.checks", check.name, outcome, check.evidence, plain(details))


def _case(classname: str, name: str, outcome: str | None, message: str, details: str) -> ET.Element:
    case = ET.Element("testcase", classname=plain(classname), name=plain(name))
    if outcome is None:
        ET.SubElement(case, "system-out").text = details
    else:
        kind = {"failure": "poor", "error": "disbelieved", "skipped": "not asked"}[outcome]
        ET.SubElement(case, outcome, type=kind, message=plain(message)).text = details
    return case
