"""What each loss leaves standing: PGD with one start on the trained networks, everything else equal."""

from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import LOSSES, PGD

TITLE = "Losses"
_DEFAULT = PGD().loss


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """The robust accuracy with each loss."""
    found = {}
    for name, net in NETS.items():
        classifier = Classifier.from_keras(zoo.model(name)).accelerated()
        data = zoo.test(name).take(min(scale.attack_images, net.attack_images))
        rows = {}
        for loss in LOSSES:
            attack = PGD(eps=net.eps, steps=scale.attack_steps, loss=loss)
            result = attack(classifier, data.images, data.labels, seed=seed, batch_size=net.batch_size)
            rows[loss] = float(1 - result.success.mean())
            print(f"  {name}: {loss}: {rows[loss]:.4f}", flush=True)
        found[name] = {"images": len(data), "eps": net.eps, "steps": scale.attack_steps, "rows": rows}
    return found


def markdown(found: dict[str, Any]) -> str:
    """One table of all networks."""
    intro = (
        f"Robust accuracy, %, under L-inf PGD with one random start, by the loss it raises; `{_DEFAULT}` is the default. A few "
        "images more or less are chance."
    )
    nets = list(found)
    header = [
        "loss",
        *(
            f"{NETS[n].title}, {found[n]['images']} images, eps {found[n]['eps']:.3g}, {found[n]['steps']} steps"
            for n in nets
        ),
    ]
    rows = [[loss, *(f"{100 * found[n]['rows'][loss]:.1f}" for n in nets)] for loss in LOSSES]
    return f"{intro}\n\n{timing.table(header, rows)}"


def claims(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What it must show: the claim, what was measured, whether it holds."""
    listed = []
    for name, net in found.items():
        others = min(v for loss, v in net["rows"].items() if loss != _DEFAULT)
        own = net["rows"][_DEFAULT]
        title = f"{NETS[name].title}: `{_DEFAULT}` leaves no more standing than any other loss, within a point"
        listed.append((title, f"{100 * own:.1f} % and {100 * others:.1f} %", own <= others + 0.01))
    return listed
