"""Accuracy under attack: rows of kind "accuracy" (see `tfinv.reporting.results`), made chunk by chunk of the images."""

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfinv import files, specs
from tfinv.attacks import Attack
from tfinv.attacks import attack as make_attack
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.evaluation.curves import MODES, Outcome, attack_at_each
from tfinv.evaluation.intervals import rate_interval

Arrays = dict[str, np.ndarray]
# Keeps what a function returns under a name, and returns it without a call when it is asked again.
Keep = Callable[[str, Callable[[], Arrays]], Arrays]
Progress = Callable[[int, int, dict[tuple[str, float], float]], None]
Sink = Callable[[str, np.ndarray, np.ndarray], None]

# Batches in a chunk: enough for the examples that withstand to fill new batches, few enough for the memory.
_BATCHES = 4


def accuracy_row(
    experiment: str, attack: str, eps: float, correct: np.ndarray, seed: int, **more: Any
) -> dict[str, Any]:
    """One row of accuracy.

    Args:
      experiment: which classifier.
      attack: its name; "none" for clean images.
      eps: fraction of the bounds' width.
      correct: (n,) bool.
      seed: of the run.
      **more: further keys of the schema.
    """
    hits, n = int(np.sum(correct)), len(correct)
    return {
        "kind": "accuracy",
        "experiment": experiment,
        "attack": attack,
        "eps": float(eps),
        "accuracy": hits / n,
        "n": n,
        "ci95": list(rate_interval(hits, n)),
        "seed": seed,
        **more,
    }


def named_attacks(forms: Iterable[str]) -> list[tuple[str, Attack]]:
    """The names and attacks of `accuracy_curve`, from text forms as `tfinv.attacks.attack` takes them.

    Raises:
      UserError: an unknown attack or argument; a targeted attack, for which there are no targets; an eps, in place of which the
        attack would run at the curve's; a surrogate that does not exist.
    """
    found = []
    for form in forms:
        name, given = specs.parse(form)
        if "eps" in given:
            raise expected(f"{name} without an eps of its own", repr(form), "Give its budgets with --eps.")
        made = make_attack(form)
        if made.targeted:
            raise expected(f"{name} untargeted", repr(form), "Leave out targeted: any wrong class counts.")
        made.check_files()
        # As the rows and files are called: a blank before the arguments would make it another attack.
        found.append((name + form[form.index("(") :].rstrip() if "(" in form else name, made))
    return found


def check_budgets(attacks: Sequence[tuple[str, Attack]], eps: Sequence[float]) -> None:
    """Refuses what `accuracy_curve` can't run, before anything is trained or loaded for it.

    Args:
      attacks: names and attacks.
      eps: fractions of the bounds' width.

    Raises:
      UserError: two attacks of one name, an eps above 1 in L-inf, or one that an attack refuses.
    """
    if max(eps, default=0) > 1 and any(attack.norm == "linf" for _, attack in attacks):
        raise expected(
            "eps of at most 1 in linf, fractions of the bounds' width", max(eps), "Write --eps=8/255 for 8 grey levels."
        )
    if len({name for name, _ in attacks}) < len(attacks):
        raise expected("attacks of different names", ", ".join(name for name, _ in attacks), "Change --attacks.")
    for (_, attack), budget in itertools.product(attacks, eps):
        dataclasses.replace(attack, eps=float(budget))


def accuracy_curve(
    classifier: Classifier,
    images: Any,
    labels: np.ndarray,
    attacks: Iterable[tuple[str, Attack]],
    eps: Sequence[float],
    *,
    experiment: str,
    seed: int = 0,
    batch_size: int = 256,
    curve: str = "independent",
    keep: Keep | None = None,
    checkpoints: pathlib.Path | None = None,
    ahead: Callable[[list[range]], None] | None = None,
    progress: Progress | None = None,
    sink: Sink | None = None,
) -> list[dict[str, Any]]:
    """Accuracy on clean images, then under each attack at each eps.

    The images are taken a few batches at a time, so memory does not grow with their number if `images` makes them on demand.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds: an array, or what has a length and gives arrays for slices.
      labels: (n,).
      attacks: names and attacks; their own eps is replaced, and a step size is a fraction as eps is.
      eps: fractions of the bounds' width; 0 is the clean row, which is always there.
      experiment: the name of the rows.
      seed: of the attacks' draws.
      batch_size: examples in one compiled call.
      curve: "independent" runs, one an eps, or "bisected", see `curves.attack_at_each`.
      keep: stores finished chunks, so that a killed run goes on.
      checkpoints: a folder for the state of the chunk at work.
      ahead: is told the rows of each chunk before the first, so that others may `attack_chunk` them into what `keep` reads.
      progress: is told the images done, all of them, and the accuracies so far by (name, eps).
      sink: is given the name of the attack, with its eps if there is one run an eps, the rows, and their adversarial images.

    Returns:
      Rows of kind "accuracy".

    Raises:
      UserError: see `check_budgets`; an unknown `curve`, or a classifier that lacks what one of the attacks needs.
    """
    if curve not in MODES:
        raise expected(f"a curve among {', '.join(MODES)}", repr(curve), "Change --curve.")
    named = list(attacks)
    check_budgets(named, eps)
    budgets = _budgets(eps)
    for _, attack in named if budgets else ():
        attack.check_needs(classifier)
    total, size = len(labels), _BATCHES * batch_size
    chunks = [range(begin, min(begin + size, total)) for begin in range(0, total, size)]
    if ahead and budgets:
        ahead(chunks)
    correct = np.zeros(total, bool)
    parts: dict[str, list[Arrays]] = {name: [] for name, _ in named}
    for rows in chunks:
        part = slice(rows.start, rows.stop)
        correct[part] = classifier.predict(np.asarray(images[part]), batch_size).argmax(1) == labels[part]
        for name, attack in named if budgets else ():
            found = attack_chunk(
                classifier,
                images,
                labels,
                (name, attack),
                eps,
                rows,
                seed=seed,
                batch_size=batch_size,
                curve=curve,
                keep=keep,
                checkpoints=checkpoints,
                sink=sink,
            )
            parts[name].append(found)
            if progress:
                progress(rows.stop, total, _so_far(parts, budgets))
    curves = [accuracy_row(experiment, "none", 0.0, correct, seed)]
    for name, attack in named if budgets else ():
        whole = Outcome(**{k: _join([p[k] for p in parts[name]], k) for k in parts[name][0]})
        for k, fraction in enumerate(budgets):
            curves.append(_row(experiment, name, attack, fraction, whole, k, correct, seed, classifier, curve))
    return curves


