"""Results schema: every command writes `results.json`, and every view (console, HTML, Markdown, TensorBoard) reads it.

Schema 2 is one JSON object:

    schema       2
    command      e.g. "reproduce table1"
    config       the resolved configuration: every flag or argument, defaults included
    environment  versions, machine, date (UTC)
    seconds      wall-clock time
    rows         list of objects, each with a `kind`; the keys of each kind are below
    checks       list of {name, passed, evidence, advice}
    figures      list of {name, title, caption, path}; path is relative to the results file

Rows of kind "accuracy" (one classifier under one attack at one eps):
    experiment (str), attack (str; "none" is the clean image), eps (a fraction of the bounds' width),
    accuracy (0..1), n, ci95 [low, high], seed, and, where they apply: norm, poster (0..1 or null), spec (the attack's text),
    needs (of the classifier: "gradients" | "scores" | "labels"), minimal (true if the attack looks for the smallest perturbation,
    and so may stay below eps), curve ("independent" | "bisected", or "searched": one run for all eps),
    max_distance, mean_distance (realised, in units of the bounds), zero_gradients (fraction of rows; of all eps together if the
    curve is bisected), seconds.

Rows of kind "inversion" (one measure of one classifier under one inversion method):
    experiment, method (str), budget ("equal" | "convergence" | ...), measure (str), value, n, ci95, seed, and, where they
    apply: evaluator (str), better ("higher" | "lower": the direction in which the reconstruction is the better one),
    knowledge (str: of the attacker, such as "white box; auxiliary data: none; training data: not touched").
    A row over several seeds has their list as its seed (or "all"), and n and ci95 over the samples of all of them. Views then show
    its value and interval; from the rows of single seeds they take only the range.
    Rows of the method "reference" measure images that no attack made: real held-out images, the class mean, a start; the
    experiment names which. `of` (str) is the method that a start belongs to; without it the row is a reference for all.

Rows of kind "course" (one inversion after some steps; means over its reconstructions):
    experiment, method, step, cost (that the method minimises), confidence (0..1, of the attacked model), n, ci95 (of the
    confidence), seed, and, where it applies: budget.

Rows of kind "training": experiment, metric, value, n, ci95, seed, epochs, seconds. Those of the metric "epsilon" also have what it
is stated for: delta, sampling (of the batches), relation (between the data sets that are compared), accountant.

Rows of kind "frontier" (a line through a measure of inversions, or through the AUC of membership, "membership_auc", over robust
accuracy, over a sweep of recipes): measure, r, rho, slope, intercept, n (number of recipes), seed (one, or the list of the seeds
averaged over).

Rows of kind "membership" (one measure of one membership attack on one target, or the mean over several): see
`tfinv.evaluation.membership.measure`; with experiment, attack and target.

Rows of kind "membership difference" (a training less another, target by target): experiment, than, attack, measure, value, ci95,
targets.

Rows of kind "calibration": experiment, measure ("ece" | "brier" | "nll" | "overconfidence"), value, n, ci95, seed.

Rows of kind "reliability" (images whose confidence lies in a bin): experiment, low, high (edges of the bin), confidence (mean),
accuracy, n, ci95 (of the accuracy).

Rows of kind "corruption": experiment, corruption (name), severity (1..5), accuracy, n, ci95, seed.

Rows of kind "grade" (one rule of a policy, of an audit): experiment, question, rule, text (what was measured), value, ci95, n,
format ("percent" | "number"), better ("higher" | "lower"), good, fair (thresholds, in the unit of value), grade ("good" | "fair" |
"poor" | null), spans (grades that the interval reaches), state ("graded" | "disbelieved" | "not asked"), reason, checks (failed
ones that forbid a grade), tags (of standards), gate (whether the rule made the command fail).

Rows of kind "audit difference" (one rule of two audits, the second less the first): experiment, question, rule, text, a, b,
difference, ci95, p, n, test (its name), better, format, comparisons (number of tests), reason (why there is no difference).

Schema 1 had no rows of kind "course", no pooled rows and no `knowledge`; it is still read.
"""

import dataclasses
import datetime
import importlib.metadata
import math
import os
import pathlib
import platform
from typing import Any

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.evaluation.check import Check
from tfinv.reporting.results.schema import check_row
from tfinv.version import __version__

SCHEMA = 2
_READABLE = (1, SCHEMA)
FILENAME = "results.json"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture among the results; `path` is relative to the results file."""

    name: str
    title: str
    caption: str
    path: str


@dataclasses.dataclass
class Results:
    """Content of one `results.json`; the module's docstring has the schema."""

    command: str
    config: dict[str, Any]
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    checks: list[Check] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    environment: dict[str, Any] = dataclasses.field(default_factory=lambda: environment())

    def rows_of(self, kind: str) -> list[dict[str, Any]]:
        """Returns the rows of one kind."""
        return [r for r in self.rows if r["kind"] == kind]

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object. NumPy scalars become Python's; NaN and infinity become null."""
        return to_plain({"schema": SCHEMA} | dataclasses.asdict(self))

    def write(self, workdir: str | os.PathLike) -> pathlib.Path:
        """Writes `results.json` into `workdir`, whole or not at all, and returns its path."""
        path = paths.expand(workdir) / FILENAME
        files.write_json(path, self.to_json())
        return path

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Results":
        """Reads a `results.json`, or the one in a folder.

        Raises:
          UserError: it is missing, is not JSON, is of another schema, or a row does not follow the schema.
        """
        path = paths.expand(path)
        if path.is_dir():
            path = path / FILENAME
        value = files.read_json(path)
        if not isinstance(value, dict) or value.get("schema") not in _READABLE:
            schema = value.get("schema") if isinstance(value, dict) else type(value).__name__
            raise expected(f"results of schema {SCHEMA} in {path}", schema, "Run the command again.")
        try:
            for row in value["rows"]:
                check_row(row)
            return cls(
                command=value["command"],
                config=value["config"],
                rows=value["rows"],
                checks=[Check(**c) for c in value["checks"]],
                figures=[Figure(**f) for f in value["figures"]],
                seconds=value["seconds"],
                environment=value["environment"],
            )
        except (KeyError, TypeError) as error:
            raise expected(f"the keys of schema {SCHEMA} in {path}", f"{error!r}") from error


def environment() -> dict[str, Any]:
    """Returns versions, machine and date, which a reader needs to judge the numbers."""
    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "scikit-learn")
    return {
        "tfinv": __version__,
        "python": platform.python_version(),
        **{p: importlib.metadata.version(p) for p in packages},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def to_plain(value: Any) -> Any:
    """Returns a value as JSON has it: NumPy as Python, paths as texts, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return to_plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
