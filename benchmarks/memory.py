"""Peak memory of attacking few and many images, each in a process of its own.

The child is `python -m benchmarks.memory --who=... --net=... --model=... --count=...`: it loads the network and the data set, lets
one contestant attack the first `count` images as its users would, and prints its peak in MiB.
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
_NOTHING, _OURS = "no attack", "tfinv"
_PEERS = ("Foolbox", "ART", "CleverHans")
# Growth that counts as flat: the least that the allocator's own noise leaves.
_FLAT = 1.05


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """For each network and contestant, the peaks in MiB for each number of images."""
    found: dict[str, Any] = {"counts": list(scale.memory_images), "steps": scale.memory_steps, "nets": {}}
    for name in NETS:
        peaks = {}
        for who in (_NOTHING, _OURS, *_PEERS):
            peaks[who] = [_in_child(zoo, name, who, count, scale.memory_steps, seed) for count in scale.memory_images]
            print(f"  {name}: {who}: {', '.join(f'{peak:.0f} MiB' for peak in peaks[who])}", flush=True)
        found["nets"][name] = peaks
    return found


def _in_child(zoo: Zoo, name: str, who: str, count: int, steps: int, seed: int) -> float:
    model = zoo.model_path(name)
    command = [sys.executable, "-m", "benchmarks.memory", f"--who={who}", f"--net={name}", f"--model={model}"]
    command += [f"--count={count}", f"--steps={steps}", f"--seed={seed}", f"--images={zoo.test_path(name)}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.split()[-1])


def attack_streaming(model, dataset, settings: Settings, seed: int) -> None:
    """Ours, as `tfinv attack` runs it on a data set."""
    from tfinv import Classifier
    from tfinv.attacks import PGD
    from tfinv.evaluation.robustness import accuracy_curve
    from tfinv.evaluation.stream import BoundedImages

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
    """The largest resident memory of this process so far.

    Not getrusage's ru_maxrss, which on Linux a child inherits from the process that started it.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """The child."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("who", "net", "model", "images"):
        parser.add_argument(f"--{flag}", required=True)
    for flag in ("count", "steps", "seed"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    given = parser.parse_args()

    import keras

    from tfinv import datasets

    model = keras.models.load_model(given.model)
    dataset = datasets.load(given.images, "all").take(given.count)
    net = NETS[given.net]
    settings = Settings(net.eps, given.steps, net.eps / 4, 1, net.batch_size)
    if given.who == _OURS:
        attack_streaming(model, dataset, settings, given.seed)
    elif given.who != _NOTHING:
        from benchmarks.peers import PEERS

        PEERS[given.who](model)(dataset.images, dataset.labels, settings, given.seed)
    print(peak_mib())


def markdown(found: dict[str, Any]) -> str:
    """A table a network."""
    few, many = found["counts"]
    parts = [
        f"The largest resident memory (VmHWM) of a fresh process that loads the network and the whole test set, and attacks the "
        f"first {few} or {many} images of it with PGD-{found['steps']} (steps don't change it); `{_NOTHING}` stops before the "
        "attack. Ours streams the data set and keeps no images; the peers take and return an array of them, in equal batches."
    ]
    for name, peaks in found["nets"].items():
        rows = [[who, f"{a:.0f}", f"{b:.0f}", f"{b - a:+.0f}"] for who, (a, b) in peaks.items()]
        header = ["", f"MiB, {few} images", f"MiB, {many} images", "growth"]
        parts.append(f"{NETS[name].title}, batch {NETS[name].batch_size}:\n\n{timing.table(header, rows)}")
    return "\n\n".join(parts)


def claims(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What the table must show: the claim, what was measured, whether it holds."""
    few, many = found["counts"]
    listed = []
    for name, peaks in found["nets"].items():
        growth = peaks[_OURS][1] / peaks[_OURS][0]
        title = f"{NETS[name].title}: peak memory flat from {few} to {many} images (at most {_FLAT:g} times)"
        listed.append((title, f"{growth:.3f} times", growth <= _FLAT))
    return listed


if __name__ == "__main__":
    main()
