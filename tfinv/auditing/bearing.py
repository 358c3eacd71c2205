"""Bearing of each check on the grades of an audit: the one table of what a failed check takes away, and what stands.

A check that fails because an attack was too weak can only flatter the model. A bad figure is then an upper bound, and stays bad; a
good one says nothing. Where a check fails because something else was measured, no grade stands.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from tfinv.auditing.rule import Rule
from tfinv.evaluation.check import Check


@dataclasses.dataclass(frozen=True)
class Bearing:
    """Effect of a failed check on the rules of some questions.

    Attributes:
      questions: whose rules it bears on.
      poor_stands: whether a poor grade can still be believed, because the failure can only make the figure look better.
      reason: why, as a clause for the reader.
      measures: of rules that it is limited to; empty for all.
      of_its_fpr: whether it is limited to rules at the FPR in the parentheses of the check's name.
    """

    questions: tuple[str, ...]
    poor_stands: bool
    reason: str
    measures: tuple[str, ...] = ()
    of_its_fpr: bool = False

    def concerns(self, rule: Rule, subject: str) -> bool:
        """Returns whether it bears on a rule; the subject is what stands in the parentheses of the check's name."""
        if rule.question not in self.questions or (self.measures and rule.measure not in self.measures):
            return False
        return not self.of_its_fpr or (rule.fpr is not None and subject == f"{100 * rule.fpr:g}%")


_SEEN = ("accuracy", "calibration", "corruptions", "robustness")
_LEAKS = ("inversion", "membership")
_ROBUSTNESS, _INVERSION, _MEMBERSHIP = ("robustness",), ("inversion",), ("membership",)
_WEAK = "the attacks miss adversarial images that are there, so the accuracy is an upper bound"


def _weak(reason: str = _WEAK) -> tuple[Bearing, ...]:
    return (Bearing(_ROBUSTNESS, True, reason),)


def _other_model(reason: str) -> tuple[Bearing, ...]:
    """A model that sees or names images otherwise than it was trained to: a leak that shows all the same is one."""
    return (
        Bearing(_SEEN, False, reason),
        Bearing(
            _LEAKS, True, "the model is asked in another way than it was trained, which hides a leak and makes none"
        ),
    )


