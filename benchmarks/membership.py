"""Seconds and memory of scoring with shadow models: `python -m benchmarks.membership --workdir=runs/bench-membership`.

LiRA and RMIA score all examples from a store of shadows' logits, beside a straightforward loop over the examples as the authors'
code of LiRA has it, and the same for RMIA. Contestants begin with the same logits on disk and end with the same scores, which is
checked. The loop is timed on some of the examples and scaled; the margins or probabilities that it goes through are made for all
models at once, as by the authors, and timed in full. Memory is the largest of a fresh process, for few and for many examples.
"""

import argparse
import dataclasses
import functools
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
from scipy import special, stats

from benchmarks import machine, memory, timing
from tfinv import files
from tfinv.membership import Evidence, MembershipAttack, membership_attack
from tfinv.membership.shadows.shadows import Shadows
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


def lira_loop(store: ShadowStore, sample: int) -> tuple[float, np.ndarray]:
    """LiRA with fixed variance, example by example: seconds, of which those of the loop are scaled, and the sample's scores."""
    start = time.perf_counter()
    target, shadows, members = _loaded(store)
    margins = np.stack([margin(values[:, 0], store.labels) for values in shadows], axis=1)
    observed = margin(target[:, 0], store.labels)
    deviation_in, deviation_out = np.std(margins[members]), np.std(margins[~members])
    made = time.perf_counter()
    scores = []
    for i in range(sample):
        mean_in, mean_out = np.mean(margins[i][members[i]]), np.mean(margins[i][~members[i]])
        log_in = stats.norm.logpdf(observed[i], mean_in, deviation_in + 1e-30)
        log_out = stats.norm.logpdf(observed[i], mean_out, deviation_out + 1e-30)
        scores.append(log_in - log_out)
    return made - start + (time.perf_counter() - made) * len(target) / sample, np.array(scores)


def rmia_loop(store: ShadowStore, sample: int, population: int, seed: int) -> tuple[float, np.ndarray]:
    """RMIA, example by example, with the mean of all references: seconds and scores as of `lira_loop`."""
    start = time.perf_counter()
    target, shadows, _ = _loaded(store)
    rows = np.arange(len(target))
    p = np.stack(
        [special.softmax(values[:, 0].astype(np.float64), axis=1)[rows, store.labels] for values in shadows], axis=1
    )
    observed = special.softmax(target[:, 0].astype(np.float64), axis=1)[rows, store.labels]
    ratio_z = np.sort(observed / p.mean(axis=1))  # in the order in which `RMIA` draws from them
    if len(ratio_z) > population:
        ratio_z = np.random.default_rng(seed).choice(ratio_z, population, replace=False)
    made = time.perf_counter()
    scores = []
    for i in range(sample):
        ratio_x = observed[i] / np.mean(p[i])
        scores.append(np.mean(ratio_x / ratio_z > 2.0))
    return made - start + (time.perf_counter() - made) * len(target) / sample, np.array(scores)


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
        loop = lira_loop if spec == "lira" else functools.partial(rmia_loop, population=population, seed=seed)
        _check_same(attack, score(attack, store, True)[:sample], loop(store, sample)[1], population)
        default = membership_attack("lira") if spec == "lira" else attack
        contestants: dict[str, Any] = {
            "store": functools.partial(score, default, store, True),
            "logits": functools.partial(score, default, store, False),
            "loop": functools.partial(loop, store, sample),
        }
        measurements = timing.interleaved(
            contestants, repetitions, lambda line, spec=spec: print(f"  {spec}, {line}", flush=True)
        )
        seconds = {name: values for name, (values, _) in measurements.items()}
        seconds["loop"] = [result[0] for result in measurements["loop"][1]]  # scaled to all examples
        rows.append({"attack": spec, "seconds": seconds})
    return rows


def _check_same(attack, scores, expectation, population):
    """Our RMIA adds a rank of less than one z to the share."""
    tolerance = 1e-6 * np.abs(expectation).max() if attack.__class__.__name__ == "LiRA" else 2 / population
    if np.abs(scores - expectation).max() > tolerance:
        raise RuntimeError(f"{attack} and its loop differ by {np.abs(scores - expectation).max()}")


