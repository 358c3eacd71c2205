"""Peak memory of an attack on few and on many images, each in a process of its own.

The child is `python -m benchmarks.memory --contestant=... --net=... --model=... --count=...`: it loads the network and the data
set, lets one contestant attack the first `count` images as its users would, and prints its peak in MiB.
"""

import argparse
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale, Settings

TITLE = "Peak memory"
_NO_ATTACK, _TFINV = "no attack", "tfinv"
_PEERS = ("Foolbox", "ART", "CleverHans")
# Largest growth that counts as flat: the allocator's noise is about as large.
_FLAT = 1.05


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Measures the peaks in MiB, for each network, contestant and number of images."""
    measurements: dict[str, Any] = {"counts": list(scale.memory_images), "steps": scale.memory_steps, "nets": {}}
    for name in NETS:
        peaks = {}
        for contestant in (_NO_ATTACK, _TFINV, *_PEERS):
            peaks[contestant] = [
                _in_child(zoo, name, contestant, count, scale.memory_steps, seed) for count in scale.memory_images
            ]
            print(f"  {name}: {contestant}: {', '.join(f'{peak:.0f} MiB' for peak in peaks[contestant])}", flush=True)
        measurements["nets"][name] = peaks
    return measurements


def _in_child(zoo: Zoo, name: str, contestant: str, count: int, steps: int, seed: int) -> float:
    model = zoo.model_path(name)
    command = [
        sys.executable,
        "-m",
        "benchmarks.memory",
        f"--contestant={contestant}",
        f"--net={name}",
        f"--model={model}",
    ]
    command += [f"--count={count}", f"--steps={steps}", f"--seed={seed}", f"--images={zoo.test_path(name)}"]
    completed = subprocess.run(command, capture_output=True, text=True)
    if completed.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{completed.stderr[-3000:]}")
    return float(completed.stdout.split()[-1])


def attack_streaming(model, dataset, settings: Settings, seed: int) -> None:
    """Runs the PGD of tfinv as `tfinv attack` does on a data set."""
    from tfinv import Classifier
    from tfinv.attacks import PGD
    from tfinv.evaluation.robustness.accuracy import accuracy_curve
    from tfinv.evaluation.robustness.stream import BoundedImages

    classifier = Classifier.from_keras(model)
    accuracy_curve(
        classifier,
        BoundedImages(dataset, classifier),
        dataset.labels,
        [("pgd", PGD(steps=settings.steps, step_size=settings.step_size))],
        [settings.eps],
        experiment="bench",
        seed=seed,
        batch_size=settings.batch_size,
    )


def peak_mib() -> float:
    """Returns the largest resident memory of this process so far.

    It is not getrusage's ru_maxrss, which on Linux a child inherits from the process that started it.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Runs the child."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("contestant", "net", "model", "images"):
        parser.add_argument(f"--{flag}", required=True)
    for flag in ("count", "steps", "seed"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    arguments = parser.parse_args()

    import keras

    from tfinv import datasets

    model = keras.models.load_model(arguments.model)
    dataset = datasets.load(arguments.images, "all").take(arguments.count)
    net = NETS[arguments.net]
    settings = Settings(net.eps, arguments.steps, net.eps / 4, 1, net.batch_size)
    if arguments.contestant == _TFINV:
        attack_streaming(model, dataset, settings, arguments.seed)
    elif arguments.contestant != _NO_ATTACK:
        from benchmarks.peers import PEERS

        PEERS[arguments.contestant](model)(dataset.images, dataset.labels, settings, arguments.seed)
    print(peak_mib())


def markdown(measurements: dict[str, Any]) -> str:
    """Returns a table for each network."""
    few, many = measurements["counts"]
    parts = [
        f"The largest resident memory (VmHWM) of a fresh process that loads the network and the whole test set, and attacks the "
        f"first {few} or {many} images of it with PGD-{measurements['steps']} (steps don't change it); `{_NO_ATTACK}` stops before "
        "the attack. Ours streams the data set and keeps no images; the peers take and return an array of them, in equal batches."
    ]
    for name, peaks in measurements["nets"].items():
        rows = [
            [contestant, f"{low:.0f}", f"{high:.0f}", f"{high - low:+.0f}"] for contestant, (low, high) in peaks.items()
        ]
        header = ["", f"MiB, {few} images", f"MiB, {many} images", "growth"]
        parts.append(f"{NETS[name].title}, batch {NETS[name].batch_size}:\n\n{timing.table(header, rows)}")
    return "\n\n".join(parts)


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    few, many = measurements["counts"]
    results = []
    for name, peaks in measurements["nets"].items():
        growth = peaks[_TFINV][1] / peaks[_TFINV][0]
        title = f"{NETS[name].title}: peak memory flat from {few} to {many} images (at most {_FLAT:g} times)"
        results.append((title, f"{growth:.3f} times", growth <= _FLAT))
    return results


if __name__ == "__main__":
    main()
