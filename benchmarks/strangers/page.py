"""The page of the survey, and what counts as what."""

import collections
import datetime
import platform
import re
import textwrap
from typing import Any

from benchmarks import machine
from benchmarks.strangers.table import Stranger

_SAME, _LEVEL = 1e-4, 1 / 256  # of outputs, and of quantised ones
_GRADIENT = 0.02  # of the median gradient
_BELOW = 0.03  # of accuracy: clearly below the authors'
_WIDTH = 131
_Row = tuple[Stranger, dict[str, Any]]


def state(row: _Row) -> str:
    """One of "absent", "in", "in with help", "refused", "traceback", "died"."""
    facts = row[1]
    for key in ("absent", "died", "traceback"):
        if key in facts:
            return key
    if "shape" not in facts:
        return "refused"
    return "in with help" if "refused" in facts else "in"


def faults(row: _Row) -> list[str]:
    """What is wrong with a model that comes in: each a phrase."""
    model, facts = row
    phrases = [facts["misfit"]] if "misfit" in facts else []
    if "difference" in facts and not _is_same(facts):
        phrases.append(f"outputs differ by {facts['difference']:.2g} ({facts['meaning']})")
    if "gradient" in facts and not facts["gradient"] <= _GRADIENT:
        phrases.append(f"gradient off by {100 * facts['gradient']:.1f} %")
    if "own_accuracy" in facts and abs(facts["accuracy"] - facts["own_accuracy"]) > 0.002:
        phrases.append(f"accuracy {facts['accuracy']:.3f} for {facts['own_accuracy']:.3f}")
    if is_silently_wrong(facts):
        phrases.append(f"silently wrong without flags: {facts['bare']:.3f} for {facts['own_accuracy']:.3f}")
    return phrases


def _is_same(facts: dict[str, Any]) -> bool:
    return facts["difference"] <= (1.01 * _LEVEL if facts["quantised"] else _SAME)


def is_silently_wrong(facts: dict[str, Any]) -> bool:
    """Whether the model comes in without a flag, clearly below its authors' accuracy, and no check fails."""
    if "bare" not in facts or "own_accuracy" not in facts:
        return False
    return facts["bare"] < facts["own_accuracy"] - _BELOW and not facts["checks"]


def summary(row: _Row) -> str:
    """One line for the log."""
    facts = row[1]
    text = (
        facts.get("died")
        or facts.get("traceback", "").split("\n")[0]
        or facts.get("refused_with_help")
        or facts.get("refused", "")
    )
    parts = [state(row), text]
    if "difference" in facts:
        parts.append(f"outputs {facts['difference']:.1e} ({facts['meaning']})")
    if "own" in facts and "framework" not in facts["own"]:
        parts.append(f"own: {facts['own']}")
    if "gradient" in facts:
        parts.append(f"gradient {facts['gradient']:.4f}")
    if "own_accuracy" in facts:
        parts.append(
            f"accuracy {facts['accuracy']:.3f}, own {facts['own_accuracy']:.3f}, bare {facts.get('bare', -1):.3f}"
        )
        parts.append(
            f"advice {facts.get('advice')}: {facts.get('advised')}; checks {[c[:300] for c in facts['checks']]}"
        )
    parts += [f"FAULT {fault}" for fault in faults(row)]
    return " | ".join(part for part in parts if part)


