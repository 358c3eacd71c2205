"""Corruptions: how the model stands blur, noise, weather and compression, at five severities."""

from tfinv.auditing.budget import Budget
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.evaluation.corruptions import corruption_rows
from tfinv.evaluation.robustness.stream import BoundedImages
from tfinv.runs.workdir import Workdir


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Measures the accuracy under each corruption at each severity.

    Args:
      subject: the model and its images.
      budget: says how many.
      workdir: of the audit.
    """
    data = subject.data.take(budget.corrupted)
    rows = corruption_rows(
        subject.classifier,
        BoundedImages(data, subject.classifier),
        data.labels,
        experiment=EXPERIMENT,
        seed=subject.seed,
        batch_size=subject.batch_size,
    )
    return Answer(rows)
