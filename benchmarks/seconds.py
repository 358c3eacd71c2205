"""Seconds to a robust accuracy: PGD with restarts at a middling eps, with all accuracies by one float32 prediction."""

import functools
import statistics
from typing import Any

import numpy as np

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.peers import PEERS
from benchmarks.settings import Scale, Settings
from benchmarks.tfinv_pgd import APGD_TARGETS, FEWER_RESTARTS, TFINV, apgd_targets, fewer_restarts
from tfinv import Classifier

TITLE = "Seconds to a robust accuracy"
# Float32 rounding may add this to a distance of a peer; tfinv never exceeds eps.
_ROUNDING = 1e-6


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Measures seconds and robust accuracy of each repetition, for each network and contestant."""
    return {name: _measure_net(zoo, name, scale, seed) for name in NETS}


def _measure_net(zoo: Zoo, name: str, scale: Scale, seed: int) -> dict[str, Any]:
    model, net = zoo.model(name), NETS[name]
    data = zoo.test(name).take(min(scale.attack_images, net.attack_images))
    images, labels = data.images, data.labels
    step_size = 2.5 * net.eps / scale.attack_steps
    settings = Settings(net.eps, scale.attack_steps, step_size, scale.attack_restarts, net.batch_size)
    runs = {contestant: make(model) for contestant, make in {**TFINV, **PEERS}.items()}
    runs |= {contestant: fewer_restarts(model, restarts) for restarts, contestant in FEWER_RESTARTS.items()}
    runs |= {APGD_TARGETS: apgd_targets(model)}
    for run in runs.values():  # compiles, the last and smaller batch included
        run(images, labels, Settings(net.eps, 2, step_size, 1, net.batch_size), seed)
    measurements = timing.interleaved(
        {k: functools.partial(run, images, labels, settings, seed) for k, run in runs.items()},
        min(scale.attack_repetitions, net.attack_repetitions),
        lambda line: print(f"  {name}: {line}", flush=True),
    )
    classifier = Classifier.from_keras(model)
    rows = {}
    for contestant, (seconds, results) in measurements.items():
        accuracies = [
            _robust_accuracy(classifier, images, labels, attacked, net.eps, contestant) for attacked, _ in results
        ]
        gradients = [count / len(images) for _, count in results]
        rows[contestant] = {"seconds": seconds, "accuracies": accuracies, "gradients": gradients}
    return {
        "images": len(images),
        "clean": classifier.accuracy(images, labels),
        "eps": net.eps,
        "steps": settings.steps,
        "restarts": settings.restarts,
        "step_size": settings.step_size,
        "batch_size": net.batch_size,
        "data": data.name,
        "rows": rows,
    }


def _robust_accuracy(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, attacked: np.ndarray, eps: float, contestant: str
) -> float:
    """Accuracy on the attacked images, which must be within budget and bounds."""
    distance = np.abs(attacked.astype(np.float64) - images).max()
    if distance > eps + _ROUNDING or attacked.min() < 0 or attacked.max() > 1:
        raise RuntimeError(f"{contestant} left the budget: {distance} > {eps}, or the bounds")
    return classifier.accuracy(attacked, labels)


def best_peer(rows: dict[str, Any]) -> str:
    """Returns the fastest entry of all peers."""
    return min((k for k in rows if k in PEERS), key=lambda k: statistics.median(rows[k]["seconds"]))


def markdown(measurements: dict[str, Any]) -> str:
    """Returns a table for each network."""
    parts = [
        "The same eps, steps, step size, restarts and batch size for all; each has compiled before, and its time is that of the "
        "whole call. The robust accuracy is not what a library says: every returned image is checked to be within eps and [0, 1], "
        "and judged by one and the same float32 prediction. Peers raise the cross-entropy, their default; ours raises its own "
        "default, and leaves an image alone once it is solved. Three more rows take fewer steps than the peers: fewer restarts, "
        "and in place of restarts `worst_case(apgd(steps=40), apgdt(steps=20,n_targets=3))`. Median (least-most); the last column "
        "is the time over that of the fastest peer."
    ]
    for name, net in measurements.items():
        rows, best = net["rows"], best_peer(net["rows"])
        lines = []
        for contestant, row in rows.items():
            accuracies = [100 * a for a in row["accuracies"]]
            ratio = timing.ratios(row["seconds"], rows[best]["seconds"])
            lines.append(
                [
                    contestant,
                    timing.median_and_range(accuracies, ".1f"),
                    timing.median_and_range(row["seconds"], ".1f"),
                    timing.median_and_range(row["gradients"], ".0f"),
                    timing.median_and_range(ratio, ".2f"),
                ]
            )
        header = ["", "robust accuracy, %", "seconds", "gradients an image", f"over {best}"]
        caption = (
            f"{NETS[name].title}, trained on {net['data']}: {net['images']} test images, clean accuracy "
            f"{100 * net['clean']:.1f} %; PGD-{net['steps']} with {net['restarts']} restarts, eps {net['eps']:.5g}, "
            f"step size {net['step_size']:.4g}, batch {net['batch_size']}:"
        )
        parts.append(f"{caption}\n\n{timing.table(header, lines)}")
    return "\n\n".join(parts)


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    results = []
    for name, net in measurements.items():
        rows = net["rows"]
        best = best_peer(rows)
        accuracy = {k: statistics.median(row["accuracies"]) for k, row in rows.items()}
        lowest = min(accuracy[k] for k in rows if k in PEERS)
        # Entries of tfinv with a robust accuracy no higher than the peers'.
        candidates = [k for k in rows if k not in PEERS and accuracy[k] <= lowest]
        seconds = {k: statistics.median(timing.ratios(rows[k]["seconds"], rows[best]["seconds"])) for k in candidates}
        fastest = min(seconds, key=seconds.__getitem__, default=None)
        title = (
            f"{NETS[name].title}: seconds to the peers' lowest robust accuracy or a lower one, over {best}'s, <= 1/4"
        )
        if fastest is None:
            results.append((title, "not reached", False))
            continue
        measured = f"{seconds[fastest]:.2f} ({fastest}; {100 * accuracy[fastest]:.1f} % and {100 * lowest:.1f} %)"
        results.append((title, measured, seconds[fastest] <= 0.25))
    return results
