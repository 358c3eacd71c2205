"""AutoAttack's seconds on MNIST, and that PGD with many steps and restarts finds nothing that it misses."""

import dataclasses
import time
from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import PGD, AutoAttack

TITLE = "AutoAttack"


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Times AutoAttack with bfloat16 gradients, compiled before, and PGD-100 with 10 restarts at the same eps."""
    net = NETS["cnn"]
    data = zoo.test("cnn").take(scale.attack_images)
    classifier = Classifier.from_keras(zoo.model("cnn"))
    fast = classifier.accelerated(precision="bfloat16")
    whole, pgd = AutoAttack(eps=net.eps), PGD(eps=net.eps, steps=100, restarts=10)
    few: dict[type, dict[str, int]] = {AutoAttack: {"steps": 2, "queries": 3}, PGD: {"steps": 2, "restarts": 1}}
    runs = {
        "AutoAttack": (whole, fast),
        "PGD-100, 10 restarts": (pgd, classifier),
    }
    rows = {}
    for name, (attack, victim) in runs.items():
        part = data.take(32)  # compiles
        short = dataclasses.replace(attack, eps=1e-6, **few[type(attack)])
        short(victim, part.images, part.labels, seed=seed, batch_size=net.batch_size)
        begin = time.perf_counter()
        result = attack(victim, data.images, data.labels, seed=seed, batch_size=net.batch_size)
        seconds = time.perf_counter() - begin
        print(f"  {name}: {seconds:.1f} s, accuracy {1 - result.success.mean():.4f}", flush=True)
        rows[name] = {"seconds": seconds, "accuracy": float(1 - result.success.mean())}
    return {
        "images": len(data),
        "eps": net.eps,
        "batch_size": net.batch_size,
        "data": data.name,
        "clean": classifier.accuracy(data.images, data.labels),
        "rows": rows,
    }


def markdown(found: dict[str, Any]) -> str:
    """The table."""
    rows = [[name, f"{100 * row['accuracy']:.1f}", f"{row['seconds']:.1f}"] for name, row in found["rows"].items()]
    table = timing.table(["", "robust accuracy, %", "seconds"], rows)
    caption = (
        f"{NETS['cnn'].title}, trained on {found['data']}: {found['images']} test images, clean accuracy "
        f"{100 * found['clean']:.1f} %, L-inf eps {found['eps']:g}, batch {found['batch_size']}; AutoAttack with batch norm folded "
        "and bfloat16 gradients, PGD with the model's own; one measurement each, compiled before on a few images:"
    )
    return f"{caption}\n\n{table}"


def claims(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What it must show: the claim, what was measured, whether it holds."""
    ours, pgd = (found["rows"][name]["accuracy"] for name in ("AutoAttack", "PGD-100, 10 restarts"))
    title = "robust accuracy under AutoAttack never above that under PGD-100 with 10 restarts"
    return [(title, f"{100 * ours:.1f} % and {100 * pgd:.1f} %", ours <= pgd)]
