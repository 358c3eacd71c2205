"""Pictures of the images that fall first: the image, what was added to it, and what came of it."""

import math
import pathlib
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from tfinv.auditing.subjects.subject import Subject
from tfinv.evaluation.robustness.plan import scale_eps
from tfinv.evaluation.robustness.stream import BoundedImages
from tfinv.reporting.figures.fragile import fragile_grid
from tfinv.reporting.results import Figure

if TYPE_CHECKING:
    from tfinv.auditing.questions.robustness import Run

_MOST = 6  # images in the picture


def draw(
    subject: Subject, run: "Run", smallest: np.ndarray, fooled_by: np.ndarray, folder: pathlib.Path
) -> list[Figure]:
    """Writes the figure "fragile" under folder/figures; none where every image withstands.

    Args:
      subject: the model and its images.
      run: of the attacks.
      smallest: (n,) of `robustness.smallest_eps`.
      fooled_by: (n,) the attacks.
      folder: the workdir.
    """
    fallen = np.flatnonzero(fooled_by != "")
    rows = fallen[np.argsort(smallest[fallen], kind="stable")][:_MOST]
    if not len(rows):
        return []
    adversarial, success = _again(run, subject.images, subject.data.labels, rows, fooled_by, smallest)
    rows, adversarial = rows[success], adversarial[success]
    if not len(rows):
        return []
    images = np.concatenate([subject.images[row : row + 1] for row in rows])
    classifier, names = subject.classifier, subject.class_names
    answers = []
    for batch in (images, adversarial):
        logits = classifier.predict(batch, subject.batch_size)
        confidence = special.softmax(logits.astype(np.float64), axis=1).max(axis=1)
        sure = [
            f"{names[k]}\n{100 * c:.0f} %" if classifier.scores else names[k]
            for k, c in zip(logits.argmax(1), confidence, strict=True)
        ]
        answers.append(sure)
    labels = [
        f"no. {row}: {names[subject.data.labels[row]]}\n{_short(fooled_by[row])}, eps {smallest[row]:.3g}"
        for row in rows
    ]
    path = pathlib.Path("figures") / "fragile.png"
    factor = fragile_grid(
        classifier.to_unit(images), classifier.to_unit(adversarial), labels, answers[0], answers[1], folder / path
    )
    caption = (
        "The images that the smallest perturbation fools: the image, what was added to it, and the result, with the model's "
        f"class and confidence. The perturbation is drawn {factor:g} times as strong, around grey."
    )
    return [Figure("fragile", "The images that fall first", caption, str(path))]


def _again(
    run: "Run", images: BoundedImages, labels: np.ndarray, rows: np.ndarray, fooled_by: np.ndarray, smallest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The adversarial images (k, H, W, C) of some rows, by the attacks that found them, and whether they are such (k,).

    Each attack runs once more, on these rows alone, at the smallest of its budgets that sufficed; its draws are those of the rows.
    """
    classifier = run.target.classifier
    adversarial, success = np.zeros((len(rows), *classifier.input_shape), np.float32), np.zeros(len(rows), bool)
    groups: dict[tuple[str, float], list[int]] = {}
    for place, row in enumerate(rows):
        name = str(fooled_by[row])
        budgets = run.plan_of(name).budgets
        minimal = run.plan_of(name).attack(name).MINIMAL and len(budgets) > 1
        # One run for all budgets has no limit.
        eps = math.inf if minimal else next((e for e in budgets if smallest[row] <= e * (1 + 1e-6)), budgets[-1])
        groups.setdefault((name, eps), []).append(place)
    for (name, eps), places in groups.items():
        plan, chosen = run.plan_of(name), rows[places]
        attack = scale_eps(plan.attack(name), eps, classifier)
        batch = np.concatenate([images[row : row + 1] for row in chosen])
        result = attack(classifier, batch, labels[chosen], rows=chosen, seed=plan.seed, batch_size=plan.batch_size)
        adversarial[places], success[places] = result.images, result.success
    return adversarial, success


def _short(attack: str) -> str:
    return attack.partition("(")[0]
