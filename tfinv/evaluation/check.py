"""One check of an evaluation, as data."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Check:
    """One rule of a sound evaluation, held against the evidence.

    Attributes:
      name: stable identifier, also the heading of its section in the docs.
      passed: True, False, or None where there was nothing to judge.
      evidence: the figures it was judged on, as a sentence.
      advice: what it means and what to do, for when it failed.
    """

    name: str
    passed: bool | None
    evidence: str
    advice: str


def merge(checks: Iterable[tuple[str, Check]]) -> list[Check]:
    """One check for each rule over several experiments: it fails if it failed in any, and says in which.

    Where it passed in all, the first one's evidence stands for the rest, whose figures are in the rows.

    Args:
      checks: (experiment, check) pairs.
    """
    grouped: dict[str, list[tuple[str, Check]]] = {}
    for experiment, check in checks:
        grouped.setdefault(check.name, []).append((experiment, check))
    merged = []
    for rule, members in grouped.items():
        failed = [(e, c) for e, c in members if c.passed is False]
        judged = [(e, c) for e, c in members if c.passed is not None]
        shown = failed or (judged or members)[:1]
        evidence = " | ".join(f"{e}: {c.evidence}" for e, c in shown)
        if len(members) > len(shown):
            evidence = f"{len(shown) if failed else 'none'} of {len(members)} failed; {evidence}"
        merged.append(Check(rule, not failed if judged else None, evidence, members[0][1].advice))
    return merged
