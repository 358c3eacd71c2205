"""Tables of docs/policy.md, from the policy and the table of checks: `python -m tests.auditing.policy_page` writes them."""

import pathlib
import re

from tfinv.auditing.bearing import BEARINGS
from tfinv.auditing.policy import load_policy

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "policy.md"
_SUBJECTS = {"chance": "guessing", "clean": "the accuracy on clean images", "start": "the start of the inversion"}


def rules():
    """A table of all rules, and a paragraph each."""
    policy = load_policy()
    lines = ["| rule | question | good | fair | tags |", "|---|---|---|---|---|"]
    for rule in policy.rules:
        word = "from" if rule.better == "higher" else "up to"
        cells = (
            f"[`{rule.name}`](#{rule.name})",
            rule.question,
            *(f"{word} {value:g}" for value in (rule.good, rule.fair)),
        )
        lines.append(f"| {' | '.join((*cells, ', '.join(rule.tags) or 'none'))} |")
    parts = ["\n".join(lines)]
    for rule in policy.rules:
        text = re.sub(r"\{(\w+)\}", r"*\1*", rule.text.replace("{fpr}", f"{100 * (rule.fpr or 0):g} %"))
        over = f" It is set against {_SUBJECTS[rule.over]}." if rule.over else ""
        parts.append(
            f"### {rule.name}\n\n{text[0].upper() + text[1:]}.{over} {rule.reason}\n\n"
            f"- good, {rule.good:g}: {rule.good_source}\n- fair, {rule.fair:g}: {rule.fair_source}"
        )
    return "\n\n".join(parts)


def checks():
    """A table of the checks that bear on grades, and of the others."""
    lines = ["| failed check | bears on | a poor grade | because |", "|---|---|---|---|"]
    silent = []
    for name, bearings in BEARINGS.items():
        link = f"[{name}](reading-a-report.md#{name})"
        if not bearings:
            silent.append(link)
        for bearing in bearings:
            limit = " (TPR at that FPR)" if bearing.of_its_fpr else " (TPR)" if bearing.measures else ""
            stands = "stands" if bearing.poor_stands else "falls"
            lines.append(f"| {link} | {', '.join(bearing.questions)}{limit} | {stands} | {bearing.reason} |")
    return "\n".join(lines) + f"\n\nThese bear on no grade: {', '.join(silent)}."


PARTS = {"rules": rules, "checks": checks}


def page(text):
    """The page with its generated parts."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: written by python -m tests.auditing.policy_page -->", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}\n\n{make()}\n\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