# By the heading of the check. An empty tuple: it bears on no grade of an audit, and docs/policy.md says why.
BEARINGS: Mapping[str, tuple[Bearing, ...]] = {
    "preprocessing-fits": _other_model("the images reach the model in another form than in its training"),
    "class-order-fits": _other_model("the outputs mean other classes than the labels"),
    "class-counts-agree": _other_model("the outputs mean other classes than the labels"),
    "clean-accuracy-beats-guessing": (
        Bearing(("accuracy", "robustness"), True, "a model that guesses can't be better than its figure"),
        Bearing(("calibration",), False, "a model that guesses has no confidence to judge"),
        Bearing(("corruptions",), False, "there is no accuracy of which a share could be left"),
        Bearing(_LEAKS, True, "a model that guesses holds no classes or images to give away"),
    ),
    "accuracy-falls-with-eps": _weak(),
    "unbounded-attack-reaches-zero": _weak(),
    "pgd-at-least-fgsm": _weak(),
    "noise-weaker-than-fgsm": _weak(),
    "white-box-at-least-black-box": _weak(),
    "half-range-beats-guessing": _weak(),
    "more-steps-change-nothing": _weak(),
    "losses-agree": _weak(),
    "noise-finds-nothing-new": _weak(),
    "black-box-finds-nothing-new": _weak(),
    "minimal-attack-finds-nothing-nearer": _weak(),
    "not-only-black-box": _weak(),
    "surrogate-agrees": _weak(
        "the surrogate's gradients are those of another model, so the accuracy is an upper bound"
    ),
    "zero-gradients": (*_weak(), Bearing(_INVERSION, True, "an inversion does not move without a gradient")),
    "gradient-matches-differences": (
        *_weak(),
        Bearing(_INVERSION, True, "an inversion follows a gradient that leads elsewhere"),
    ),
    "logits-are-known": (
        *_weak(),
        Bearing(("calibration",), False, "the confidence is not that of the model"),
        Bearing(_LEAKS, True, "an attack loses the digits that it could read"),
    ),
    "predictions-are-deterministic": (
        Bearing(_ROBUSTNESS, False, "an attack follows one draw and is judged by another, to either side"),
        Bearing(_LEAKS, True, "chance blurs what an attack reads"),
    ),
    "perturbation-uses-budget": (Bearing(_ROBUSTNESS, False, "the attack ran with another eps than the one stated"),),
    "input-range-and-dtype": (Bearing(_ROBUSTNESS, False, "eps is a fraction of a range that the images don't fill"),),
    "evaluators-are-accurate": (Bearing(_INVERSION, False, "who recognises nothing can't say what is recognised"),),
    "inversion-reaches-its-class": (Bearing(_INVERSION, True, "an inversion failed, and a better one may not"),),
    "reconstructions-convince-others": (
        Bearing(_INVERSION, True, "reconstructions that are adversarial examples show no leak and no privacy"),
    ),
    "reconstructions-exceed-their-start": (
        Bearing(_INVERSION, True, "where the start shows the class there is little left to gain"),
    ),
    "no-training-data-used": (Bearing(_INVERSION, False, "the attacker had what it claims to reconstruct"),),
    "enough-nonmembers": (Bearing(_MEMBERSHIP, False, "too few others set the threshold", ("tpr",), of_its_fpr=True),),
    "members-and-nonmembers-alike": (Bearing(_MEMBERSHIP, False, "members and others differ without any model"),),
    "target-is-no-shadow": (Bearing(_MEMBERSHIP, False, "the attack was given its answer"),),
    "null-target-at-chance": (Bearing(_MEMBERSHIP, False, "the attack finds members where there are none"),),
    "members-disjoint": (Bearing(_MEMBERSHIP, True, "a member among the others counts as a false positive"),),
    "shadows-reach-the-target": (Bearing(_MEMBERSHIP, True, "shadows that learnt less make a weaker attack"),),
    "overfitted-twin-is-worse": (Bearing(_MEMBERSHIP, True, "an attack that is blind to overfitting misses a leak"),),
    "scores-not-tied": (Bearing(_MEMBERSHIP, True, "ties count as not recognised", ("tpr",)),),
    # Of commands that compare several models, or that train or save.
    "adversarial-training-leaks-more": (),
    "defence-leaks-less": (),
    "equal-test-accuracy": (),
    "gives-away-less": (),
    "no-catastrophic-overfitting": (),
    "published-scale": (),
    "rounding-keeps-success": (),
    "some-recipe-is-robust-and-private": (),
    "trainings-end": (),
}


@dataclasses.dataclass(frozen=True)
class Doubt:
    """A failed check that bears on a rule.

    Attributes:
      check: its name.
      bearing: its effect.
    """

    check: str
    bearing: Bearing


def bears_on(question: str, checks: Iterable[Check]) -> bool:
    """Returns whether a failed check bears on any figure of a question."""
    unlisted = (Bearing((question,), False, ""),)
    failed = [check for check in checks if check.passed is False]
    return any(question in bearing.questions for c in failed for bearing in BEARINGS.get(c.heading, unlisted))


def doubts(rule: Rule, checks: Iterable[Check]) -> list[Doubt]:
    """Returns the failed checks that bear on a rule. One that the table does not have bears on every rule.

    Args:
      rule: of a policy.
      checks: of an audit.
    """
    unlisted = (Bearing((rule.question,), False, "nobody said what it bears on"),)
    doubtful = []
    for check in checks:
        if check.passed is not False:
            continue
        subject = check.name.partition(" (")[2].removesuffix(")")
        for bearing in BEARINGS.get(check.heading, unlisted):
            if bearing.concerns(rule, subject):
                doubtful.append(Doubt(check.name, bearing))
    return doubtful
