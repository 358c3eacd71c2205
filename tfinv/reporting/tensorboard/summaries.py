"""Results as TensorBoard summaries: accuracy as scalars, tables and checks as text, figures as images."""

import os
import pathlib
from typing import Any

import tensorflow as tf

from tfinv import paths
from tfinv.errors import expected
from tfinv.reporting.figures import canvas, pictures
from tfinv.reporting.figures.curves import CURVES, draw_accuracy_curves
from tfinv.reporting.figures.membership_pictures import membership_pictures, read_scores
from tfinv.reporting.figures.reliability import CORRUPTIONS, RELIABILITY, draw_corruptions, draw_reliability
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import attack_names, is_artefact, readable, rows_of, unique
from tfinv.reporting.results.summary import group, summarise
from tfinv.reporting.tables.accuracy import accuracy_table, mapping_table, training_table
from tfinv.reporting.tables.cells import Table
from tfinv.reporting.tables.grades import grade_table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table, precision_table
from tfinv.reporting.tables.reliability import calibration_table, corruption_table
from tfinv.reporting.tables.verdict import facts
from tfinv.reporting.tensorboard.audit_log import audit_scalars
from tfinv.reporting.tensorboard.course_log import course_scalars
from tfinv.reporting.tensorboard.logs import run_name, write_runs
from tfinv.reporting.tensorboard.membership_log import membership_scalars

REPORT_RUN = "report"
_SUFFIX = ".tfinv-report"
# TensorBoard smooths by default, which raises the end of each curve.
_ABOUT = "Mean over the seeds; step: eps in ten-thousandths. Set Smoothing to 0 to see the figures themselves."
_MARKUP = frozenset("\\`*_{}[]()<>#+-.!|~&")


def write_tensorboard(results: Results, workdir: str | os.PathLike, logdir: str | os.PathLike) -> pathlib.Path:
    """Writes summaries of the results.

    Each experiment is a run with one scalar per attack, `accuracy/<attack>`: the mean over the seeds. Its step is eps in
    ten-thousandths; of two eps with the same step, the larger gets the next. `course_log`, `membership_log` and `audit_log` say
    which scalars inversions, membership attacks, calibration and corruptions have. The run `report` has the verdict, tables and
    configuration as text and the figures as images. The call replaces event files of an earlier call for the same `logdir`, and
    keeps all others, such as training logs.

    Args:
      results: of a command.
      workdir: folder of the results file; paths of figures are relative to it.
      logdir: folder for TensorBoard.

    Returns:
      `logdir`.

    Raises:
      UserError: a row does not follow the schema, a figure is not a picture inside the work folder, or `logdir` cannot be
        written to.
    """
    logdir = paths.expand(logdir)
    runs: dict[str, list[Any]] = {REPORT_RUN: [*_texts(results), *_images(results, workdir)]}
    scalars = _scalars(results)
    accuracy, calibration, corruptions = (rows_of(results, k) for k in ("accuracy", "calibration", "corruption"))
    for further in (
        course_scalars(rows_of(results, "course")),
        membership_scalars(rows_of(results, "membership")),
        audit_scalars(calibration, corruptions, accuracy),
    ):
        for experiment, writes in further.items():
            scalars.setdefault(experiment, []).extend(writes)
    for experiment, writes in scalars.items():
        runs[run_name(experiment, runs)] = writes
    return write_runs(logdir, runs, _SUFFIX)


def escape(text: str) -> str:
    """Escapes a text, on one line, so that TensorBoard's Markdown shows it verbatim.

    TensorBoard renders links and images, so a name could make a reader's browser fetch an address: every character with a meaning
    in Markdown becomes a numeric reference.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in readable(text)).split())
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in line)


def _scalars(results: Results) -> dict[str, list[Any]]:
    rows = rows_of(results, "accuracy")
    names = attack_names(rows)
    named = [dict(r) | {"attack": n} for r, n in zip(rows, names, strict=True)]
    artefacts = {n for r, n in zip(rows, names, strict=True) if is_artefact(r)}
    runs: dict[str, list[Any]] = {}
    for (experiment, attack), points in group(named, "experiment", "attack").items():
        clean = [r for r in named if r["experiment"] == experiment and r["attack"] == "clean" and not r["eps"]]
        # At eps 0 an attack leaves the clean image; a wrong measurement may not.
        if attack != "clean" and attack not in artefacts and all(r["eps"] for r in points):
            points = [*points, *clean]
        means = {eps: summarise(runs_at_eps, "accuracy").mean for (eps,), runs_at_eps in group(points, "eps").items()}
        tag, step, writes = f"accuracy/{attack}", -1, []
        for eps, mean in sorted((e, m) for e, m in means.items() if m is not None):
            step = max(round(10_000 * eps), step + 1)
            writes.append(_bind(tf.summary.scalar, tag, mean, step=step, description=_ABOUT))
        runs.setdefault(str(experiment), []).extend(writes)
    return runs


def _texts(results: Results) -> list[Any]:
    verdict = "\n".join(f"- {escape(fact.text)}" for fact in facts(results))
    texts = {"1 verdict": verdict, "2 checks": _checks(results)}
    kinds = ("accuracy", "inversion", "membership", "training")
    accuracy, inversion, membership, training = (rows_of(results, k) for k in kinds)
    tables = [
        accuracy_table(accuracy),
        knowledge_table(inversion),
        *comparison_tables(inversion, training),
        *inversion_tables(inversion),
        measures_table(membership),
        precision_table(membership),
        calibration_table(rows_of(results, "calibration")),
        corruption_table(rows_of(results, "corruption"), accuracy),
        training_table(training),
        grade_table(rows_of(results, "grade")),
    ]
    texts["3 results"] = "\n\n".join(_markdown(t) for t in tables if t is not None)
    for tag, title, mapping in (
        ("4 config", "Configuration", results.config),
        ("5 env", "Environment", results.environment),
    ):
        table = mapping_table(title, "name", mapping)
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
    images = [(f.name, pictures.read_picture(f, workdir), f.caption) for f in results.figures]
    rows = rows_of(results, "accuracy")
    if CURVES not in {name for name, _, _ in images} and any(r["attack"] != "none" for r in rows):
        images.insert(0, (CURVES, canvas.to_png(draw_accuracy_curves(rows)), "Accuracy against eps"))
    bins = [r for r in rows_of(results, "reliability") if r.get("n")]
    for name, kind_rows, draw, title in (
        (RELIABILITY, bins, draw_reliability, "Reliability diagram"),
        (CORRUPTIONS, rows_of(results, "corruption"), draw_corruptions, "Accuracy over the severity of corruptions"),
    ):
        if kind_rows and name not in {n for n, _, _ in images}:
            images.append((name, canvas.to_png(draw(kind_rows)), title))
    drawn = membership_pictures(read_scores(results, workdir), [name for name, _, _ in images])
    images += [(p.name, p.data, p.caption) for p in drawn]
    writes = []
    for tag in unique(name for name, _, _ in images):
        for step, (_, data, caption) in enumerate(i for i in images if i[0] == tag):
            try:
                image = tf.io.decode_image(data, channels=3, expand_animations=False)[tf.newaxis]
            except tf.errors.OpError as error:
                raise expected("a whole picture", f"figure {tag!r} ({error.message})") from error
            writes.append(_bind(tf.summary.image, tag, image, step=step, description=escape(caption)))
    return writes


def _bind(write: Any, tag: str, value: Any, **arguments: Any) -> Any:
    return lambda: write(tag, value, **arguments)
