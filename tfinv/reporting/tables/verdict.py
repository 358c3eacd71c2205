"""Verdict at the top of a report, from the checks and the rows alone: short facts, one a line."""

import dataclasses
from collections.abc import Sequence

from tfinv.evaluation.statistics.measurement import FRESH_DECODER, REFERENCE
from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import attack_names, is_artefact, rows_of, show_eps
from tfinv.reporting.results.summary import Row, Summary, group, summarise
from tfinv.reporting.tables.cells import percent
from tfinv.reporting.tables.comparison import sentences
from tfinv.reporting.tables.grades import headline, question_verdicts
from tfinv.reporting.tables.membership import curve_rows
from tfinv.reporting.tables.membership_cells import area, rate

_NO_ATTACK = (REFERENCE, FRESH_DECODER)
_TPR = "tpr@1%"
_MAX_MODELS = 6  # that are named one by one
_MAX_CHECKS = 8  # likewise


@dataclasses.dataclass(frozen=True)
class Fact:
    """One line of a verdict.

    Attributes:
      text: a sentence.
      tone: "good", "bad", "open" for what nobody judged, or "plain".
    """

    text: str
    tone: str = "plain"


def verdict(results: Results) -> str:
    """Returns the verdict as one text, for views that have no lists."""
    return " ".join(fact.text for fact in facts(results))


def facts(results: Results, *, with_questions: bool = True) -> list[Fact]:
    """Returns the verdict, one fact a line.

    Of an audit these are its grades. Of other commands: the failed checks, each experiment's accuracy on clean images and under
    its strongest attack, the inversion whose reconstructions an evaluator recognises most often, and the attack that names the
    most members at an FPR of 1 %.

    Args:
      results: of a command.
      with_questions: whether to have a line for each question of an audit, too.

    Raises:
      UserError: a row does not follow the schema.
    """
    if differences := rows_of(results, "audit difference"):
        failed = ", ".join(check.name for check in results.checks if check.passed is False)
        doubts = [Fact(f"Checks that failed in a or b: {failed}.", "bad")] if failed else []
        return [*(Fact(*line) for line in sentences(differences)), *doubts]
    grades = rows_of(results, "grade")
    if not grades:
        return check_facts(results.checks) + measured_facts(results)
    lines = [Fact(v.sentence, v.tone) for v in question_verdicts(grades)] if with_questions else []
    return [Fact(*headline(grades)), *lines, *check_facts(results.checks), *_cuts(results)]


def check_facts(checks: Sequence[Check]) -> list[Fact]:
    """Returns the outcome of the checks."""
    if not checks:
        return [Fact("No check was made, so nothing here vouches for the figures below.", "open")]
    failed = [c.name for c in checks if c.passed is False]
    not_judged = sum(c.passed is None for c in checks)
    if not_judged == len(checks):
        text = "None of the checks had anything to judge, so nothing here vouches for the figures below."
        return [Fact(text, "open")]
    if failed:
        more = f" and {len(failed) - _MAX_CHECKS} more" * (len(failed) > _MAX_CHECKS)
        first = Fact(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed[:_MAX_CHECKS])}{more}.", "bad")
    else:
        first = Fact(f"No check failed; {len(checks) - not_judged} of {len(checks)} passed.", "good")
    if not not_judged:
        return [first]
    were = "check was" if not_judged == 1 else "checks were"
    return [first, Fact(f"{not_judged} {were} not judged: there was nothing to apply the rule to.", "open")]


def measured_facts(results: Results) -> list[Fact]:
    """Returns the most alarming figure of each experiment."""
    rows = rows_of(results, "accuracy")
    # An artefact could pass for the worst case, or hide it.
    pairs = zip(rows, attack_names(rows), strict=True)
    evidence = [dict(r) | {"attack": name} for r, name in pairs if not is_artefact(r)]
    inversions = [r for r in rows_of(results, "inversion") if r["method"] not in _NO_ATTACK]
    trained = [r for r in rows_of(results, "training") if r["metric"] == "test_accuracy" and not rows]
    lines = []
    for name, kind_rows, describe in (
        ("Test accuracy", trained, _trained),
        ("Accuracy", evidence, _accuracy),
        ("Reconstructions that an evaluator takes for their class, at most", inversions, _recognition),
        ("Members that an attack names, at most", curve_rows(rows_of(results, "membership")), _membership),
    ):
        models = [(str(e), describe(model_rows)) for (e,), model_rows in group(kind_rows, "experiment").items()]
        lines += _select(name, [(e, *described) for e, described in models if described is not None])
    return [Fact(line) for line in lines]