def text(rows: list[_Row], begun: datetime.datetime) -> str:
    """The whole page."""
    rows = [row for row in rows if state(row) != "absent"]
    whole = [row for row in rows if not row[0].needs]
    lines = [
        "# Models of strangers",
        "",
        "Whole image classifiers from public repositories and packages, as their authors left them, through `load_classifier` "
        "with nothing but a size where a model takes any. Beside each stand its own framework's outputs and accuracy, on the "
        "same pixels, prepared as its authors' code says (`benchmarks/strangers/models.csv` names source, commit, SHA-256 and "
        "flags). The files are not part of this project.",
        "",
        "    python -m benchmarks.strangers --folder=FOLDER --keras2=PYTHON --output=docs/results/strangers.md",
        "",
        f"Begun {begun:%Y-%m-%d %H:%M} UTC. {machine.describe()} Own frameworks: {', '.join(_frameworks(rows))}. "
        f"{platform.system()}.",
        "",
        "## Summary",
        "",
        *_summary(whole),
        "",
        "## By form",
        "",
        *_by_form(whole),
        "",
        "## Models that come in",
        "",
        "Outputs: the largest difference from the own framework's on 8 noise images, as probabilities, log-odds or logits, "
        "whichever the model gives, relative to the output where that is larger than 1. Gradient: the median relative "
        "difference between its integral along a short line and the difference of the logits at both ends. Accuracy without "
        "flags is in the data set's own order of classes.",
        "",
        *_models([row for row in rows if state(row).startswith("in")]),
        "",
        "## Without flags",
        "",
        "Where a model comes in and is clearly below its authors' accuracy until something is said, the checks say this.",
        "",
        *_advice(rows),
        "",
        "## Refused",
        "",
        "Whole classifiers first; then what can't come in as it is, with the reason.",
        "",
        *_refusals([row for row in rows if not state(row).startswith("in")]),
        "",
    ]
    return "\n".join(line if line.startswith(("|", "    ")) else _wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _frameworks(rows: list[_Row]) -> list[str]:
    return sorted({facts["own"]["framework"] for _, facts in rows if "framework" in facts.get("own", {})})


def _summary(whole: list[_Row]) -> list[str]:
    states = collections.Counter(state(row) for row in whole)
    entered = [row for row in whole if state(row) == "in"]
    compared = [row for row in entered if "difference" in row[1]]
    same = [row for row in compared if _is_same(row[1])]
    scored = [row for row in entered if "own_accuracy" in row[1]]
    equal = [row for row in scored if abs(row[1]["accuracy"] - row[1]["own_accuracy"]) <= 0.002]
    sloped = [row for row in entered if "gradient" in row[1]]
    good = [row for row in sloped if row[1]["gradient"] <= _GRADIENT]
    silent = [row for row in scored if is_silently_wrong(row[1])]
    lines = [
        f"{states['in']} of {len(whole)} whole classifiers ({100 * states['in'] / max(1, len(whole)):.0f} %) come in without help; "
        f"{states['refused']} are refused, {states['traceback']} end in a traceback, {states['died']} end the process.",
        f"Outputs equal the own framework's within {_SAME:g}, or within the level of 1/256 to which the file rounds them: "
        f"{len(same)} of {len(compared)}.",
        f"Gradients equal differences within {100 * _GRADIENT:g} %: {len(good)} of {len(sloped)} that have any.",
        f"With the authors' flags, the accuracy is that of the own framework within .2 points: {len(equal)} of {len(scored)}.",
        f"Silently wrong, that is below the authors' accuracy by {100 * _BELOW:g} points without flags while no check fails: "
        f"{len(silent)} of {len(scored)}"
        + (f": {', '.join(f'{m.source} {m.path}' for m, _ in silent)}." if silent else "."),
    ]
    return [f"- {line}" for line in lines]


def _by_form(whole: list[_Row]) -> list[str]:
    lines = ["| form | models | in without help |", "|---|---|---|"]
    for form, rows in _groups(whole).items():
        lines.append(f"| {form} | {len(rows)} | {sum(state(row) == 'in' for row in rows)} |")
    return lines


def _groups(rows: list[_Row]) -> dict[str, list[_Row]]:
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        form = row[0].form
        major = f", Keras {form.partition('Keras ')[2][0]}" if "Keras " in form else ""
        groups.setdefault(f"{row[0].kind}{major}", []).append(row)
    return dict(sorted(groups.items()))


def _models(rows: list[_Row]) -> list[str]:
    lines = [
        "| model | form | comes in | flags of its authors | outputs | gradient | data, n | accuracy, tfinv | own | without flags |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model, facts in rows:
        lines.append(
            "| "
            + " | ".join(
                [
                    f"{model.source} {model.version}: `{model.path}`",
                    model.form,
                    "yes" if "refused" not in facts else f"with {model.help}",
                    _flags(model),
                    f"{facts['difference']:.0e}" if "difference" in facts else _no_own(facts),
                    f"{100 * facts['gradient']:.2g} %" if "gradient" in facts else "none",
                    f"{model.data}, {facts['n']}" if "n" in facts else "",
                    _share(facts.get("accuracy")),
                    _share(facts.get("own_accuracy")),
                    _share(facts.get("bare")),
                ]
            )
            + " |"
        )
    return lines


def _no_own(facts: dict[str, Any]) -> str:
    reference = facts.get("own", {"error": "not asked"})
    reason = re.sub(
        r"/\S*/", "", reference.get("error", reference.get("died", ""))
    )  # the folder of the survey says nothing
    return facts.get("misfit") or f"own framework: {reason[:80]}"


def _flags(model: Stranger) -> str:
    parts = [f"`--bounds={model.bounds}`"] if model.bounds not in ("", "0,1") else []
    parts += [f"`--{name}={value}`" for name in ("channels", "preprocessing") if (value := getattr(model, name))]
    parts += [f"`--image_size={model.size.replace('x', ',')}`"] if model.size else []
    return " ".join(parts)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".removeprefix("0")


def _advice(rows: list[_Row]) -> list[str]:
    lines = ["| model | own | without flags | what the checks say |", "|---|---|---|---|"]
    for model, facts in rows:
        if "bare" in facts and "own_accuracy" in facts and facts["bare"] < facts["own_accuracy"] - _BELOW:
            remarks = "; ".join(facts["checks"]) or "nothing"
            cells = [f"{model.source}: `{model.path}`", _share(facts["own_accuracy"]), _share(facts["bare"]), remarks]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _refusals(rows: list[_Row]) -> list[str]:
    lines = ["| model | form | what it is | line |", "|---|---|---|---|"]
    for model, facts in sorted(rows, key=lambda row: row[0].needs):
        line = facts.get("refused") or facts.get("traceback", "").split("\n")[0] or facts.get("died", "")
        path = str(model.path)
        line = " ".join(line.split()).replace("|", "\\|")
        start = line.find("/")
        while 0 <= start < (end := line.find(path)):  # the folder of the survey says nothing
            line = line[:start] + line[end:]
            start = line.find("/", start + len(path))
        lines.append(f"| {model.source} {model.version}: `{path}` | {model.form} | {model.needs or 'whole'} | {line} |")
    return lines
