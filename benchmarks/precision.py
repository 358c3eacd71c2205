"""What gradients in half precision leave standing, on more images than the peers have time for."""

from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import PGD

TITLE = "Half precision"
_FLOAT32, _BFLOAT16 = "float32", "bfloat16"
_APART = 0.003


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """The robust accuracy with gradients in each precision, everything else equal."""
    found = {}
    for name, net in NETS.items():
        plain = Classifier.from_keras(zoo.model(name))
        data = zoo.test(name).take(min(scale.precision_images, net.precision_images))
        attack = PGD(eps=net.eps, steps=scale.attack_steps, restarts=scale.attack_restarts)
        rows = {}
        for precision in (_FLOAT32, _BFLOAT16):
            victim = plain.accelerated(precision=precision)
            result = attack(victim, data.images, data.labels, seed=seed, batch_size=net.batch_size)
            rows[precision] = float(1 - result.success.mean())
            print(f"  {name}: {precision}: {rows[precision]:.4f}", flush=True)
        settings = {"eps": net.eps, "steps": attack.steps, "restarts": attack.restarts}
        found[name] = {"images": len(data), **settings, "rows": rows}
    return found


def markdown(found: dict[str, Any]) -> str:
    """One table of all networks."""
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
        for name, net in found.items()
    ]
    return f"{intro}\n\n{timing.table(header, lines)}"


def claims(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What it must show: the claim, what was measured, whether it holds."""
    listed = []
    for name, net in found.items():
        apart = abs(net["rows"][_BFLOAT16] - net["rows"][_FLOAT32])
        title = f"{NETS[name].title}: robust accuracy with bfloat16 and float32 gradients within 0.3 point"
        listed.append((title, f"{100 * apart:.2f} point", apart <= _APART + 1e-9))
    return listed
