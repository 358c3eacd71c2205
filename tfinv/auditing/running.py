"""The run of an audit: each question once, kept in the workdir, then grades and all files."""

import dataclasses
import functools
import importlib
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfinv.auditing import budget as budgets
from tfinv.auditing import estimate
from tfinv.auditing.budget import Budget
from tfinv.auditing.exports import write_exports
from tfinv.auditing.grading import grade
from tfinv.auditing.policy import Policy
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.records import write_records
from tfinv.auditing.report import AuditReport
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.auditing.subjects.thumbnails import unit_images
from tfinv.catalogue import QUESTIONS
from tfinv.errors import expected
from tfinv.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from tfinv.reporting import Results, write_html
from tfinv.reporting.pages.records import write_records_pages
from tfinv.runs import descriptions
from tfinv.runs.workdir import Workdir

# Says whether an audit of so long may begin.
Agree = Callable[[str], bool]
# Kinds of columns of the table of images, by what stands where a question says nothing.
_EMPTY: dict[str, Any] = {"i": -1, "u": -1, "f": np.nan, "U": "", "b": -1}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of an audit.

    Attributes:
      budget: its name.
      questions: those that are asked, of `catalogue.QUESTIONS`.
      policy: by which it is graded.
      fail_on: names of rules at which it fails, beside those of the policy.
      eps_reason: why it is judged by its eps.
      about: further entries of the configuration, for the reader.

    Raises:
      UserError: an unknown budget or question.
    """

    budget: str
    questions: tuple[str, ...]
    policy: Policy
    fail_on: tuple[str, ...] = ()
    eps_reason: str = ""
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        budgets.budget(self.budget)
        unknown = sorted(set(self.questions) - set(QUESTIONS))
        if unknown or not self.questions:
            received = ", ".join(unknown) or "none"
            raise expected(f"questions among {', '.join(QUESTIONS)}", received, "Change --questions.")
        self.policy.gates([], self.fail_on)  # a wrong name is known before hours of work


def run(
    subject: Subject, settings: Settings, folder: pathlib.Path, *, resume: bool = True, agree: Agree | None = None
) -> AuditReport:
    """Asks the questions, and writes results, report, exports and the table of images.

    A question whose answer is in the folder is not asked again, so that a killed audit goes on. The folder belongs to one model,
    data set and settings: another version of the model is refused by its digest.

    Args:
      subject: the model and its images.
      settings: of the audit.
      folder: where everything goes.
      resume: whether the folder may hold a part of this audit.
      agree: is told the estimate of an audit of more than an hour, and says whether it may begin; None for yes.

    Raises:
      UserError: the folder belongs to another audit, or nobody agreed to hours of work.
    """
    start = time.perf_counter()
    workdir = Workdir(folder, identity(subject, settings), resume=resume)
    say = subject.progress
    say(descriptions.introduction(subject.classifier, subject.data))
    say(f"eps: {settings.eps_reason}")
    if subject.assumption:
        say(f"assumed: {subject.assumption}")
    requested = budgets.budget(settings.budget)
    budget, cost = _fitted(subject, requested, settings, workdir)
    seconds = estimate.estimate(budget, _scope(subject, settings, budget), cost)
    say(estimate.describe(seconds, cost))
    cuts = budgets.left_out(requested, budget)
    if cuts:
        say(f"left out to end in time: {'; '.join(cuts)}")
    left = {name: value for name, value in seconds.items() if not _is_answered(name, workdir)}
    estimate.check_time(left, agree)
    answers: dict[str, Answer] = {}
    for name in QUESTIONS:
        # What the others say rests on the checks of the clean images.
        if name not in settings.questions and name != QUESTIONS[0]:
            answers[name] = Answer.not_asked("left out by --questions")
            continue
        say(f"{name}{' (kept from an earlier run)' if _is_answered(name, workdir) else ''}")
        answers[name] = Answer.stored(name, workdir, functools.partial(_ask, name, subject, budget, workdir))
        if (reason := answers[name].reason) is not None:
            say(f"  not asked: {reason}")
    results = _results(subject, settings, budget, cuts, answers)
    results.seconds = round(time.perf_counter() - start, 1)
    return finish(results, answers, settings, workdir.path, subject)


def finish(
    results: Results, answers: Mapping[str, Answer], settings: Settings, folder: pathlib.Path, subject: Subject
) -> AuditReport:
    """Grades the results, and writes results.json, the report, the exports, the table of images and the pages that show them.

    Args:
      results: without grades.
      answers: of the questions.
      settings: of the audit.
      folder: where everything goes.
      subject: whose images the pages show.
    """
    grades = grade(results, settings.policy)
    gates = settings.policy.gates(grades, settings.fail_on)
    results.rows += [row | {"gate": row["rule"] in gates} for row in grades]
    records = write_records(folder, table(answers))
    browse(subject, folder)
    results.write(folder)
    page = write_html(results, folder)
    exports = write_exports(results, folder)
    return AuditReport(results, folder, page, tuple(gates), {**exports, **{p.name: p for p in records}})


def browse(subject: Subject, folder: pathlib.Path) -> None:
    """Writes the pages of single images, which the report leads to."""
    images = functools.partial(unit_images, subject)
    write_records_pages(folder, images=images, classes=subject.class_names)


def identity(subject: Subject, settings: Settings) -> dict[str, Any]:
    """Returns the configuration that a workdir belongs to: all that the answers depend on."""
    contents = {f"{name}_contents": digest for name, digest in subject.digests.items()}
    return {
        "command": "audit",
        **settings.about,
        "budget": settings.budget,
        "questions": list(settings.questions),
        "eps": subject.eps,
        "seed": subject.seed,
        "batch_size": subject.batch_size,
        **contents,
    }


def table(answers: Mapping[str, Answer]) -> dict[str, np.ndarray]:
    """Returns the columns of the answers as one table, with a line for each image of a split that any of them has.

    Where a question says nothing of an image, there is NaN, -1 or an empty text.
    """
    parts = [answer.columns for answer in answers.values() if "index" in answer.columns]
    keys = dict.fromkeys(
        key for part in parts for key in zip(part["split"].tolist(), part["index"].tolist(), strict=True)
    )
    place = {key: line for line, key in enumerate(keys)}
    columns: dict[str, np.ndarray] = {
        "split": np.array([split for split, _ in keys]),
        "index": np.array([index for _, index in keys], np.int64),
    }
    for part in parts:
        lines = [place[key] for key in zip(part["split"].tolist(), part["index"].tolist(), strict=True)]
        for name, values in part.items():
            if name in ("split", "index"):
                continue
            if name not in columns:
                kind = values.dtype.kind
                dtype = np.int64 if kind in "iub" else values.dtype
                columns[name] = np.full(len(keys), _EMPTY[kind], dtype)
            columns[name][lines] = values
    return columns


def _ask(name: str, subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """One question, by the module of its name."""
    ask: Callable[..., Answer] = importlib.import_module(f"tfinv.auditing.questions.{name}").ask
    start = time.perf_counter()
    answer = ask(subject, budget, workdir)
    return dataclasses.replace(answer, seconds=round(time.perf_counter() - start, 1))


def _is_answered(name: str, workdir: Workdir) -> bool:
    return (workdir.path / "stages" / f"question-{name}.json").exists()


def _fitted(subject: Subject, requested: Budget, settings: Settings, workdir: Workdir) -> tuple[Budget, estimate.Cost]:
    """The budget that ends in time by the measured cost, which is stored: another run must not measure another one."""
    cost = estimate.Cost(**workdir.json("cost", lambda: dataclasses.asdict(estimate.measure_cost(subject))))

    def seconds(budget: Budget) -> dict[str, float]:
        return estimate.estimate(budget, _scope(subject, settings, budget), cost)

    return budgets.fit(requested, seconds), cost


def _scope(subject: Subject, settings: Settings, budget: Budget) -> estimate.Scope:
    classifier = subject.classifier
    trains = subject.shadows is None and subject.model is not None and subject.assumption
    return estimate.Scope(
        questions=tuple(name for name in QUESTIONS if name in settings.questions),
        images=len(subject.data),
        pixels=int(np.prod(classifier.input_shape)),
        classes=classifier.num_classes,
        gradients=classifier.differentiable,
        scores=classifier.scores,
        corruptions=len(CORRUPTIONS) * len(SEVERITIES),
        shadows=budget.shadows if trains else 0,
    )


def _results(
    subject: Subject, settings: Settings, budget: Budget, cuts: list[str], answers: Mapping[str, Answer]
) -> Results:
    config = {
        **settings.about,
        "budget": settings.budget,
        "eps": subject.eps,
        "eps_reason": settings.eps_reason,
        "assumed": subject.assumption,
        "questions": list(settings.questions),
        "policy": settings.policy.name,
        "fail_on": list(settings.fail_on),
        "seed": subject.seed,
        "batch_size": subject.batch_size,
        "left_out": cuts,
        **{what: count for what, count in budget.counts().items()},
        **{f"{name}_contents": digest for name, digest in subject.digests.items()},
    }
    results = Results("audit", config)
    for name, answer in answers.items():
        state = {"state": "asked" if answer.reason is None else "not asked", "reason": answer.reason}
        head = {"kind": "question", "experiment": EXPERIMENT, "question": name, "seconds": answer.seconds}
        results.rows += [head | state, *answer.rows]
        results.checks += answer.checks
        results.figures += answer.figures
    results.environment |= descriptions.about(subject.classifier, subject.data)
    return results
