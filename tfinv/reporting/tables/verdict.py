"""Summary paragraph at the top of a report, from the checks and the rows alone."""

from collections.abc import Sequence

from tfinv.evaluation.statistics.measurement import FRESH_DECODER, REFERENCE
from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import attack_names, is_artefact, rows_of, show_eps
from tfinv.reporting.results.summary import Row, group, summarise
from tfinv.reporting.tables.cells import percent
from tfinv.reporting.tables.membership import curve_rows
from tfinv.reporting.tables.membership_cells import area, rate

_NO_ATTACK = (REFERENCE, FRESH_DECODER)
_TPR = "tpr@1%"
_MAX_MODELS = 6  # that the paragraph names one by one


def verdict(results: Results) -> str:
    """Returns the verdict in a few sentences.

    It names the failed checks, each experiment's accuracy on clean images and under its strongest attack, the inversion whose
    reconstructions an evaluator recognises most often, and the attack that names the most members at an FPR of 1 %.
    """
    parts = [checks_sentence(results.checks)]
    rows = rows_of(results, "accuracy")
    # An artefact could pass for the worst case, or hide it.
    pairs = zip(rows, attack_names(rows), strict=True)
    evidence = [dict(r) | {"attack": name} for r, name in pairs if not is_artefact(r)]
    accuracies = [_accuracy(str(e), model_rows) for (e,), model_rows in group(evidence, "experiment").items()]
    if any(accuracies):
        parts.append(f"Accuracy: {_join([a for a in accuracies if a])}.")
    inversions = [r for r in rows_of(results, "inversion") if r["method"] not in _NO_ATTACK]
    rates = [_recognition(str(e), model_rows) for (e,), model_rows in group(inversions, "experiment").items()]
    if any(rates):
        text = _join([r for r in rates if r])
        parts.append(f"Reconstructions that an evaluator takes for their class, at most: {text}.")
    memberships = curve_rows(rows_of(results, "membership"))
    attacks = [_membership(str(e), model_rows) for (e,), model_rows in group(memberships, "experiment").items()]
    if any(attacks):
        parts.append(f"Members that an attack names, at most: {_join([a for a in attacks if a])}.")
    return " ".join(parts)


def checks_sentence(checks: Sequence[Check]) -> str:
    """Returns the outcome of the checks in one or two sentences."""
    if not checks:
        return "No check was made, so nothing here vouches for the figures below."
    failed = [c.name for c in checks if c.passed is False]
    not_judged = [c.name for c in checks if c.passed is None]
    if failed:
        text = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}."
    elif len(not_judged) == len(checks):
        return "None of the checks had anything to judge, so nothing here vouches for the figures below."
    else:
        text = f"No check failed; {len(checks) - len(not_judged)} of {len(checks)} passed."
    return text + (f" Not judged: {', '.join(not_judged)}." if not_judged else "")


def _accuracy(experiment: str, rows: Sequence[Row]) -> tuple[float, str] | None:
    means = _means(rows, "accuracy", "attack", "eps")
    clean = next((m for (attack, _), m in means.items() if attack == "clean"), None)
    attacked = {key: m for key, m in means.items() if key[0] != "clean"}
    lowest = clean
    parts = [] if clean is None else [f"{percent(clean)} % on clean images"]
    if attacked:
        (attack, eps), lowest = min(attacked.items(), key=lambda item: item[1])
        parts.append(f"{percent(lowest)} % at the lowest ({attack}, eps {show_eps(eps)})")
    return None if lowest is None else (lowest, f"{experiment} {', '.join(parts)}")


def _join(models: Sequence[tuple[float, str]]) -> str:
    """Joins the models' texts; of more than a few, those of the lowest and of the highest value."""
    if len(models) <= _MAX_MODELS:
        return "; ".join(text for _, text in models)
    (_, lowest), (_, highest) = (end(models, key=lambda model: model[0]) for end in (min, max))
    return f"{lowest}, to {highest}; {len(models) - 2} more between them, see below"


def _recognition(experiment: str, rows: Sequence[Row]) -> tuple[float, str] | None:
    final, initial = (
        _means([r for r in rows if r["measure"] == measure], "value", "method", "budget", "evaluator")
        for measure in ("acc@1", "start_acc@1")
    )
    if not final:
        return None
    key, highest = max(final.items(), key=lambda item: item[1])
    start = f"; {percent(initial[key])} % of what it began with" if key in initial else ""
    return highest, f"{experiment} {percent(highest)} % ({', '.join(str(k) for k in key if k)}{start})"


def _membership(experiment: str, rows: Sequence[Row]) -> tuple[float, str] | None:
    tprs = _means([r for r in rows if r["measure"] == _TPR], "value", "attack")
    if not tprs:
        return None
    (attack,), highest = max(tprs.items(), key=lambda item: item[1])
    auc = _means([r for r in rows if r["measure"] == "auc" and r["attack"] == attack], "value", "attack")
    areas = "".join(f", AUC {area(value)}" for value in auc.values())
    return highest, f"{experiment} {rate(highest)} % at 1 % false positives ({attack}{areas})"


def _means(rows: Sequence[Row], field: str, *keys: str) -> dict[tuple, float]:
    means = {key: summarise(runs, field).mean for key, runs in group(rows, *keys).items()}
    return {key: mean for key, mean in means.items() if mean is not None}
