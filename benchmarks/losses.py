"""Robust accuracy by the loss of the attack: PGD with one start on the trained networks, everything else equal."""

from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import LOSSES, PGD

TITLE = "Losses"
_DEFAULT = PGD().loss


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Measures the robust accuracy with each loss."""
    measurements = {}
    for name, net in NETS.items():
        classifier = Classifier.from_keras(zoo.model(name)).accelerated()
        data = zoo.test(name).take(min(scale.attack_images, net.attack_images))
        rows = {}
        for loss in LOSSES:
            attack = PGD(eps=net.eps, steps=scale.attack_steps, loss=loss)
            result = attack(classifier, data.images, data.labels, seed=seed, batch_size=net.batch_size)
            rows[loss] = float(1 - result.success.mean())
            print(f"  {name}: {loss}: {rows[loss]:.4f}", flush=True)
        measurements[name] = {"images": len(data), "eps": net.eps, "steps": scale.attack_steps, "rows": rows}
    return measurements


def markdown(measurements: dict[str, Any]) -> str:
    """Returns one table of all networks."""
    intro = (
        f"Robust accuracy, %, under L-inf PGD with one random start, by the loss it raises; `{_DEFAULT}` is the default. A few "
        "images more or less are chance."
    )
    header = [
        "loss",
        *(
            f"{NETS[name].title}, {net['images']} images, eps {net['eps']:.3g}, {net['steps']} steps"
            for name, net in measurements.items()
        ),
    ]
    rows = [[loss, *(f"{100 * net['rows'][loss]:.1f}" for net in measurements.values())] for loss in LOSSES]
    return f"{intro}\n\n{timing.table(header, rows)}"


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    results = []
    for name, net in measurements.items():
        lowest = min(accuracy for loss, accuracy in net["rows"].items() if loss != _DEFAULT)
        default = net["rows"][_DEFAULT]
        title = f"{NETS[name].title}: `{_DEFAULT}` leaves no more standing than any other loss, within a point"
        results.append((title, f"{100 * default:.1f} % and {100 * lowest:.1f} %", default <= lowest + 0.01))
    return results
