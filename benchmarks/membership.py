"""Seconds and memory of scoring with shadow models: `python -m benchmarks.membership --workdir=runs/bench-membership`.

LiRA and RMIA score all examples from a store of shadows' logits, beside the loop over examples of their published code, as LeakPro
has it for both, and beside the form of their authors: the LiRA of tensorflow/privacy splits the margins in a loop and fits all
examples at once, the RMIA of ml_privacy_meter divides a matrix of all x and z. Contestants begin with the same logits on disk and
end with the same scores, which is checked of the loop (the authors' LiRA takes medians). The loop and the matrix are timed on some
of the examples and scaled; the signals that they go through are made for all models at once, as in that code, and timed in full.
Memory is the peak of what numpy and Python hold (tracemalloc): that of the process is hidden by what TensorFlow's import leaves.
"""

import argparse
import dataclasses
import functools
import pathlib
import statistics
import time
import tracemalloc
from typing import Any

import numpy as np
from scipy import special, stats

from benchmarks import machine, timing
from tfinv import files
from tfinv.membership import Evidence, MembershipAttack, membership_attack
from tfinv.membership.shadows.store import ShadowStore
from tfinv.membership.signals import margin

_CLASSES = 10
_LEAST_RATIO = 20
_SPECS = ("lira", "rmia")
# Growth of the peak from few to many examples that counts as none, in bytes an example: those of the sums that an attack keeps.
_BYTES = 400


def make_store(folder: pathlib.Path, examples: int, shadows: int, seed: int) -> ShadowStore:
    """Store of random logits; the label's are higher in shadows that were trained on an example. Filled before, it is opened."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(_CLASSES, size=examples)
    halves = np.stack([generator.permutation(examples) < examples // 2 for _ in range(shadows // 2)], axis=1)
    members = np.stack([halves, ~halves], axis=2).reshape(examples, shadows)
    store = ShadowStore.create(
        folder, labels=labels, members=members, classes=_CLASSES, digest=f"seed {seed}", recipe={"architecture": "none"}
    )
    level = 3 * generator.standard_normal(examples)
    for number in store.missing():
        logits = np.random.default_rng((seed, number)).standard_normal((examples, 1, _CLASSES), dtype=np.float32)
        logits[np.arange(examples), 0, labels] += (level + 2 * members[:, number]).astype(np.float32)
        store.add(number, logits, members[:, number])
    return store


def evidence(store: ShadowStore, count: int, stored_margins: bool = True) -> Evidence:
    """Evidence on the first examples: shadow 0 is the target, and the others but its complement are the references."""
    _, logits, shadows = next(iter(store.leave_one_out()))
    if not stored_margins:
        shadows = dataclasses.replace(shadows, margin_sources=[None] * shadows.size)
    rows = slice(0, count)
    whole = count == len(store.labels)
    return Evidence(
        store.labels[rows], logits=logits[rows], shadows=shadows if whole else shadows.rows(np.arange(count))
    )


def score(attack: MembershipAttack, store: ShadowStore, stored_margins: bool) -> np.ndarray:
    """Scores of all examples."""
    return attack.score(evidence(store, len(store.labels), stored_margins))


@dataclasses.dataclass(frozen=True)
class Run:
    """Seconds that published code takes to make the signals of all models and for the rest, of all examples, and its scores."""

    signals: float
    rest: float
    scores: np.ndarray


def lira_loop(store: ShadowStore, sample: int) -> Run:
    """LiRA with fixed variance, example by example; the scores are the sample's."""
    signals, margins, observed, members = _margins(store)
    start = time.perf_counter()
    deviation_in, deviation_out = np.std(margins[members]), np.std(margins[~members])
    fixed, start = time.perf_counter() - start, time.perf_counter()
    scores = []
    for i in range(sample):
        mean_in, mean_out = np.mean(margins[i][members[i]]), np.mean(margins[i][~members[i]])
        log_in = stats.norm.logpdf(observed[i], mean_in, deviation_in + 1e-30)
        log_out = stats.norm.logpdf(observed[i], mean_out, deviation_out + 1e-30)
        scores.append(log_in - log_out)
    return Run(signals, fixed + (time.perf_counter() - start) * len(observed) / sample, np.array(scores))