def attack_chunk(
    classifier: Classifier,
    images: Any,
    labels: np.ndarray,
    attack: tuple[str, Attack],
    eps: Sequence[float],
    rows: range,
    *,
    seed: int = 0,
    batch_size: int = 256,
    curve: str = "independent",
    keep: Keep | None = None,
    checkpoints: pathlib.Path | None = None,
    sink: Sink | None = None,
) -> Arrays:
    """What one attack does to one chunk of the images at each eps; the arguments are those of `accuracy_curve`.

    Args:
      classifier: under test.
      images: all of them.
      labels: likewise.
      attack: name and attack.
      eps: fractions of the bounds' width.
      rows: of the chunk.
      seed: of the draws, which are those of the rows.
      batch_size: examples in one compiled call.
      curve: how the eps follow each other.
      keep: stores the chunk, or has it.
      checkpoints: a folder for the state of the chunk.
      sink: is given the adversarial images.

    Returns:
      The arrays of a `curves.Outcome`.
    """
    name, made = attack
    budgets, numbers = _budgets(eps), np.arange(rows.start, rows.stop)
    label = f"{files.slug(name)}-{seed}-{rows.start}"

    def make() -> Arrays:
        outcome, adversarial = attack_at_each(
            classifier,
            np.asarray(images[rows.start : rows.stop]),
            labels[rows.start : rows.stop],
            scale_eps(made, 0.0, classifier),
            [scale_eps(made, e, classifier).eps for e in budgets],
            rows=numbers,
            seed=seed,
            batch_size=batch_size,
            mode=curve,
            checkpoint=checkpoints and checkpoints / f"{label}.npz",
        )
        if sink:
            each = len(adversarial) == len(budgets) > 1
            for e, found in zip(budgets, adversarial, strict=False):
                sink(f"{name} eps={e:g}" if each else name, numbers, found)
        return vars(outcome)

    return keep(label, make) if keep else make()


def _budgets(eps: Sequence[float]) -> list[float]:
    return sorted({float(e) for e in eps if e != 0})


def scale_eps(attack: Attack, fraction: float, classifier: Classifier) -> Attack:
    """The attack with its eps set to a fraction of the width of the classifier's bounds, of which its step size is one too.

    Raises:
      UserError: it contains another attack with a step size, which is in units of the bounds.
    """
    low, high = classifier.bounds
    if high - low != 1 and (own := [part for part in attack.parts if _has_step_size(part)]):
        raise expected(
            f"attacks without step_size inside of another, for bounds {low:g} to {high:g}", own[0], "Leave it out."
        )
    changed: dict[str, Any] = {"eps": fraction * (high - low)}
    if getattr(attack, "step_size", None) is not None:
        changed["step_size"] = attack.step_size * (high - low)  # type: ignore[attr-defined]
    return dataclasses.replace(attack, **changed)


def _has_step_size(attack):
    return getattr(attack, "step_size", None) is not None or any(map(_has_step_size, attack.parts))


def _row(experiment, name, attack, fraction, found, k, correct, seed, classifier, curve):
    more: dict[str, Any] = {
        "spec": specs.show(name.partition("(")[0], scale_eps(attack, fraction, classifier)),
        "norm": attack.norm,
        "needs": attack.needs,
        "seconds": round(float(found.seconds[k]), 2),
    }
    if attack.minimal:
        more["minimal"] = True
    more["curve"] = "searched" if attack.MINIMAL else curve
    attacked = correct & np.isfinite(found.distances[k])
    if attacked.any():
        moved = found.distances[k, attacked]
        more |= {"max_distance": float(moved.max()), "mean_distance": float(moved.mean())}
        for cost in ("gradient_calls", "queries"):
            spent = float(getattr(found, cost)[k, attacked].mean())
            more |= {cost: spent} if spent else {}
        if attack.needs == "gradients":
            # Of a bisected curve those that withstand gather at the large eps, and their gradients with them.
            zero = (
                found.zero_gradients[:, correct].any(0)
                if more["curve"] == "bisected"
                else found.zero_gradients[k, attacked]
            )
            more["zero_gradients"] = float(zero.mean())
    return accuracy_row(experiment, name, fraction, ~found.success[k], seed, **more)


def _join(arrays, name):
    return np.sum(arrays, axis=0) if name == "seconds" else np.concatenate(arrays, axis=1)


def _so_far(parts, budgets):
    return {
        (name, e): 1.0 - float(np.concatenate([p["success"][k] for p in chunks]).mean())
        for name, chunks in parts.items()
        if chunks
        for k, e in enumerate(budgets)
    }
