"""The paragraph at the top of a report: what the checks and the rows say, and nothing else."""

from collections.abc import Sequence

from tfinv.evaluation.measurement import FRESH_DECODER, REFERENCE
from tfinv.reporting.cells import percent
from tfinv.reporting.results import Check, Results
from tfinv.reporting.rows import attack_names, is_artefact, rows_of, show_eps
from tfinv.reporting.summary import Row, group, summarise

_NO_ATTACK = (REFERENCE, FRESH_DECODER)
_MOST = 6  # models that a paragraph names


def verdict(results: Results) -> str:
    """How many checks failed and which, then each experiment's accuracy on clean images and at its worst, and the
    attack whose reconstructions an evaluator recognises most often.
    """
    parts = [checks_sentence(results.checks)]
    rows = rows_of(results, "accuracy")
    # An artefact would pass for the worst case, or hide it.
    named = zip(rows, attack_names(rows), strict=True)
    sound = [dict(r) | {"attack": name} for r, name in named if not is_artefact(r)]
    worst = [_accuracy(str(e), some) for (e,), some in group(sound, "experiment").items()]
    if any(worst):
        parts.append(f"Accuracy: {_told([w for w in worst if w])}.")
    inverted = [r for r in rows_of(results, "inversion") if r["method"] not in _NO_ATTACK]
    most = [_recognised(str(e), some) for (e,), some in group(inverted, "experiment").items()]
    if any(most):
        told = _told([m for m in most if m])
        parts.append(f"Reconstructions that an evaluator takes for their class, at most: {told}.")
    return " ".join(parts)


def checks_sentence(checks: Sequence[Check]) -> str:
    """The checks in one or two sentences."""
    if not checks:
        return "No check was made, so nothing here vouches for the figures below."
    failed = [c.name for c in checks if c.passed is False]
    unjudged = [c.name for c in checks if c.passed is None]
    if failed:
        text = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}."
    elif len(unjudged) == len(checks):
        return "None of the checks had anything to judge, so nothing here vouches for the figures below."
    else:
        text = f"No check failed; {len(checks) - len(unjudged)} of {len(checks)} passed."
    return text + (f" Not judged: {', '.join(unjudged)}." if unjudged else "")


def _accuracy(experiment: str, rows: Sequence[Row]) -> tuple[float, str] | None:
    found = {key: summarise(runs, "accuracy").mean for key, runs in group(rows, "attack", "eps").items()}
    means = {key: mean for key, mean in found.items() if mean is not None}
    clean = next((m for (attack, _), m in means.items() if attack == "clean"), None)
    attacked = {key: m for key, m in means.items() if key[0] != "clean"}
    lowest = clean
    parts = [] if clean is None else [f"{percent(clean)} % on clean images"]
    if attacked:
        (attack, eps), lowest = min(attacked.items(), key=lambda item: item[1])
        parts.append(f"{percent(lowest)} % at the lowest ({attack}, eps {show_eps(eps)})")
    return None if lowest is None else (lowest, f"{experiment} {', '.join(parts)}")


def _told(models: Sequence[tuple[float, str]]) -> str:
    """Each model's sentence; of many the lowest's and the highest's, since nobody reads a paragraph of twenty."""
    if len(models) <= _MOST:
        return "; ".join(text for _, text in models)
    (_, lowest), (_, highest) = (end(models, key=lambda model: model[0]) for end in (min, max))
    return f"{lowest}, to {highest}; {len(models) - 2} more between them, see below"


def _recognised(experiment: str, rows: Sequence[Row]) -> tuple[float, str] | None:
    ended, begun = (_means([r for r in rows if r["measure"] == measure]) for measure in ("acc@1", "start_acc@1"))
    if not ended:
        return None
    key, most = max(ended.items(), key=lambda item: item[1])
    start = f"; {percent(begun[key])} % of what it began with" if key in begun else ""
    return most, f"{experiment} {percent(most)} % ({', '.join(str(k) for k in key if k)}{start})"


def _means(rows: Sequence[Row]) -> dict[tuple, float]:
    found = {key: summarise(runs, "value").mean for key, runs in group(rows, "method", "budget", "evaluator").items()}
    return {key: mean for key, mean in found.items() if mean is not None}