def lira_split(store: ShadowStore, _: int) -> Run:
    """LiRA with fixed variance whose loop only splits the margins of each example; scores of all examples."""
    signals, margins, observed, members = _margins(store)
    start = time.perf_counter()
    sides = [[], []]
    for values, inside in zip(margins, members, strict=True):
        sides[0].append(values[inside])
        sides[1].append(values[~inside])
    logs = []
    for side in sides:
        size = min(map(len, side))
        equal = np.array([values[:size] for values in side])
        logs.append(stats.norm.logpdf(observed, np.median(equal, axis=1), np.std(equal) + 1e-30))
    return Run(signals, time.perf_counter() - start, logs[0] - logs[1])


def rmia_loop(store: ShadowStore, sample: int, population: int, seed: int) -> Run:
    """RMIA, example by example, with the mean of all references; the scores are the sample's."""
    signals, ratio_x, ratio_z = _ratios(store, population, seed)
    start = time.perf_counter()
    scores = [np.mean(ratio_x[i] / ratio_z > 2.0) for i in range(sample)]
    return Run(signals, (time.perf_counter() - start) * len(ratio_x) / sample, np.array(scores))


def rmia_matrix(store: ShadowStore, sample: int, population: int, seed: int) -> Run:
    """RMIA by a matrix of all x and z, of which that of all examples would be 4.8 GB; the scores are the sample's."""
    signals, ratio_x, ratio_z = _ratios(store, population, seed)
    start = time.perf_counter()
    scores = np.average(ratio_x[:sample, np.newaxis] / ratio_z > 2.0, axis=1)
    return Run(signals, (time.perf_counter() - start) * len(ratio_x) / sample, scores)


def _margins(store):
    """Seconds, margins of the references (n, S) and of the target (n,), and members (n, S)."""
    start = time.perf_counter()
    target, shadows, members = _loaded(store)
    margins = np.stack([margin(values[:, 0], store.labels) for values in shadows], axis=1)
    observed = margin(target[:, 0], store.labels)
    return time.perf_counter() - start, margins, observed, members


def _ratios(store, population, seed):
    """Seconds, and the ratios p(x | target) / p(x) of all examples and of the population; the softmax is in float32 as there."""
    start = time.perf_counter()
    target, shadows, _ = _loaded(store)
    rows = np.arange(len(target))
    p = np.stack([special.softmax(values[:, 0], axis=1)[rows, store.labels] for values in shadows])
    observed = special.softmax(target[:, 0], axis=1)[rows, store.labels]
    ratio_x = observed / p.mean(axis=0, dtype=np.float64)
    ratio_z = np.sort(ratio_x)  # in the order in which `RMIA` draws from them
    if len(ratio_z) > population:
        ratio_z = np.random.default_rng(seed).choice(ratio_z, population, replace=False)
    return time.perf_counter() - start, ratio_x, ratio_z


