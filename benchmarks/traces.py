"""How often the model is traced in an eps curve: the Python function of the classifier runs only while TensorFlow traces it."""

import time
from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import PGD
from tfinv.evaluation.curves import MODES
from tfinv.evaluation.robustness import accuracy_curve
from tfinv.evaluation.stream import BoundedImages

TITLE = "Traces in an eps curve"
_POINTS = 10


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Counts the traces up to the end of the first batch, and in the curve after it, for each kind of curve."""
    net, model = NETS["cnn"], zoo.model("cnn")
    data = zoo.test("cnn").take(scale.curve_images)
    eps = [2 * net.eps * (i + 1) / _POINTS for i in range(_POINTS)]
    rows = {}
    for mode in MODES:
        traced = 0

        def counted(x):
            nonlocal traced
            traced += 1
            return model(x, training=False)

        classifier = Classifier.from_callable(
            counted, input_shape=data.image_shape, num_classes=data.num_classes, outputs="logits"
        )

        def curve(part, eps, classifier=classifier, mode=mode):
            return accuracy_curve(
                classifier,
                BoundedImages(part, classifier),
                part.labels,
                [("pgd", PGD(steps=scale.curve_steps))],
                eps,
                experiment="bench",
                seed=seed,
                batch_size=net.batch_size,
                curve=mode,
            )

        curve(data.take(net.batch_size), eps[-1:])
        first, begin = traced, time.perf_counter()
        found = curve(data, eps)
        seconds = time.perf_counter() - begin
        accuracies = [row["accuracy"] for row in found]
        rows[mode] = {"first": first, "after": traced - first, "seconds": seconds, "accuracies": accuracies}
        print(f"  {mode}: {first} traces, then {traced - first}; {seconds:.1f} s", flush=True)
    return {"images": len(data), "steps": scale.curve_steps, "eps": [0.0, *eps], "rows": rows}


def markdown(found: dict[str, Any]) -> str:
    """The counts and the curves."""
    intro = (
        f"{NETS['cnn'].title}; PGD-{found['steps']} at {_POINTS} values of eps on {found['images']} images, each eps on its own or "
        "bisected with warm starts. The function that the classifier calls runs in Python only while it is traced (or called "
        "eagerly): that is counted, up to the end of the first batch at one eps, and in the whole curve after it."
    )
    rows = [
        [mode, str(row["first"]), str(row["after"]), f"{row['seconds']:.1f}"] for mode, row in found["rows"].items()
    ]
    counts = timing.table(["curve", "traces, first batch", "traces after it", "seconds"], rows)
    header = ["eps", *(f"{e:.3g}" for e in found["eps"])]
    lines = [[mode, *(f"{100 * a:.1f}" for a in row["accuracies"])] for mode, row in found["rows"].items()]
    return f"{intro}\n\n{counts}\n\nAccuracy, %:\n\n{timing.table(header, lines)}"


def claims(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What it must show: the claim, what was measured, whether it holds."""
    after = [row["after"] for row in found["rows"].values()]
    title = f"no trace after the first batch in a {_POINTS}-point curve over {found['images']} images"
    return [(title, " and ".join(map(str, after)), not any(after))]