def _cuts(results: Results) -> list[Fact]:
    """Fact of the parts that an audit left out to end in time, if there are any."""
    cuts = results.config.get("left_out")
    if not isinstance(cuts, (list, tuple)) or not cuts:
        return []
    return [Fact(f"Left out to end in time: {', '.join(map(str, cuts))}.", "open")]


def _select(name: str, models: Sequence[tuple[str, float, str]]) -> list[str]:
    """A line a model; of more than a few, those of the lowest and of the highest value."""
    if len(models) == 1:
        return [f"{name}: {text}." for _, _, text in models]
    if len(models) <= _MAX_MODELS:
        return [f"{name}, {experiment}: {text}." for experiment, _, text in models]
    (lowest, _, low_text), (highest, _, high_text) = (end(models, key=lambda m: m[1]) for end in (min, max))
    return [
        f"{name}, lowest of {len(models)}, {lowest}: {low_text}.",
        f"{name}, highest of {len(models)}, {highest}: {high_text}.",
    ]


def _accuracy(rows: Sequence[Row]) -> tuple[float, str] | None:
    means = _means(rows, "accuracy", "attack", "eps")
    clean = next((m for (attack, _), m in means.items() if attack == "clean"), None)
    attacked = {key: m for key, m in means.items() if key[0] != "clean"}
    lowest = None if clean is None else clean.mean
    parts = [] if clean is None else [f"{_percentage(clean)} on clean images"]
    if attacked:
        (attack, eps), summary = min(attacked.items(), key=lambda item: item[1].mean or 0.0)
        lowest = summary.mean
        parts.append(f"{_percentage(summary)} at the lowest ({attack}, eps {show_eps(eps)})")
    return None if lowest is None else (lowest, ", ".join(parts))


def _trained(rows: Sequence[Row]) -> tuple[float, str] | None:
    summary = summarise(rows, "value")
    return None if summary.mean is None else (summary.mean, _percentage(summary))


def _recognition(rows: Sequence[Row]) -> tuple[float, str] | None:
    final, initial = (
        _means([r for r in rows if r["measure"] == measure], "value", "method", "budget", "evaluator")
        for measure in ("acc@1", "start_acc@1")
    )
    if not final:
        return None
    key, highest = max(final.items(), key=lambda item: item[1].mean or 0.0)
    start = f"; {percent(initial[key].mean or 0.0)} % of what it began with" if key in initial else ""
    return highest.mean or 0.0, f"{_percentage(highest)} ({', '.join(str(k) for k in key if k)}{start})"


def _membership(rows: Sequence[Row]) -> tuple[float, str] | None:
    tprs = _means([r for r in rows if r["measure"] == _TPR], "value", "attack")
    if not tprs:
        return None
    (attack,), highest = max(tprs.items(), key=lambda item: item[1].mean or 0.0)
    auc = _means([r for r in rows if r["measure"] == "auc" and r["attack"] == attack], "value", "attack")
    areas = "".join(f", AUC {area(summary.mean or 0.0)}" for summary in auc.values())
    interval = "" if highest.low is None else f" [{rate(highest.low)}, {rate(highest.high or 0.0)}]"
    text = f"{rate(highest.mean or 0.0)} %{interval} at 1 % false positives ({attack}{areas})"
    return highest.mean or 0.0, text


def _percentage(summary: Summary) -> str:
    """A rate with its interval."""
    interval = "" if summary.low is None else f" [{percent(summary.low)}, {percent(summary.high or 0.0)}]"
    return f"{percent(summary.mean or 0.0)} %{interval}"


def _means(rows: Sequence[Row], field: str, *keys: str) -> dict[tuple, Summary]:
    summaries = {key: summarise(runs, field) for key, runs in group(rows, *keys).items()}
    return {key: summary for key, summary in summaries.items() if summary.mean is not None}
