"""Corruptions: how the model stands blur, noise, weather and compression, at five severities."""

from tfinv.auditing.budget import Budget
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.evaluation.corruptions import corruption_rows
from tfinv.runs.workdir import Workdir


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Measures the accuracy under each corruption at each severity.

    Args:
      subject: the model and its images.
      budget: says how many.
      workdir: of the audit.
    """
    count = min(budget.corrupted, len(subject.data))
    rows = corruption_rows(
        subject.classifier,
        subject.images[0:count],
        subject.data.labels[:count],
        experiment=EXPERIMENT,
        seed=subject.seed,
    )
    return Answer(rows)
