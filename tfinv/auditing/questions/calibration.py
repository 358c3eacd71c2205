"""Calibration: whether the model's confidence is how often it is right."""

from tfinv.auditing.budget import Budget
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.evaluation.calibration import calibration_rows
from tfinv.runs.workdir import Workdir


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Compares confidence and accuracy of the images that the question of accuracy predicted.

    Args:
      subject: the model and its images.
      budget: says how many.
      workdir: of the audit.
    """
    if not subject.classifier.scores:
        return Answer.not_asked("the model gives labels alone, and so no confidence")
    logits = subject.logits(budget.images)
    labels = subject.data.labels[: len(logits)]
    return Answer(calibration_rows(logits, labels, experiment=EXPERIMENT, seed=subject.seed))
