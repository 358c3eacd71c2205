"""The tables of a report, as data that the console, the HTML page and TensorBoard lay out each in its way."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.reporting.cells import MISSING, Cell, Style, Table, percent, significant
from tfinv.reporting.rows import attack_names, epsilons, is_artefact, show_eps, unique
from tfinv.reporting.summary import Row, group, number, summarise


def accuracy_table(rows: Sequence[Row]) -> Table | None:
    """Accuracy of each experiment at each eps, a column an attack, and the poster's figure if any."""
    if not rows:
        return None
    names = attack_names(rows)
    groups = group([dict(r) | {"attack": names[i]} for i, r in enumerate(rows)], "experiment", "eps", "attack")
    cells = {key: summarise(runs, "accuracy") for key, runs in groups.items()}
    style = Style(list(cells.values()), percent)
    attacks = _in_order(rows, names)
    posters = group([r for r in rows if r.get("poster") is not None], "experiment", "eps")
    lines = []
    for experiment in unique(r["experiment"] for r in rows):
        for eps in epsilons(r for r in rows if r["experiment"] == experiment):
            told = unique(percent(number(r, "poster") or 0.0) for r in posters.get((experiment, eps), []))
            poster = [Cell(" / ".join(told) or MISSING)] if posters else []
            ours = [style.cell(cells.get((experiment, eps, a))) for a in attacks]
            lines.append(((str(experiment), show_eps(eps)), (*poster, *ours)))
    doubtful = frozenset(names[i] for i, r in enumerate(rows) if is_artefact(r))
    notes = style.notes()
    if posters:
        notes += ("poster: the figure that the reproduced work states.",)
    if doubtful:
        notes += ("artefact: what a wrong measurement would print. It is no evidence of robustness.",)
    return Table(
        title="Accuracy, %",
        stubs=("experiment", "eps"),
        headings=(*(["poster"] if posters else []), *attacks),
        lines=tuple(lines),
        notes=("eps is a fraction of the width of the input range.", *notes),
        doubtful=doubtful,
    )


def attack_table(rows: Sequence[Row]) -> Table | None:
    """How each attack was run, and what it really did: the figures by which masked gradients are found."""
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
    shown = {h: k for h, k in columns.items() if any(r.get(k) is not None for r in attacked)}
    if not shown:
        return None
    lines = []
    for key, runs in group(attacked, "experiment", "attack", "eps").items():
        cells = []
        for field in shown.values():
            if field in ("norm", "spec"):
                cells.append(Cell(", ".join(unique(str(r[field]) for r in runs if r.get(field))) or MISSING))
            else:
                show = percent if field == "zero_gradients" else significant
                # A distance that one run overstepped would vanish in the mean of the runs.
                found = summarise(runs, field)
                value = found.most if field == "max_distance" else found.mean
                cells.append(Cell() if value is None else Cell(show(value)))
        lines.append(((str(key[0]), str(key[1]), show_eps(key[2])), tuple(cells)))
    return Table(
        title="Attacks as they ran",
        stubs=("experiment", "attack", "eps"),
        headings=tuple(shown),
        lines=tuple(lines),
        notes=("Distances are as realised, in units of the input bounds; the largest is that of all seeds.",),
    )


def training_table(rows: Sequence[Row]) -> Table | None:
    """What training reached and what it took: experiments down, metrics across."""
    if not rows:
        return None
    metrics = unique(r["metric"] for r in rows)
    cells = {key: summarise(runs, "value") for key, runs in group(rows, "experiment", "metric").items()}
    style = Style(list(cells.values()), significant)
    cost = {k: k for k in ("epochs", "seconds") if any(r.get(k) is not None for r in rows)}
    lines = []
    for (experiment,), runs in group(rows, "experiment").items():
        found = [style.cell(cells.get((experiment, m))) for m in metrics]
        # Each metric repeats its run's cost, so the mean over all rows is the mean over the runs.
        means = [summarise(runs, k).mean for k in cost]
        found += [Cell() if m is None else Cell(significant(m)) for m in means]
        lines.append(((str(experiment),), tuple(found)))
    headings = (*map(str, metrics), *cost)
    return Table("What training reached and took", ("experiment",), headings, tuple(lines), style.notes())


def mapping_table(title: str, stub: str, mapping: Mapping[str, Any]) -> Table | None:
    """A nested mapping as a table of dotted names and values."""
    lines = tuple(((name,), (Cell(value),)) for name, value in _flat(mapping))
    return Table(title, (stub,), ("value",), lines) if lines else None


def _in_order(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    # Clean first, artefacts last: what counts is read before what does not.
    order = {n: (r["attack"] != "none", is_artefact(r)) for r, n in zip(rows, names, strict=True)}
    return sorted(order, key=order.__getitem__)


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [x for k, v in value.items() for x in _flat(v, f"{name}.{k}" if name else str(k))]
    if not name:
        return []
    return [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]
