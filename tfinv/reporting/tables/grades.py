"""Grades of an audit: one verdict a question, and the table of all rules."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, interval, number
from tfinv.reporting.tables.cells import MISSING, Cell, Table, percent, significant

# What each question asks, in its order.
QUESTIONS = {
    "accuracy": "Is it right on clean images?",
    "calibration": "Is it right as often as it is sure?",
    "corruptions": "Does it stand noise, blur, weather?",
    "robustness": "Does it withstand attacks?",
    "inversion": "Does it give away training images?",
    "membership": "Does it tell who it was trained on?",
}
# Sections of the page that a question is answered in.
_SECTIONS = {"robustness": "accuracy"}
_ORDER = ("poor", "fair", "good")
_TONES = {"poor": "bad", "fair": "fair", "good": "good"}
# A grade is a word, a symbol and a colour, so that none of them is needed alone.
SYMBOLS = {
    "good": "\N{HEAVY CHECK MARK}",
    "fair": "\N{BLACK UP-POINTING TRIANGLE}",
    "bad": "\N{HEAVY MULTIPLICATION X}",
    "doubt": "?",
    "open": MISSING,
    "plain": "\N{BULLET}",
}
DISBELIEVED, NOT_ASKED = "not to be believed", "not asked"


@dataclasses.dataclass(frozen=True)
class Scale:
    """A line from `low` to `high` on which a figure is drawn, as percentages of its length.

    Attributes:
      value: place of the figure.
      left: place of the interval's lower end.
      right: place of its upper end.
      zones: grade, and the places where its zone begins and ends, from left to right.
    """

    value: float
    left: float
    right: float
    zones: tuple[tuple[str, float, float], ...]


@dataclasses.dataclass(frozen=True)
class QuestionVerdict:
    """Verdict of one question: its worst graded rule, or why it has none. Below poor there is nothing, so poor needs no other rule.

    Attributes:
      question: its name.
      asks: the question as a sentence.
      word: the grade, "not to be believed" or "not asked".
      tone: "good", "fair", "bad", "doubt" or "open".
      text: what was measured, or why there is no grade.
      figure: with its unit; empty without a grade.
      interval: of the figure; empty if there is none.
      n: number of examples; empty if it is unknown.
      thresholds: of the grades, as a phrase; empty without a grade.
      spans: grades that the interval reaches, as a phrase; empty if it stays within one.
      tags: of standards, such as "OWASP AISVS 11.2.5".
      rules: number of rules of the question that were graded.
      gates: names of its rules that made the command fail.
      section: id of the section that has the figures.
      scale: of the figure; None without a grade.
    """

    question: str
    asks: str
    word: str
    tone: str
    text: str
    figure: str = ""
    interval: str = ""
    n: str = ""
    thresholds: str = ""
    spans: str = ""
    tags: tuple[str, ...] = ()
    rules: int = 0
    gates: tuple[str, ...] = ()
    section: str = ""
    scale: Scale | None = None

    @property
    def symbol(self) -> str:
        """The grade as a character."""
        return SYMBOLS[self.tone]

    @property
    def sentence(self) -> str:
        """The verdict as one sentence, without the thresholds."""
        name = self.question.capitalize()
        if not self.figure:
            return f"{name}: {self.text}."
        measured = " ".join(part for part in (self.figure, self.interval) if part)
        gate = f" This fails the audit ({', '.join(self.gates)})." if self.gates else ""
        return f"{name}: {self.word}. {measured}, {self.text}.{gate}"


def question_verdicts(rows: Sequence[Row]) -> list[QuestionVerdict]:
    """Returns one verdict a question, in the order of the questions.

    Args:
      rows: of kind "grade".
    """
    names = [q for q in QUESTIONS if any(r["question"] == q for r in rows)]
    names += [q for q in unique(str(r["question"]) for r in rows) if q not in QUESTIONS]
    return [_verdict(name, [r for r in rows if r["question"] == name]) for name in names]


def headline(rows: Sequence[Row]) -> tuple[str, str]:
    """Returns how many questions have which grade, as a sentence, and its tone."""
    verdicts = question_verdicts(rows)
    counts = {word: sum(v.word == word for v in verdicts) for word in (*_ORDER, DISBELIEVED, NOT_ASKED)}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    noun = "question" if len(verdicts) == 1 else "questions"
    gates = [gate for v in verdicts for gate in v.gates]
    failing = f" The audit fails: {', '.join(gates)}." if gates else ""
    tone = (
        "bad" if gates or counts["poor"] else "doubt" if counts[DISBELIEVED] else "fair" if counts["fair"] else "good"
    )
    if not any(counts[grade] for grade in _ORDER) and tone == "good":
        tone = "open"
    return f"{len(verdicts)} {noun}: {', '.join(parts)}.{failing}", tone


def grade_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates all rules: figure, grade, thresholds, tags."""
    if not rows:
        return None
    lines = []
    for row in rows:
        value, bounds = number(row, "value"), interval(row)
        show = _formatter(row)
        notes = (f"[{show(bounds[0])}, {show(bounds[1])}]",) if bounds and value is not None else ()
        figure = Cell() if value is None else Cell(show(value), notes)
        outcome = _grade_of(row) or str(row.get("reason") or row["state"])
        tags = ", ".join(map(str, row.get("tags") or ()))
        cells = (figure, Cell(_show_n(row) or MISSING), Cell(outcome), Cell(_thresholds(row)), Cell(tags or MISSING))
        lines.append(((str(row["question"]), f"{row['rule']}: {row['text']}"), cells))
    return Table(
        title="All rules of the policy",
        stubs=("question", "rule"),
        headings=("figure", "n", "grade", "thresholds", "tags"),
        lines=tuple(lines),
        notes=(
            "[a, b]: 95 % interval. Percentages where the thresholds are. A question has the grade of its worst rule; and none, "
            "unless that is poor, while a check that all its figures rest on fails.",
        ),
        prose=True,
    )


