"""Membership: whether the model tells who was in its training set."""

import numpy as np

from tfinv.auditing.budget import Budget
from tfinv.auditing.questions import shadows as shadow_models
from tfinv.auditing.questions.answer import Answer
from tfinv.auditing.subjects.sides import Sides
from tfinv.auditing.subjects.subject import EXPERIMENT, Subject
from tfinv.comparison.membership import checking, scoring
from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.membership.targets import Target, evidence_of
from tfinv.evaluation.check import merge
from tfinv.reporting.results.scores import Scores
from tfinv.runs.workdir import Workdir

# All images of the question are in memory at once, as the attacks take them.
_MOST_BYTES = 512 << 20


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Attacks members and non-members with what the model says of them, and with shadow models where the budget has any.

    Args:
      subject: the model, its members and its non-members.
      budget: says how many, and how many shadow models.
      workdir: of the audit, which keeps shadow models and scores.
    """
    if subject.membership is None:
        return Answer.not_asked(
            "nobody said on what the model was trained; pass --members=train if that was the training split of the data set"
        )
    sides = subject.membership.first(most_members(subject.membership, budget))
    shadows = shadow_models.provide(subject, sides, budget, workdir)
    sides, data = shadows.sides, shadows.sides.examples
    subject.progress(f"  {int(sides.members.sum())} members, {int(np.sum(~sides.members))} others; {shadows.note}")
    options = {"batch_size": subject.batch_size, "seed": subject.seed}
    evidence = evidence_of(subject.classifier, data, shadows.shadows, shadows.queries, **options)
    target = Target(EXPERIMENT, sides.members, evidence)
    attacks = scoring.default_attacks(evidence)
    results = [scoring.score(form, target, workdir.arrays) for form in attacks]
    checks = [
        *checking.data_and_size_checks(sides.members, data, subject.seed),
        *merge((EXPERIMENT, check) for check in checking.model_checks(target)),
        *checking.score_checks(results),
    ]
    rows = [row for result in results for row in result.rows(EXPERIMENT, subject.seed)]
    classes = [subject.class_names[label] for label in data.labels]
    rows += [row for result in results for row in result.class_rows(EXPERIMENT, classes, subject.seed)]
    rows = [row | {"shadows": shadows.count} for row in rows]
    scores = _scores(results, data.labels, subject.class_names)
    scores.write(workdir.path, data.images)
    predictions = evidence.predictions
    columns = {
        "split": sides.splits,
        "index": sides.rows,
        "label": data.labels,
        "member": sides.members,
        "membership_score": scores.scores[scores.strongest(), 0],
    }
    if predictions is not None:
        columns["prediction"] = predictions
    note = {"kind": "note", "question": "membership", "text": f"{subject.assumption}; {shadows.note}".lstrip("; ")}
    return Answer([*rows, note], checks, [], columns)


def most_members(sides: Sides, budget: Budget) -> int:
    """Returns how many members, and how many others, fit into the budget and into memory."""
    image_bytes = 4 * int(np.prod(sides.examples.image_shape))
    return max(1, min(budget.members, _MOST_BYTES // (2 * image_bytes)))


def _scores(results: list[AttackScores], labels: np.ndarray, names: tuple[str, ...]) -> Scores:
    arrays = np.stack([result.scores for result in results])[:, None]
    return Scores(tuple(r.attack for r in results), arrays, results[0].members[None], labels, classes=names)