def peaks(folder: pathlib.Path, counts: tuple[int, int]) -> dict[str, list[float]]:
    """Peak of a fresh process in MiB, for few and many examples; "none" stops before the attack."""
    values = {}
    for spec in ("none", *_SPECS):
        values[spec] = []
        for count in counts:
            flags = [f"--workdir={folder}", f"--child={spec}", f"--examples={count}"]
            command = [sys.executable, "-m", "benchmarks.membership", *flags]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            values[spec].append(float(done.stdout.split()[-1]))
        print(f"  {spec}: {', '.join(f'{peak:.0f} MiB' for peak in values[spec])}", flush=True)
    return values


def child(folder: pathlib.Path, spec: str, count: int) -> float:
    """Scores the first examples of a store, without its margins; the peak of this process in MiB."""
    data = evidence(ShadowStore.open(folder), count, stored_margins=False)
    if spec != "none":
        membership_attack(spec).score(data)
    assert isinstance(data.shadows, Shadows)
    return memory.peak_mib()


def page(results: dict[str, Any]) -> str:
    """Markdown of all figures."""
    few, many = results["counts"]
    lines, claims = [], []
    for row in results["rows"]:
        seconds = row["seconds"]
        ratios = {name: timing.ratios(seconds["loop"], seconds[name]) for name in ("store", "logits")}
        lines.append(
            [row["attack"]]
            + [timing.median_and_range(seconds[name], ".2f") for name in ("store", "logits", "loop")]
            + [timing.median_and_range(ratios[name], ".1f") for name in ("store", "logits")]
        )
        ratio = statistics.median(ratios["store"])
        claims.append(
            (f"{row['attack']}: at least {_LEAST_RATIO} times as fast", f"{ratio:.1f}", ratio >= _LEAST_RATIO)
        )
    grown = []
    for name, (low, high) in results["peaks"].items():
        grown.append([name, f"{low:.0f}", f"{high:.0f}", f"{high - low:+.1f}"])
        none_low, none_high = results["peaks"]["none"]
        each = (high - low - (none_high - none_low)) * 2**20 / (many - few)
        if name != "none":
            claims.append((f"{name}: at most {_BYTES} bytes an example", f"{each:.0f}", each <= _BYTES))
    header = [
        "",
        "tfinv, margins in the store",
        "tfinv, from logits",
        "loop",
        "loop over the first",
        "loop over the second",
    ]
    return (
        f"# Scoring with shadow models\n\n{results['machine']} {results['moment']}.\n\n"
        f"{many} examples, {results['shadows'] - 2} references and a target of {results['shadows']} shadows, {_CLASSES} classes, "
        f"{results['population']} population points. Seconds, median (least-most); the loop's are those of {results['sample']} "
        f"examples, scaled, and of what it makes for all models at once, in full. Ratios are taken within each repetition.\n\n"
        f"{timing.table(header, lines)}\n\nPeak memory (VmHWM) of a fresh process, from logits:\n\n"
        f"{timing.table(['', f'MiB, {few} examples', f'MiB, {many} examples', 'growth'], grown)}\n\n"
        f"{timing.table(['claim', 'measured', 'holds'], [[a, b, 'yes' if c else '**no**'] for a, b, c in claims])}\n"
    )


def main() -> None:
    """Runs the benchmark, or one child of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench-membership")
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--shadows", type=int, default=64)
    parser.add_argument("--population", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=3_000, help="examples that the loop is timed on")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help="used by the benchmark itself")
    arguments = parser.parse_args()
    workdir = pathlib.Path(arguments.workdir)
    if arguments.child:
        print(child(workdir, arguments.child, arguments.examples))
        return
    results: dict[str, Any] = {"moment": machine.moment(), "machine": machine.describe()}
    results |= {name: getattr(arguments, name) for name in ("shadows", "population", "sample")}
    store = make_store(workdir / "store", arguments.examples, arguments.shadows, arguments.seed)
    results["rows"] = measure(store, arguments.sample, arguments.population, arguments.repetitions, arguments.seed)
    results["counts"] = (arguments.examples // 10, arguments.examples)
    results["peaks"] = peaks(workdir / "store", results["counts"])
    files.write_json(workdir / "membership.json", results)
    files.write_text(workdir / "membership.md", page(results))
    print(page(results))


if __name__ == "__main__":
    main()
