"""Accuracy: how many images the model has right, and whether it sees them as its training did."""

import numpy as np

from tfinv.auditing.budget import Budget
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.evaluation.robustness.accuracy import accuracy_row
from tfinv.evaluation.robustness.clean_checks import probed_checks
from tfinv.runs.workdir import Workdir


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Predicts the first images of the split.

    Args:
      subject: the model and its images.
      budget: says how many.
      workdir: of the audit.
    """
    predictions = subject.predictions(budget.images)
    n = len(predictions)
    checks = probed_checks(subject.classifier, subject.data.take(budget.probed), subject.setting, subject.bare)
    for check in checks:
        if check.passed is False:
            subject.progress(f"{check.name} fails: {check.evidence}")
    labels = subject.data.labels[:n]
    columns = {
        "split": np.full(n, subject.data.split),
        "index": np.arange(n),
        "label": labels,
        "prediction": predictions,
        "confidence": subject.confidences(n),
    }
    # Guessing is right for the most frequent class.
    chance = float(np.bincount(labels).max()) / n
    row = accuracy_row(EXPERIMENT, "none", 0.0, predictions == labels, subject.seed, chance=chance)
    return Answer([row], checks, [], columns)
