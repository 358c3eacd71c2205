"""One check of an evaluation, as data."""

import dataclasses
from collections.abc import Iterable

_SHOWN = 3  # failures whose evidence is spelt out


@dataclasses.dataclass(frozen=True)
class Check:
    """One rule of a sound evaluation, held against the evidence.

    Attributes:
      name: stable identifier; what it is of stands in parentheses.
      passed: True, False, or None where there was nothing to judge.
      evidence: the figures it was judged on, as a sentence.
      advice: what it means and what to do, for when it failed.
    """

    name: str
    passed: bool | None
    evidence: str
    advice: str

    @property
    def heading(self) -> str:
        """Of its section in the docs."""
        return self.name.partition(" (")[0]


def merge(checks: Iterable[tuple[str, Check]]) -> list[Check]:
    """One check for each rule over several experiments: it fails if it failed in any, and says in which.

    The first one's evidence stands for those that passed, and that of the first few for those that failed: the figures of all
    are in the rows.

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
        shown = (failed or judged or members)[: _SHOWN if failed else 1]
        evidence = " | ".join(f"{e}: {c.evidence}" for e, c in shown)
        if len(failed) > len(shown):
            evidence += f" | likewise {', '.join(e for e, _ in failed[len(shown) :])}"
        if len(members) > 1:
            evidence = f"{len(failed) or 'none'} of {len(members)} failed; {evidence}"
        merged.append(Check(rule, not failed if judged else None, evidence, members[0][1].advice))
    return merged


def percent(share: float) -> str:
    """A share as the evidence writes it."""
    return f"{100 * share:.2f} %"
