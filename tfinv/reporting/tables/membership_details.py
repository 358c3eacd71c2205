"""Further tables of membership attacks: thresholds of shadow models, classes or subgroups, records most at risk."""

import math
from collections.abc import Sequence

from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.scores import Scores
from tfinv.reporting.results.summary import Row, group, is_pooled
from tfinv.reporting.tables.cells import Cell, Table
from tfinv.reporting.tables.membership_cells import (
    area,
    at,
    cell,
    extent,
    fprs,
    lines_of,
    name_rate,
    rate,
    run_notes,
    stubs,
)


def shadow_threshold_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates TPR and realised FPR at thresholds of shadow models, beside the TPR at the threshold of the curve."""
    rows = [r for r in rows if r.get("group") is None]
    shadows = [r for r in rows if r.get("threshold") == "shadows"]
    if not shadows:
        return None
    lines = []
    for names, line in lines_of(shadows):
        attack = [r for r in rows if (r["experiment"], r["attack"]) == (line[0]["experiment"], line[0]["attack"])]
        for fpr in fprs(line):
            tprs = at(line, fpr, "shadows")
            alarms = [dict(r) | {"value": r.get("realised_fpr"), "ci95": r.get("fpr_ci95")} for r in tprs]
            lines.append(
                ((*names, name_rate(fpr)), (cell(tprs, rate), cell(alarms, rate), cell(at(attack, fpr), rate)))
            )
    return Table(
        title="At thresholds of the shadow models, which need no label of the target's records",
        stubs=(*stubs(shadows), "FPR aimed at"),
        headings=("TPR, %", "FPR, %", "TPR at the curve's threshold, %"),
        lines=tuple(lines),
        notes=(
            "An FPR far from the one aimed at says that the shadows do not stand for the target.",
            *run_notes(shadows),
        ),
    )


def group_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates AUC and TPR within each class or subgroup."""
    rows = [r for r in rows if r.get("group") is not None]
    if not rows:
        return None
    rates = fprs(rows)
    lines = []
    for names, line in lines_of(rows):
        for (name,), runs in group(line, "group").items():
            figures = [cell([r for r in runs if r["measure"] == "auc"], area)]
            figures += [cell(at(runs, fpr, source), rate) for fpr in rates for source in ("group", "curve")]
            single = [r for r in runs if not is_pooled(r)] or runs
            sizes = [Cell(extent([r[side] for r in single])) for side in ("members", "nonmembers")]
            lines.append(((*names, str(name)), (*figures, *sizes)))
    comparisons = max(int(r.get("comparisons") or 1) for r in rows)
    return Table(
        title="Membership within each class or subgroup",
        stubs=(*stubs(rows), "group"),
        headings=(
            "AUC",
            *(f"TPR at {name_rate(f)} FPR of {source}, %" for f in rates for source in ("the group", "all")),
            *("members", "non-members"),
        ),
        lines=tuple(lines),
        notes=(
            f"[a, b]: 95 % interval of each alone: of {comparisons} groups one in twenty lies outside its own by chance.",
            *run_notes(rows),
        ),
    )


def difference_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the AUC and TPR of each training less those of another, target by target.

    Args:
      rows: of kind "membership difference".
    """
    rows = [r for r in rows if r["measure"] == "auc" or str(r["measure"]).startswith("tpr@")]
    if not rows:
        return None
    measures = unique(r["measure"] for r in rows)
    lines = []
    for (experiment, than, attack), line in group(rows, "experiment", "than", "attack").items():
        cells = [cell([r for r in line if r["measure"] == m], _show_area if m == "auc" else _points) for m in measures]
        lines.append(((str(experiment), str(than), str(attack)), tuple(cells)))
    targets = extent([float(r["targets"]) for r in rows if r.get("targets")] or [0.0])
    return Table(
        title="Membership: each training less another",
        stubs=("training", "less", "attack"),
        headings=tuple("AUC" if m == "auc" else f"TPR at {m.removeprefix('tpr@')} FPR, points" for m in measures),
        lines=tuple(lines),
        notes=(
            f"Means over {targets} targets, each less that on the same half of the records. [a, b]: 95 % interval over them of "
            "each difference alone (Student); the checks allow for all AUCs together. Above 0 the training gives away more.",
        ),
    )


def _show_area(value: float) -> str:
    return f"{value:+.3f}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def at_risk_table(scores: Scores) -> Table | None:
    """Tabulates the records most at risk under the strongest attack, and says how far the targets agree on them."""
    at_risk = scores.at_risk
    if at_risk is None:
        return None
    several = scores.targets > 1
    lines = []
    for i, record in enumerate(map(int, at_risk.records)):
        interval = f"[{rate(at_risk.low[i])}, {rate(at_risk.high[i])}]"
        hits = Cell(rate(at_risk.rate[i]), (interval, f"of {at_risk.targets[i]}") if several else ())
        alarms = float(at_risk.false_alarms[i])
        figures = (hits, Cell() if math.isnan(alarms) else Cell(rate(alarms)), Cell(rate(at_risk.place[i])))
        lines.append(((f"no. {record}", scores.class_name(record)), figures))
    names = (
        "trained on it: called a member, %",
        "not trained on it: called a member, %",
        "non-members with a lower score, %",
    )
    targets = f"Rates are over {scores.targets} targets; [a, b]: 95 % interval of each record alone. " * several
    return Table(
        title=f"Records most at risk under {scores.full_name(at_risk.attack)}",
        stubs=("record", "class"),
        headings=names,
        lines=tuple(lines),
        notes=(f"{targets}Thresholds at {name_rate(at_risk.fpr)} FPR.", _stability_note(scores)),
    )


def _stability_note(scores: Scores) -> str:
    if scores.targets == 1:
        return "With one target nothing says whether another training would put the same records at risk."
    agreement = None if scores.at_risk is None else scores.at_risk.stability
    if agreement is None:
        return "No two targets have ten members in common, so nothing says how stable this order is."
    correlation, overlap = (
        f"{value:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else "")
        for value, ends in (
            (agreement.correlation, agreement.correlation_ci95),
            (agreement.overlap, agreement.overlap_ci95),
        )
    )
    return (
        f"Stability over {agreement.pairs} pairs of targets: rank correlation {correlation} of the members that both have; of the "
        f"{name_rate(agreement.top)} most at risk in one, a share of {overlap} is so in the other (chance: {agreement.chance:.2f})."
    )