def _loaded(store: ShadowStore) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The target's logits, those of the references, and the references' members."""
    _, logits, shadows = next(iter(store.leave_one_out()))
    return logits, [shadows.logits(i, slice(None)) for i in range(shadows.size)], shadows.members


def measure(store: ShadowStore, sample: int, population: int, repetitions: int, seed: int) -> list[dict[str, Any]]:
    """Seconds of each contestant in each repetition.

    Raises:
      RuntimeError: the contestants' scores differ.
    """
    rows = []
    for spec in _SPECS:
        attack = membership_attack("lira(variance=fixed)" if spec == "lira" else f"rmia(population={population})")
        keys = {} if spec == "lira" else {"population": population, "seed": seed}
        loop, authors = (lira_loop, lira_split) if spec == "lira" else (rmia_loop, rmia_matrix)
        _check_same(attack, score(attack, store, True)[:sample], loop(store, sample, **keys).scores, population)
        default = membership_attack("lira") if spec == "lira" else attack
        contestants: dict[str, Any] = {
            "store": functools.partial(score, default, store, True),
            "logits": functools.partial(score, default, store, False),
            "loop": functools.partial(loop, store, sample, **keys),
            "authors": functools.partial(authors, store, sample, **keys),
        }
        measurements = timing.interleaved(
            contestants, repetitions, lambda line, spec=spec: print(f"  {spec}, {line}", flush=True)
        )
        seconds = {name: measurements[name][0] for name in ("store", "logits")}
        for name in ("loop", "authors"):
            runs = measurements[name][1]
            seconds |= {name: [run.signals + run.rest for run in runs], f"{name}, signals": [r.signals for r in runs]}
        rows.append({"attack": spec, "seconds": seconds})
    return rows


def _check_same(attack, scores, expectation, population):
    """Our RMIA adds a rank of less than one z to the share, and its ratios differ from those of float32 in a z or two."""
    tolerance = 1e-6 * np.abs(expectation).max() if attack.__class__.__name__ == "LiRA" else 4 / population
    if np.abs(scores - expectation).max() > tolerance:
        raise RuntimeError(f"{attack} and its loop differ by {np.abs(scores - expectation).max()}")


def peaks(store: ShadowStore, counts: tuple[int, int]) -> dict[str, list[float]]:
    """Peak of all arrays and objects in MiB, of few and of many examples from logits; "none" stops before the attack."""
    values = {}
    for spec in ("none", *_SPECS):
        values[spec] = []
        for count in counts:
            tracemalloc.start()
            data = evidence(store, count, stored_margins=False)
            if spec != "none":
                membership_attack(spec).score(data)
            values[spec].append(tracemalloc.get_traced_memory()[1] / 2**20)
            tracemalloc.stop()
        print(f"  {spec}: {', '.join(f'{peak:.1f} MiB' for peak in values[spec])}", flush=True)
    return values


def page(results: dict[str, Any]) -> str:
    """Markdown of all figures."""
    few, many = results["counts"]
    lines, quotients, claims = [], [], []
    for row in results["rows"]:
        seconds = row["seconds"]
        ratios = {name: timing.ratios(seconds["loop"], seconds[name]) for name in ("store", "logits")}
        ratios["authors"] = timing.ratios(seconds["authors"], seconds["store"])
        names = ("store", "logits", "loop", "loop, signals", "authors", "authors, signals")
        lines.append([row["attack"], *(timing.median_and_range(seconds[name], ".2f") for name in names)])
        quotients.append([row["attack"], *(timing.median_and_range(ratios[name], ".1f") for name in ratios)])
        ratio = statistics.median(ratios["store"])
        claims.append(
            (f"{row['attack']}: at least {_LEAST_RATIO} times as fast", f"{ratio:.1f}", ratio >= _LEAST_RATIO)
        )
    grown = []
    for name, (low, high) in results["peaks"].items():
        grown.append([name, f"{low:.1f}", f"{high:.1f}", f"{high - low:+.1f}"])
        none_low, none_high = results["peaks"]["none"]
        each = (high - low - (none_high - none_low)) * 2**20 / (many - few)
        if name != "none":
            claims.append((f"{name}: at most {_BYTES} bytes an example", f"{each:.0f}", each <= _BYTES))
    header = [
        "",
        "tfinv, margins stored",
        "tfinv, from logits",
        "loop",
        "of which signals",
        "authors",
        "of which signals",
    ]
    over = [
        "times as fast",
        "margins stored, as the loop",
        "from logits, as the loop",
        "margins stored, as the authors",
    ]
    return (
        f"# Scoring with shadow models\n\n{results['machine']} {results['moment']}.\n\n"
        f"{many} examples, {results['shadows'] - 2} references and a target of {results['shadows']} shadows, {_CLASSES} classes, "
        f"{results['population']} population points. Seconds, median (least-most); the loop's and RMIA's matrix are those of "
        f"{results['sample']} examples, scaled, and of the signals of all models, in full. Ratios are taken within each repetition."
        f"\n\n"
        f"{timing.table(header, lines)}\n\n{timing.table(over, quotients)}\n\n"
        f"Peak of what numpy and Python hold (tracemalloc), from logits; `none` has the target's logits and who was in, and no "
        f"scores:\n\n"
        f"{timing.table(['', f'MiB, {few} examples', f'MiB, {many} examples', 'growth'], grown)}\n\n"
        f"{timing.table(['claim', 'measured', 'holds'], [[a, b, 'yes' if c else '**no**'] for a, b, c in claims])}\n"
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench-membership")
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--shadows", type=int, default=64)
    parser.add_argument("--population", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=3_000, help="examples that the loop is timed on")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    workdir = pathlib.Path(arguments.workdir)
    results: dict[str, Any] = {"moment": machine.moment(), "machine": machine.describe()}
    results |= {name: getattr(arguments, name) for name in ("shadows", "population", "sample")}
    store = make_store(workdir / "store", arguments.examples, arguments.shadows, arguments.seed)
    results["rows"] = measure(store, arguments.sample, arguments.population, arguments.repetitions, arguments.seed)
    results["counts"] = (arguments.examples // 10, arguments.examples)
    results["peaks"] = peaks(store, results["counts"])
    files.write_json(workdir / "membership.json", results)
    files.write_text(workdir / "membership.md", page(results))
    print(page(results))


if __name__ == "__main__":
    main()
