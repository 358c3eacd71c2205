"""Seconds of AutoAttack on MNIST, and its robust accuracy beside that of PGD with many steps and restarts."""

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
    """Times AutoAttack with bfloat16 gradients and PGD-100 with 10 restarts at the same eps, each compiled before."""
    net = NETS["cnn"]
    data = zoo.test("cnn").take(scale.attack_images)
    plain = Classifier.from_keras(zoo.model("cnn"))
    accelerated = plain.accelerated(precision="bfloat16")
    autoattack, pgd = AutoAttack(eps=net.eps), PGD(eps=net.eps, steps=100, restarts=10)
    short_runs: dict[type, dict[str, int]] = {AutoAttack: {"steps": 2, "queries": 3}, PGD: {"steps": 2, "restarts": 1}}
    runs = {
        "AutoAttack": (autoattack, accelerated),
        "PGD-100, 10 restarts": (pgd, plain),
    }
    rows = {}
    for name, (attack, classifier) in runs.items():
        warm_up = data.take(32)  # compiles
        short = dataclasses.replace(attack, eps=1e-6, **short_runs[type(attack)])
        short(classifier, warm_up.images, warm_up.labels, seed=seed, batch_size=net.batch_size)
        start = time.perf_counter()
        result = attack(classifier, data.images, data.labels, seed=seed, batch_size=net.batch_size)
        seconds = time.perf_counter() - start
        print(f"  {name}: {seconds:.1f} s, accuracy {1 - result.success.mean():.4f}", flush=True)
        rows[name] = {"seconds": seconds, "accuracy": float(1 - result.success.mean())}
    return {
        "images": len(data),
        "eps": net.eps,
        "batch_size": net.batch_size,
        "data": data.name,
        "clean": plain.accuracy(data.images, data.labels),
        "rows": rows,
    }


def markdown(measurements: dict[str, Any]) -> str:
    """Returns the table."""
    rows = [
        [name, f"{100 * row['accuracy']:.1f}", f"{row['seconds']:.1f}"] for name, row in measurements["rows"].items()
    ]
    table = timing.table(["", "robust accuracy, %", "seconds"], rows)
    caption = (
        f"{NETS['cnn'].title}, trained on {measurements['data']}: {measurements['images']} test images, clean accuracy "
        f"{100 * measurements['clean']:.1f} %, L-inf eps {measurements['eps']:g}, batch {measurements['batch_size']}; "
        "AutoAttack with batch norm folded and bfloat16 gradients, PGD with the model's own; one measurement each, "
        "compiled before on a few images:"
    )
    return f"{caption}\n\n{table}"


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    autoattack, pgd = (measurements["rows"][name]["accuracy"] for name in ("AutoAttack", "PGD-100, 10 restarts"))
    title = "robust accuracy under AutoAttack never above that under PGD-100 with 10 restarts"
    return [(title, f"{100 * autoattack:.1f} % and {100 * pgd:.1f} %", autoattack <= pgd)]
