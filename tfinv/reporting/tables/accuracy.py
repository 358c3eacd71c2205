"""Tables of accuracy, attacks, training and configuration, as data that each view lays out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.reporting.results.rows import attack_names, epsilons, is_artefact, show_eps, unique
from tfinv.reporting.results.summary import Row, group, number, summarise
from tfinv.reporting.tables.cells import MISSING, Cell, Formatter, Table, percent, significant


def accuracy_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the accuracy of each experiment at each eps: one column per attack, and the poster's figure if any."""
    if not rows:
        return None
    names = attack_names(rows)
    groups = group([dict(r) | {"attack": names[i]} for i, r in enumerate(rows)], "experiment", "eps", "attack")
    cells = {key: summarise(runs, "accuracy") for key, runs in groups.items()}
    formatter = Formatter(list(cells.values()), percent)
    attacks = _sort_attacks(rows, names)
    posters = group([r for r in rows if r.get("poster") is not None], "experiment", "eps")
    lines = []
    for experiment in unique(r["experiment"] for r in rows):
        for eps in epsilons(r for r in rows if r["experiment"] == experiment):
            poster_texts = unique(percent(number(r, "poster") or 0.0) for r in posters.get((experiment, eps), []))
            poster_cells = [Cell(" / ".join(poster_texts) or MISSING)] if posters else []
            attack_cells = [formatter.cell(cells.get((experiment, eps, a))) for a in attacks]
            lines.append(((str(experiment), show_eps(eps)), (*poster_cells, *attack_cells)))
    artefacts = frozenset(names[i] for i, r in enumerate(rows) if is_artefact(r))
    notes = formatter.notes()
    if posters:
        notes += ("poster: the figure that the reproduced work states.",)
    if artefacts:
        notes += ("artefact: what a wrong measurement would print. It is no evidence of robustness.",)
    return Table(
        title="Accuracy, %",
        stubs=("experiment", "eps"),
        headings=(*(["poster"] if posters else []), *attacks),
        lines=tuple(lines),
        notes=("eps is a fraction of the width of the input range.", *notes),
        artefacts=artefacts,
    )


def attack_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates settings, distances, zero gradients and seconds of each attack, by which masked gradients are found."""
    names = attack_names(rows)
    attacked = [dict(r) | {"attack": names[i]} for i, r in enumerate(rows) if r["attack"] != "none"]
    columns = {
        "norm": "norm",
        "largest distance": "max_distance",
        "mean distance": "mean_distance",
        "zero gradients, %": "zero_gradients",
        "seconds": "seconds",
        "attack in full": "spec",
    }
    keys = {h: k for h, k in columns.items() if any(r.get(k) is not None for r in attacked)}
    if not keys:
        return None
    lines = []
    for key, runs in group(attacked, "experiment", "attack", "eps").items():
        cells = []
        for field in keys.values():
            if field in ("norm", "spec"):
                cells.append(Cell(", ".join(unique(str(r[field]) for r in runs if r.get(field))) or MISSING))
            else:
                show = percent if field == "zero_gradients" else significant
                # The mean over the runs would hide a distance beyond the budget in one of them.
                summary = summarise(runs, field)
                value = summary.maximum if field == "max_distance" else summary.mean
                cells.append(Cell() if value is None else Cell(show(value)))
        lines.append(((str(key[0]), str(key[1]), show_eps(key[2])), tuple(cells)))
    return Table(
        title="Attacks as they ran",
        stubs=("experiment", "attack", "eps"),
        headings=tuple(keys),
        lines=tuple(lines),
        notes=("Distances are as realised, in units of the input bounds; the largest is that of all seeds.",),
    )


_PRIVACY = (
    ("delta", "delta"),
    ("sampling", "sampling"),
    ("data sets that differ by:", "relation"),
    ("accountant", "accountant"),
)


def training_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the results and the cost of training: one line per experiment, one column per metric."""
    if not rows:
        return None
    metrics = unique(r["metric"] for r in rows)
    cells = {key: summarise(runs, "value") for key, runs in group(rows, "experiment", "metric").items()}
    formatter = Formatter(list(cells.values()), significant)
    costs = [k for k in ("epochs", "seconds") if any(r.get(k) is not None for r in rows)]
    lines = []
    for (experiment,), runs in group(rows, "experiment").items():
        metric_cells = [formatter.cell(cells.get((experiment, m))) for m in metrics]
        # Each metric repeats its run's cost, so the mean over all rows is the mean over the runs.
        means = [summarise(runs, k).mean for k in costs]
        cost_cells = [Cell() if m is None else Cell(significant(m)) for m in means]
        lines.append(((str(experiment),), (*metric_cells, *cost_cells)))
    headings = (*map(str, metrics), *costs)
    notes = (*formatter.notes(), *privacy_notes(rows))
    return Table("What training reached and took", ("experiment",), headings, tuple(lines), notes)


def privacy_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Says what each epsilon of differential privacy is stated for: without that it means nothing."""
    notes = []
    for row in (r for r in rows if r["metric"] == "epsilon"):
        terms = [f"{name} {row[key]}" for name, key in _PRIVACY if row.get(key) is not None]
        stated = ", ".join(terms) or "unknown terms, of an earlier version whose batches were shuffled: it is no bound"
        notes.append(f"epsilon of {row['experiment']}: {stated}.")
    return tuple(unique(notes))


def mapping_table(title: str, stub: str, mapping: Mapping[str, Any]) -> Table | None:
    """Tabulates a nested mapping as dotted names and values."""
    lines = tuple(((name,), (Cell(value),)) for name, value in _flatten(mapping))
    return Table(title, (stub,), ("value",), lines) if lines else None


def _sort_attacks(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    # Clean first, artefacts last: evidence is read before artefacts.
    order = {n: (r["attack"] != "none", is_artefact(r)) for r, n in zip(rows, names, strict=True)}
    return sorted(order, key=order.__getitem__)


def _flatten(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [item for k, v in value.items() for item in _flatten(v, f"{name}.{k}" if name else str(k))]
    if not name:
        return []
    return [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]
