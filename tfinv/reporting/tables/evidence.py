"""Evidence of a check in parts: sentences of many clauses become lists that one can look through."""

import dataclasses
import re

_COUNT = re.compile(r"(?:none|\d+) of [\d,]+ failed")  # of `evaluation.check.merge`
_SUBJECT = re.compile(r"([^:;|]{1,60}): (?=\S)")
_FIGURE = re.compile(r"\S.{0,48}? [-+\N{MINUS SIGN}]?[\d.]")
_SHORT = 120  # characters that are read at a glance
_LEAST_ITEMS = 3  # of a series
_OPEN, _CLOSE = "([{", ")]}"


@dataclasses.dataclass(frozen=True)
class Clause:
    """One clause of an evidence.

    Attributes:
      text: of the clause, or what its `items` are.
      items: of a series such as "AUC: gap 0.51, lira 0.63"; empty for a plain clause.
    """

    text: str
    items: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """Clauses about one subject.

    Attributes:
      subject: such as an experiment; empty if the evidence has only one.
      clauses: at least one.
    """

    subject: str
    clauses: tuple[Clause, ...]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """An evidence in parts.

    Attributes:
      lead: how many of how many failed; empty for a check of a single subject.
      parts: by subject.
    """

    lead: str
    parts: tuple[Part, ...]

    @property
    def is_sentence(self) -> bool:
        """Whether there is a single clause, or so little text that it needs no list."""
        clauses = [c for part in self.parts for c in part.clauses]
        length = sum(len(c.text) + sum(map(len, c.items)) for c in clauses)
        return (len(clauses) == 1 and not clauses[0].items) or (len(self.parts) == 1 and length <= _SHORT)


def parts(text: str) -> Evidence:
    """Splits an evidence at " | " and "; ", but never within brackets, and loses nothing but these separators.

    Args:
      text: of a `Check`, possibly merged from several subjects.
    """
    lead, rest = "", text
    first, _, after = text.partition("; ")
    if after and _COUNT.fullmatch(first):
        lead, rest = first, after
    pieces = split(rest, " | ")
    several = len(pieces) > 1 or bool(lead)
    return Evidence(lead, tuple(_part(piece, several) for piece in pieces))


def split(text: str, separator: str) -> list[str]:
    """Splits a text at a separator outside of brackets; where brackets don't match, not at all."""
    depth, start, pieces = 0, 0, []
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth < 0:
            return [text]
        if not depth and text.startswith(separator, place) and place >= start:
            pieces.append(text[start:place])
            start = place + len(separator)
    return [text] if depth else [*pieces, text[start:]]


def _part(text: str, several: bool) -> Part:
    match = _SUBJECT.match(text) if several else None
    subject, rest = (match[1], text[match.end() :]) if match else ("", text)
    return Part(subject, tuple(_clause(clause) for clause in split(rest, "; ")))


def _clause(text: str) -> Clause:
    label, colon, series = text.partition(": ")
    items = split(series if colon else text, ", ")
    if len(items) < _LEAST_ITEMS or not all(_FIGURE.match(item) for item in items):
        return Clause(text)
    return Clause(label if colon else "", tuple(items))
