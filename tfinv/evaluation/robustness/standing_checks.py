"""Checks of a robustness evaluation by further attacks, on the images that withstand its strongest white-box attack.

Sources: Carlini et al. 2019, section 5; Athalye et al. 2018, section 3.1.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import stats

from tfinv import attacks
from tfinv.attacks import FMN, Attack, Noise, Square
from tfinv.attacks.gradient import GradientAttack
from tfinv.attacks.losses import margin
from tfinv.errors import UserError
from tfinv.evaluation.check import Check, percent
from tfinv.evaluation.robustness.attack_checks import Sample
from tfinv.evaluation.robustness.row_checks import Row, is_white_box
from tfinv.specs import show

_POINT = 0.01  # of accuracy: what another attack may find before a check fails
_SATURATED = 17.0  # float32 softmax is exactly 1 beyond a margin of about 16.7
_SATURATING = ("cross_entropy", "probability", "label_smoothing")


@dataclasses.dataclass(frozen=True)
class Standing:
    """Images of a sample that withstand the strongest white-box attack of the rows.

    Attributes:
      sample: the images that withstand.
      attack: that attack, at one eps.
      name: of the attack.
      share: the eps, as a fraction of the bounds' width.
      tried: number of images that were attacked.
    """

    sample: Sample
    attack: Attack
    name: str
    share: float
    tried: int


def left_standing(
    rows: Sequence[Row], sample: Sample, withstood: Callable[[Row], np.ndarray] | None = None
) -> Standing | None:
    """Finds what withstands the strongest white-box attack of the rows, at the eps where it comes nearest to halving the accuracy.

    An attack of several steps is preferred, since a single step may be stronger by luck. Of several eps the largest counts.

    Args:
      rows: of one classifier.
      sample: images of theirs.
      withstood: says of a row which images of the sample withstood its attack, (n,) bool; without it the attack is repeated.

    Returns:
      None if no such attack is among the rows, or the classifier has no gradients.
    """
    clean = next((r["accuracy"] for r in rows if r["attack"] == "none"), 1.0)
    best: dict[tuple[float, str], tuple[Row, Attack]] = {}
    for row, attack in [(r, a) for r in rows if is_white_box(r) and (a := _rebuilt(r))]:
        key = (row["eps"], attack.norm)
        if key not in best or _weakness(row, attack) < _weakness(*best[key]):
            best[key] = row, attack
    if not best or not sample.classifier.differentiable:
        return None
    row, attack = min(best.values(), key=lambda item: (abs(item[0]["accuracy"] - clean / 2), -item[0]["eps"]))
    stands = sample.take(np.flatnonzero(withstood(row) if withstood else sample.withstands(attack)))
    return Standing(stands, attack, row["attack"], row["eps"], len(sample.labels))


def more_steps_change_nothing(standing: Standing | None) -> Check:
    """Checks that twice the steps, and one more restart, find hardly anything new."""

    def challenger(attack):
        fields = vars(attack)
        if "steps" not in fields:
            return None
        changes = {"steps": 2 * fields["steps"]}
        if "restarts" in fields and fields.get("random_start", True):
            changes["restarts"] = fields["restarts"] + 1
        return dataclasses.replace(attack, **changes)

    return _finds_nothing_new(
        "more-steps-change-nothing",
        standing,
        challenger,
        "The attack stopped before it was done. Double its steps and restarts until the accuracy changes no more, and quote that.",
    )


def losses_agree(standing: Standing | None) -> Check:
    """Checks that the same attack with another loss finds hardly anything new.

    A loss of probabilities loses its gradient where softmax rounds to 1: the accuracy under it then depends on the scale of the
    logits. The other loss is the soft margin, which does not depend on it, or log-odds if the attack already uses the soft margin.
    """
    loss, note = getattr(standing and standing.attack, "loss", None), ""
    other = "log_odds" if loss == "soft_margin" else "soft_margin"
    if standing and loss in _SATURATING and len(standing.sample.labels):
        rounded = float(np.mean(_margins(standing.sample) > _SATURATED))
        note = f". {loss} saturates: at {percent(rounded)} of the images left the probability is rounded to 1"
    return _finds_nothing_new(
        "losses-agree",
        standing,
        lambda attack: attack.with_loss(other) if isinstance(attack, GradientAttack) else None,
        "The loss, and not the model, withstood. Take one that does not saturate (soft_margin, log_odds, dlr), or "
        "several: autoattack, or the lowest of pgd(loss=soft_margin) and pgd(loss=log_odds).",
        note,
    )


def noise_finds_nothing_new(standing: Standing | None, draws: int = 50) -> Check:
    """Checks that many random draws find hardly anything among the images that withstand the white-box attack."""
    return _finds_nothing_new(
        "noise-finds-nothing-new",
        standing,
        _same_threat(Noise, draws=draws, nearest=True),
        "Chance finds what the attack did not, so the gradient does not lead to what is near. Look for quantised, random or "
        "non-differentiable steps in the model, and quote no figure of this attack.",
    )


def black_box_finds_nothing_new(standing: Standing | None, queries: int = 200) -> Check:
    """Checks that Square, which uses scores only, finds hardly anything among the images that withstand the white-box attack."""
    return _finds_nothing_new(
        "black-box-finds-nothing-new",
        standing,
        _same_threat(Square, queries=queries, nearest=True),
        "An attack that never sees a gradient does better than one that does, so the gradient misleads. Quote no figure of the "
        "white-box attack: run square with its full number of queries, or autoattack, and look for what masks the gradient.",
    )


def minimal_attack_finds_nothing_nearer(standing: Standing | None, steps: int = 100) -> Check:
    """Checks that an attack for the smallest perturbation finds hardly any within eps where the white-box attack found none."""
    return _finds_nothing_new(
        "minimal-attack-finds-nothing-nearer",
        standing,
        _same_threat(FMN, steps=steps) if steps else lambda _: None,
        "There are adversarial images inside the budget that the attack of the rows misses. Quote the lower accuracy, and try more "
        "steps, restarts and another loss.",
    )


def _finds_nothing_new(
    name: str,
    standing: Standing | None,
    challenger: Callable[[Attack], Attack | None],
    advice: str,
    note: str = "",
) -> Check:
    """Checks that an attack of the images left standing finds no more than a point of the sample, beyond chance at 1 %."""
    if standing is None:
        return Check(name, None, "not run: no attack that follows the gradient is among the rows", advice)
    left, n = len(standing.sample.labels), standing.tried
    attack = challenger(standing.attack)
    where = f"that {standing.name} left standing at eps {standing.share:g}"
    if attack is None:
        return Check(name, None, f"not run for {standing.name}", advice)
    if not left:
        return Check(name, None, f"not run: there are no images {where}", advice)
    successes = int(np.sum(~standing.sample.withstands(attack, seed_offset=1)))
    return Check(
        name,
        bool(stats.binomtest(successes, n, _POINT, alternative="greater").pvalue >= 0.01),
        f"{_spec(attack)} finds {successes} of the {left} images {where}: of {n} tried, {percent(left / n)} stood, and now "
        f"{percent((left - successes) / n)}{note}",
        advice,
    )


def _weakness(row, attack):
    return attack.single_step, row["accuracy"]


def _rebuilt(row):
    """The attack of a row, from its text form; None if it has none."""
    try:
        return attacks.attack(row["spec"])
    except (KeyError, UserError):
        return None


def _same_threat(cls, **parameters):
    """A function that makes another attack with an attack's eps and norm; None if it lacks the norm."""
    return lambda a: cls(eps=a.eps, norm=a.norm, **parameters) if a.norm in cls.NORMS else None


def _spec(attack):
    """The text form without the threat model, which is that of the row."""
    name = next((name for name, cls in attacks.ATTACKS.items() if cls is type(attack)), type(attack).__name__.lower())
    return show(name, dataclasses.replace(attack, eps=type(attack).eps, norm=type(attack).norm))


def _margins(sample):
    """(n,) logit of the label less the largest of the others."""
    return -margin(tf.constant(sample.classifier.predict(sample.images, sample.batch_size)), sample.labels).numpy()
