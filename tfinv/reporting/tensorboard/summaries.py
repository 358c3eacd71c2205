"""The results as TensorBoard summaries: curves to compare by, tables and checks as text, the pictures."""

import os
import pathlib
from typing import Any

import tensorflow as tf

from tfinv.errors import expected
from tfinv.reporting import canvas, inversion_tables, pictures, tables
from tfinv.reporting.cells import Table
from tfinv.reporting.course_log import course_scalars
from tfinv.reporting.figures import draw_accuracy_curves
from tfinv.reporting.html import CURVES
from tfinv.reporting.logs import run_name, write_runs
from tfinv.reporting.results import Results
from tfinv.reporting.rows import attack_names, is_artefact, readable, rows_of, unique
from tfinv.reporting.summary import group, summarise
from tfinv.reporting.verdict import verdict

REPORT_RUN = "report"
_SUFFIX = ".tfinv-report"
# TensorBoard smooths by default, which lifts the end of each curve.
_ABOUT = "Mean over the seeds; step: eps in ten-thousandths. Set Smoothing to 0 to see the figures themselves."
_MARKUP = frozenset("\\`*_{}[]()<>#+-.!|~&")


def write_tensorboard(results: Results, workdir: str | os.PathLike, logdir: str | os.PathLike) -> pathlib.Path:
    """Writes summaries of the results.

    Each experiment is a run with one scalar an attack, `accuracy/<attack>`: the mean over the seeds, at the step of eps in
    ten-thousandths; of eps that agree to that, the larger is one step further. The run `report` has the verdict, tables and
    configuration as text and the figures as images. Event files of an earlier call for the same `logdir` are replaced; those of
    others, such as training logs, stay.

    Args:
      results: what to write.
      workdir: the folder of the results file, to which the paths of the figures are relative.
      logdir: the folder for TensorBoard.

    Returns:
      `logdir`.

    Raises:
      UserError: a row lacks what the schema says, a figure is not a picture inside
        the work folder, or `logdir` cannot be written to.
    """
    logdir = pathlib.Path(logdir)
    runs: dict[str, list[Any]] = {REPORT_RUN: [*_texts(results), *_images(results, workdir)]}
    scalars = _scalars(results)
    for experiment, writes in course_scalars(rows_of(results, "course")).items():
        scalars.setdefault(experiment, []).extend(writes)
    for experiment, writes in scalars.items():
        runs[run_name(experiment, runs)] = writes
    return write_runs(logdir, runs, _SUFFIX)


def escape(text: str) -> str:
    """The text, on one line, so that TensorBoard's Markdown shows it as it is.

    It keeps links and images, so that a name could make a reader's browser fetch an address: every character
    that means anything becomes its number.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in readable(text)).split())
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in line)


def _scalars(results: Results) -> dict[str, list[Any]]:
    rows = rows_of(results, "accuracy")
    named = [dict(r) | {"attack": n} for r, n in zip(rows, attack_names(rows), strict=True)]
    artefacts = {n["attack"] for r, n in zip(rows, named, strict=True) if is_artefact(r)}
    runs: dict[str, list[Any]] = {}
    for (experiment, attack), some in group(named, "experiment", "attack").items():
        clean = [r for r in named if r["experiment"] == experiment and r["attack"] == "clean" and not r["eps"]]
        # An attack with nothing to spend leaves the clean image; a wrong measurement may not.
        if attack != "clean" and attack not in artefacts and all(r["eps"] for r in some):
            some = [*some, *clean]
        means = {eps: summarise(same, "accuracy").mean for (eps,), same in group(some, "eps").items()}
        tag, step, writes = f"accuracy/{attack}", -1, []
        for eps, mean in sorted((e, m) for e, m in means.items() if m is not None):
            step = max(round(10_000 * eps), step + 1)
            writes.append(_bind(tf.summary.scalar, tag, mean, step=step, description=_ABOUT))
        runs.setdefault(str(experiment), []).extend(writes)
    return runs


def _texts(results: Results) -> list[Any]:
    texts = {"1 verdict": escape(verdict(results)), "2 checks": _checks(results)}
    accuracy = tables.accuracy_table(rows_of(results, "accuracy"))
    inversion, training = rows_of(results, "inversion"), rows_of(results, "training")
    found = [
        accuracy,
        inversion_tables.knowledge_table(inversion),
        *inversion_tables.comparison_tables(inversion, training),
        *inversion_tables.inversion_tables(inversion),
        tables.training_table(training),
    ]
    texts["3 results"] = "\n\n".join(_markdown(t) for t in found if t is not None)
    for tag, title, mapping in (
        ("4 config", "Configuration", results.config),
        ("5 env", "Environment", results.environment),
    ):
        table = tables.mapping_table(title, "name", mapping)
        texts[tag] = "" if table is None else _markdown(table)
    return [_bind(tf.summary.text, tag, text, step=0) for tag, text in texts.items() if text]


def _checks(results: Results) -> str:
    words = {True: "passed", False: "failed", None: "not judged"}
    lines = [(c.name, words[c.passed], c.evidence, c.advice if c.passed is False else "") for c in results.checks]
    return _pipes([("check", "result", "evidence", "advice"), *lines]) if lines else ""


def _markdown(table: Table) -> str:
    body = [(*names, *(" ".join((c.text, *c.notes)) for c in cells)) for names, cells in table.lines]
    text = f"**{escape(table.title)}**\n\n{_pipes([(*table.stubs, *table.headings), *body])}"
    return text + (f"\n\n{escape(' '.join(table.notes))}" if table.notes else "")


def _pipes(lines: list[tuple[str, ...]]) -> str:
    rows = ["| " + " | ".join(escape(cell) or "&#32;" for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def _images(results: Results, workdir: str | os.PathLike) -> list[Any]:
    found = [(f.name, pictures.read_picture(f, workdir), f.caption) for f in results.figures]
    rows = rows_of(results, "accuracy")
    if CURVES not in {name for name, _, _ in found} and any(r["attack"] != "none" for r in rows):
        found.insert(0, (CURVES, canvas.to_png(draw_accuracy_curves(rows)), "Accuracy against eps"))
    writes = []
    for tag in unique(name for name, _, _ in found):
        for step, (_, data, caption) in enumerate(f for f in found if f[0] == tag):
            try:
                image = tf.io.decode_image(data, channels=3, expand_animations=False)[tf.newaxis]
            except tf.errors.OpError as error:
                raise expected("a whole picture", f"figure {tag!r} ({error.message})") from error
            writes.append(_bind(tf.summary.image, tag, image, step=step, description=escape(caption)))
    return writes


def _bind(write: Any, tag: str, value: Any, **arguments: Any) -> Any:
    return lambda: write(tag, value, **arguments)
