"""The outcome of a check as data, and the merging of several."""

import dataclasses
from collections.abc import Iterable

_SHOWN = 3  # failures whose evidence is spelt out


@dataclasses.dataclass(frozen=True)
class Check:
    """Outcome of one rule of a sound evaluation.

    Attributes:
      name: stable identifier, followed by its subject in parentheses.
      passed: True, False, or None where there was nothing to check.
      evidence: the figures behind the outcome, as a sentence.
      advice: what a failure means and what to do about it.
    """

    name: str
    passed: bool | None
    evidence: str
    advice: str

    @property
    def heading(self) -> str:
        """Heading of its section in the docs."""
        return self.name.partition(" (")[0]


def merge(checks: Iterable[tuple[str, Check]]) -> list[Check]:
    """Merges the checks of several experiments into one for each rule, which fails if it failed in any, and says in which.

    The evidence is that of the first few that failed, or of the first if none did: the figures of all are in the rows.

    Args:
      checks: (experiment, check) pairs.
    """
    grouped: dict[str, list[tuple[str, Check]]] = {}
    for experiment, check in checks:
        grouped.setdefault(check.name, []).append((experiment, check))
    merged = []
    for rule, members in grouped.items():
        failed = [(e, c) for e, c in members if c.passed is False]
        decided = [(e, c) for e, c in members if c.passed is not None]
        shown = (failed or decided or members)[: _SHOWN if failed else 1]
        evidence = " | ".join(f"{e}: {c.evidence}" for e, c in shown)
        if len(failed) > len(shown):
            evidence += f" | likewise {', '.join(e for e, _ in failed[len(shown) :])}"
        if len(members) > 1:
            evidence = f"{len(failed) or 'none'} of {len(members)} failed; {evidence}"
        merged.append(Check(rule, not failed if decided else None, evidence, members[0][1].advice))
    return merged


def percent(share: float) -> str:
    """Formats a share as the evidence does."""
    return f"{100 * share:.2f} %"