def _verdict(name: str, rows: Sequence[Row]) -> QuestionVerdict:
    gates = tuple(str(r["rule"]) for r in rows if r.get("gate"))
    tags = tuple(unique(str(tag) for r in rows for tag in r.get("tags") or ()))
    keys: dict[str, Any] = {
        "question": name,
        "asks": QUESTIONS.get(name, ""),
        "tags": tags,
        "section": _SECTIONS.get(name, name),
    }
    disbelieved = [r for r in rows if r["state"] == "disbelieved"]
    graded = [r for r in rows if _grade_of(r)]
    in_doubt = any(not r.get("limited") for r in disbelieved)
    if not graded or (in_doubt and all(r["grade"] != "poor" for r in graded)):
        word, tone = (DISBELIEVED, "doubt") if disbelieved else (NOT_ASKED, "open")
        reasons = unique(str(r["reason"]) for r in disbelieved or rows if r.get("reason"))
        # The phrase that all reasons begin with is said once.
        first, *further = reasons or [word]
        text = "; ".join([first, *(reason.removeprefix(f"{DISBELIEVED}, ") for reason in further)])
        return QuestionVerdict(word=word, tone=tone, text=text, gates=gates, **keys)
    worst = min(graded, key=lambda r: _ORDER.index(r["grade"]))
    show, bounds = _formatter(worst), interval(worst)
    unit = " %" if worst.get("format") == "percent" else ""
    reached = [str(grade) for grade in worst.get("spans") or ()]
    return QuestionVerdict(
        word=worst["grade"],
        tone=_TONES[worst["grade"]],
        text=str(worst["text"]) + _without(disbelieved),
        figure=f"{show(number(worst, 'value') or 0.0)}{unit}",
        interval=f"[{show(bounds[0])}, {show(bounds[1])}]" if bounds else "",
        n=_show_n(worst),
        thresholds=_thresholds(worst),
        spans=f"its interval reaches from {reached[0]} to {reached[-1]}" if len(reached) > 1 else "",
        rules=len(graded),
        gates=gates,
        scale=_scale(worst),
        **keys,
    )


def _without(disbelieved: Sequence[Row]) -> str:
    """Rules that the verdict can't take into account, as the end of a phrase."""
    if not disbelieved:
        return ""
    checks = unique(str(check) for r in disbelieved for check in r.get("checks") or ())
    because = f", because {', '.join(checks)} failed" if checks else ""
    return f"; {', '.join(str(r['rule']) for r in disbelieved)} {DISBELIEVED}{because}"


def _grade_of(row: Row) -> str | None:
    grade = row.get("grade")
    return grade if row["state"] == "graded" and grade in _ORDER and row.get("value") is not None else None


def _formatter(row: Row) -> Callable[[float], str]:
    return percent if row.get("format") == "percent" else significant


def _show_n(row: Row) -> str:
    n = number(row, "n")
    return "" if n is None else f"{n:,.0f}"


def _thresholds(row: Row) -> str:
    good, fair, show = number(row, "good"), number(row, "fair"), _formatter(row)
    if good is None or fair is None:
        return MISSING
    unit = " %" if row.get("format") == "percent" else ""
    word = "from" if row.get("better") == "higher" else "up to"
    return f"good {word} {show(good)}{unit}, fair {word} {show(fair)}{unit}"


def _scale(row: Row) -> Scale | None:
    value, good, fair = (number(row, key) for key in ("value", "good", "fair"))
    if value is None or good is None or fair is None:
        return None
    low, high = interval(row) or (value, value)
    ends = (value, low, high, good, fair)
    margin = 0.15 * (max(ends) - min(ends) or 1.0)
    start, end = min(ends) - margin, max(ends) + margin
    if row.get("format") == "percent":
        start, end = max(0.0, start), min(max(1.0, *ends), end)
    width = end - start or 1.0

    def place(figure: float) -> float:
        return round(min(100.0, max(0.0, 100 * (figure - start) / width)), 2)

    grades = _ORDER if row.get("better") == "higher" else _ORDER[::-1]
    edges = [0.0, *sorted((place(good), place(fair))), 100.0]
    zones = tuple((_TONES[g], a, b) for g, a, b in zip(grades, edges[:-1], edges[1:], strict=True))
    return Scale(place(value), place(low), place(high), zones)
