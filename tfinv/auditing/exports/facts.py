"""Facts of an audit that several exports state: its subject, the figure of a rule as text, and texts that any format can hold."""

import os
import pathlib
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tfinv.reporting.results import Results
from tfinv.reporting.results.summary import interval, number

# Characters that XML 1.0 and YAML can't hold: controls, halves of surrogate pairs, and what is no character.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# Kinds of models that are named with a prefix, and no path.
_NAMED = re.compile(r"[a-z]{2,}:")


def plain(text: object) -> str:
    """Returns a text without characters that a format can't hold: names come from files that others wrote."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))


def model_name(results: Results) -> str:
    """Returns the name of the model: of a path its last part."""
    name = plain(results.config.get("model") or "model")
    return name if _NAMED.match(name) else pathlib.PurePath(name).name or "model"


def model_uri(results: Results) -> str:
    """Returns the model as a URI reference: a path, or a name behind its prefix."""
    name = plain(results.config.get("model") or "model")
    return urllib.parse.quote(name, safe="/:" if _NAMED.match(name) else "/")


def data_name(results: Results) -> str:
    """Returns the name of the images."""
    name = plain(results.config.get("dataset") or "images")
    return pathlib.PurePath(name).name if os.sep in name else name


def show(row: Mapping[str, Any]) -> str:
    """Returns the figure of a row of kind "grade", with its interval and n; empty without one."""
    value, bounds, n = number(row, "value"), interval(row), number(row, "n")
    if value is None:
        return ""

    def text(figure: float) -> str:
        return f"{100 * figure:.1f}" if row.get("format") == "percent" else f"{figure:.3g}"

    unit = " %" if row.get("format") == "percent" else ""
    parts = [f"{text(value)}{unit}"]
    parts += [f"[{text(bounds[0])}, {text(bounds[1])}]"] if bounds else []
    return " ".join([*parts, *([f"(n = {n:.0f})"] if n else [])])


def thresholds(row: Mapping[str, Any]) -> str:
    """Returns the thresholds of a row of kind "grade" as a phrase."""
    word = "at least" if row.get("better") == "higher" else "at most"
    good, fair = (show({"value": row.get(key), "format": row.get("format")}) for key in ("good", "fair"))
    return f"good is {word} {good}, fair {word} {fair}" if good and fair else "no thresholds"


def sentence(row: Mapping[str, Any]) -> str:
    """Returns a row of kind "grade" as a sentence: what was measured, the figure, and the grade or why there is none."""
    if row["state"] != "graded":
        return plain(f"{row['text']}: {row.get('reason') or row['state']}.")
    spans = row.get("spans") or []
    reach = f"; the interval reaches from {spans[0]} to {spans[-1]}" if len(spans) > 1 else ""
    note = f" ({row['reason']})" if row.get("reason") else ""
    return plain(f"{row['text']}: {show(row)}, {row['grade']}; {thresholds(row)}{reach}{note}.")
