"""Grades of an audit: rows of kind "grade" from its other rows, its checks and a policy."""

from typing import Any

from tfinv.auditing.bearing import Doubt, doubts
from tfinv.auditing.figures import Figure, figure
from tfinv.auditing.policy import GRADES, Policy
from tfinv.auditing.rule import Rule
from tfinv.reporting.results import Results

_NAMED = 3  # failed checks in a reason


def grade(results: Results, policy: Policy) -> list[dict[str, Any]]:
    """Returns one row of kind "grade" for each rule; `tfinv.reporting.results.results` has its keys.

    A rule is graded by its value, and `spans` names the grades that its interval reaches. Where a check failed that bears on it,
    the rule is disbelieved and has no grade; a poor one stands if the failure can only have flattered the model, and says so.
    `limited` says that it is disbelieved for what bears on this rule alone, as too few non-members for its FPR do.

    Args:
      results: of an audit, without grades.
      policy: the rules.
    """
    questions = {row["question"]: row for row in results.rows_of("question")}
    experiment = next((row["experiment"] for row in results.rows if "experiment" in row), "model")
    rows = []
    for rule in policy.rules:
        asked = questions.get(rule.question, {})
        value = None if asked.get("state") == "not asked" else figure(rule, results)
        head = {"kind": "grade", "experiment": experiment, "question": rule.question, "rule": rule.name}
        rows.append(
            head | _measured(rule, value) | _state(rule, value, doubts(rule, results.checks), asked.get("reason"))
        )
    return rows


def _measured(rule: Rule, value: Figure | None) -> dict[str, Any]:
    return {
        "text": rule.describe({} if value is None else value.words),
        "value": None if value is None else value.value,
        "ci95": None if value is None or value.ci95 is None else list(value.ci95),
        "n": None if value is None else value.n,
        "format": rule.format,
        "better": rule.better,
        "good": rule.good,
        "fair": rule.fair,
        "tags": list(rule.tags),
        "gate": False,
    }


def _state(rule: Rule, value: Figure | None, doubtful: list[Doubt], reason: str | None) -> dict[str, Any]:
    """Grade, spans, state, reason and checks of a row."""
    if value is None:
        why = reason or "no figure for this rule"
        return {"grade": None, "spans": [], "state": "not asked", "reason": f"not asked: {why}", "checks": []}
    level = rule.grade(value.value)
    names = list(dict.fromkeys(doubt.check for doubt in doubtful))
    if doubtful and not (level == GRADES[0] and all(doubt.bearing.poor_stands for doubt in doubtful)):
        # Those that let nothing stand come first, for they say the most.
        first = min(doubtful, key=lambda doubt: doubt.bearing.poor_stands)
        why = f"not to be believed, because {_listed(names)} failed: {first.bearing.reason}"
        limited = all(doubt.bearing.of_its_fpr for doubt in doubtful)
        outcome = {"grade": None, "spans": [], "state": "disbelieved", "reason": why, "checks": names}
        return outcome | ({"limited": True} if limited else {})
    note = value.limit if level != GRADES[0] else None
    if doubtful:
        note = (
            f"poor all the same, though {_listed(names)} failed, which can only flatter: {doubtful[0].bearing.reason}"
        )
    return {"grade": level, "spans": _spans(rule, value), "state": "graded", "reason": note, "checks": []}


def _spans(rule: Rule, value: Figure) -> list[str]:
    """The grades that the interval reaches, from the worst to the best."""
    ends = (value.value,) if value.ci95 is None else (value.value, *value.ci95)
    places = [GRADES.index(rule.grade(end)) for end in ends]
    return list(GRADES[min(places) : max(places) + 1])


def _listed(names: list[str]) -> str:
    count = len(names) - _NAMED
    rest = f" and {count} {'other' if count == 1 else 'others'}" if count > 0 else ""
    return ", ".join(names[:_NAMED]) + rest
