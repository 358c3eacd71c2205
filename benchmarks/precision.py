"""Robust accuracy by the precision of the attack's gradients, on more images than the peers have time for."""

from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import PGD

TITLE = "Half precision"
_FLOAT32, _BFLOAT16 = "float32", "bfloat16"
_TOLERANCE = 0.003


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Measures the robust accuracy with gradients in each precision, everything else equal."""
    measurements = {}
    for name, net in NETS.items():
        plain = Classifier.from_keras(zoo.model(name))
        data = zoo.test(name).take(min(scale.precision_images, net.precision_images))
        attack = PGD(eps=net.eps, steps=scale.attack_steps, restarts=scale.attack_restarts)
        rows = {}
        for precision in (_FLOAT32, _BFLOAT16):
            classifier = plain.accelerated(precision=precision)
            result = attack(classifier, data.images, data.labels, seed=seed, batch_size=net.batch_size)
            rows[precision] = float(1 - result.success.mean())
            print(f"  {name}: {precision}: {rows[precision]:.4f}", flush=True)
        settings = {"eps": net.eps, "steps": attack.steps, "restarts": attack.restarts}
        measurements[name] = {"images": len(data), **settings, "rows": rows}
    return measurements


def markdown(measurements: dict[str, Any]) -> str:
    """Returns one table of all networks."""
    intro = (
        "Robust accuracy, %, under L-inf PGD with restarts, by the precision of its gradients; success is always judged in "
        "float32. Batch norm is folded in both."
    )
    header = ["", "images", "eps", "steps x restarts", _FLOAT32, _BFLOAT16]
    lines = [
        [
            NETS[name].title,
            str(net["images"]),
            f"{net['eps']:.3g}",
            f"{net['steps']} x {net['restarts']}",
            *(f"{100 * net['rows'][precision]:.2f}" for precision in (_FLOAT32, _BFLOAT16)),
        ]
        for name, net in measurements.items()
    ]
    return f"{intro}\n\n{timing.table(header, lines)}"


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    results = []
    for name, net in measurements.items():
        difference = abs(net["rows"][_BFLOAT16] - net["rows"][_FLOAT32])
        title = f"{NETS[name].title}: robust accuracy with bfloat16 and float32 gradients within 0.3 point"
        results.append((title, f"{100 * difference:.2f} point", difference <= _TOLERANCE + 1e-9))
    return results
