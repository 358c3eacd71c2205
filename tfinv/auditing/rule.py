"""`Rule`: one threshold of a policy, with the rows that it reads; known by the keys of its TOML table."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tfinv.catalogue import QUESTIONS
from tfinv.errors import expected

JUDGED = "judged"  # the eps that the audit judges by
STRONGEST, CLEAN_IMAGES = "strongest", "none"

# What a rule may read of each kind of rows: measures, and what they may be set against.
_MEASURES: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("accuracy",),
    "calibration": ("ece", "brier", "nll", "overconfidence"),
    "corruption": ("accuracy",),
    "inversion": ("acc@1", "acc@5"),
    "membership": ("auc", "advantage", "tpr", "epsilon"),
}
_OVER: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("chance", "clean"),
    "corruption": ("clean",),
    "inversion": ("start",),
}
# Kinds of which an attack is chosen.
_ATTACKED = ("accuracy", "inversion", "membership")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\{([a-z]*)\}")
_PLACEHOLDERS = ("attack", "eps", "fpr")


@dataclasses.dataclass(frozen=True)
class Field:
    """Form of a key of a rule.

    Attributes:
      kind: "text", "number", "texts" or "eps".
      required: whether a rule can't do without it.
      choices: values that it may have; empty for any.
    """

    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()


FIELDS: Mapping[str, Field] = {
    "question": Field("text", True, QUESTIONS),
    "kind": Field("text", True, tuple(_MEASURES)),
    "measure": Field("text", True),
    "text": Field("text", True),
    "better": Field("text", True, ("higher", "lower")),
    "good": Field("number", True),
    "fair": Field("number", True),
    "attack": Field("text"),
    "eps": Field("eps"),
    "fpr": Field("number"),
    "over": Field("text"),
    "format": Field("text", False, ("percent", "number")),
    "reason": Field("text"),
    "good_source": Field("text"),
    "fair_source": Field("text"),
    "tags": Field("texts"),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of a policy: which rows it reads, and from which value on it is good or fair.

    Attributes:
      name: kebab-case, unique in the policy.
      question: of the audit.
      kind: of the rows that it reads.
      measure: of these rows.
      text: what was measured, a short phrase; {attack}, {eps} and {fpr} are filled in.
      better: "higher" or "lower".
      good: from this value on, the grade is good.
      fair: likewise fair.
      attack: "strongest", "none" for clean images, or the name of one.
      eps: "judged" for that which the audit judges by, or a fraction of the range.
      fpr: of a TPR.
      over: what the value is set against: "chance" (0 is guessing, 1 all right), "clean" (a share of the accuracy on clean images)
        or "start" (less the value of the inversion's start).
      format: "percent" or "number".
      reason: why it is asked, for the reader.
      good_source: where its threshold comes from.
      fair_source: likewise.
      tags: ids of standards.

    Raises:
      UserError: keys that don't fit each other.
    """

    name: str
    question: str
    kind: str
    measure: str
    text: str
    better: str
    good: float
    fair: float
    attack: str | None = None
    eps: float | str | None = None
    fpr: float | None = None
    over: str | None = None
    format: str = "percent"
    reason: str = ""
    good_source: str = ""
    fair_source: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self):
        if not _NAME.fullmatch(self.name):
            raise expected("a rule's name of small letters, digits and hyphens", repr(self.name))
        self._check_rows()
        ordered = self.good >= self.fair if self.better == "higher" else self.good <= self.fair
        if not ordered:
            raise expected(
                f"good no worse than fair, where {self.better} is better", f"{self.good:g} and {self.fair:g}"
            )
        if unknown := sorted(set(_PLACEHOLDER.findall(self.text)) - set(_PLACEHOLDERS)):
            raise expected("{attack}, {eps} or {fpr} in text", f"{{{unknown[0]}}}")

        if self.fpr is None and "fpr" in _PLACEHOLDER.findall(self.text):
            raise expected("{fpr} in text for the measure tpr alone", repr(self.text))

    def _check_rows(self) -> None:
        if self.question != (question := self._question()):
            raise expected(f"question {question!r} for what the rule reads", repr(self.question))
        if self.measure not in _MEASURES[self.kind]:
            raise expected(f"measure among {', '.join(_MEASURES[self.kind])}", repr(self.measure))
        if self.over is not None and self.over not in _OVER.get(self.kind, ()):
            raise expected(f"over among {', '.join(_OVER.get(self.kind, ('none',)))}", repr(self.over))
        if (self.attack is None) == (self.kind in _ATTACKED):
            raise expected(f"attack for the kinds {', '.join(_ATTACKED)} alone", f"{self.attack!r} for {self.kind}")
        at_eps = self.kind == "accuracy" and self.attack != CLEAN_IMAGES
        if (self.eps is not None) != at_eps:
            raise expected("eps for accuracy under attack alone", repr(self.eps))
        if (self.fpr is not None) != (self.measure == "tpr"):
            raise expected("fpr for the measure tpr alone", repr(self.fpr))

    def _question(self) -> str:
        """The question whose checks bear on the rows that the rule reads."""
        if self.kind == "accuracy":
            return "accuracy" if self.attack == CLEAN_IMAGES else "robustness"
        return "corruptions" if self.kind == "corruption" else self.kind

    def grade(self, value: float) -> str:
        """Returns the grade of a value."""
        sign = 1 if self.better == "higher" else -1
        if sign * value >= sign * self.good:
            return "good"
        return "fair" if sign * value >= sign * self.fair else "poor"

    def describe(self, words: Mapping[str, str]) -> str:
        """Returns the text with what stands in braces filled in, by the rule itself where the words lack it."""
        general = {"attack": "the strongest attack", "eps": "that the audit judges by"}
        if self.attack not in (None, STRONGEST):
            general["attack"] = str(self.attack)
        if isinstance(self.eps, (int, float)):
            general["eps"] = f"{self.eps:g}"
        if self.fpr is not None:
            general["fpr"] = f"{100 * self.fpr:g} %"
        return _PLACEHOLDER.sub(lambda match: (general | dict(words))[match[1]], self.text)


def check_value(key: str, value: Any, where: str) -> None:
    """Refuses a value of another form than its key has.

    Args:
      key: of `FIELDS`.
      value: of it.
      where: it stands, for the error.

    Raises:
      UserError: it has another form.
    """
    field = FIELDS[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    valid, noun = {
        "text": (isinstance(value, str), "a text"),
        "number": (is_number, "a number"),
        "texts": (isinstance(value, list) and all(isinstance(v, str) for v in value), "a list of texts"),
        "eps": (value == JUDGED or (is_number and 0 < value <= 1), f"{JUDGED!r}, or a fraction of the range"),
    }[field.kind]
    if field.choices and value not in field.choices:
        valid, noun = (
            False,
            " or ".join(field.choices) if len(field.choices) < 3 else f"one of {', '.join(field.choices)}",
        )
    if not valid:
        raise expected(
            f"{noun} as {key} in {where}", repr(value), "Change --policy, or the file; docs/policy.md has the keys."
        )
