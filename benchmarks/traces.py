"""Traces of the model in an eps curve: the Python function of the classifier runs only while TensorFlow traces it."""

import time
from typing import Any

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.settings import Scale
from tfinv import Classifier
from tfinv.attacks import PGD
from tfinv.catalogue import CURVES
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.evaluation.robustness.stream import BoundedImages

TITLE = "Traces in an eps curve"
_POINTS = 10


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Counts the traces up to the end of the first batch, and in the curve after it, for each kind of curve."""
    net, model = NETS["cnn"], zoo.model("cnn")
    data = zoo.test("cnn").take(scale.curve_images)
    eps = [2 * net.eps * (i + 1) / _POINTS for i in range(_POINTS)]
    rows = {}
    for mode in CURVES:
        traces = 0

        def counting_model(x):
            nonlocal traces
            traces += 1
            return model(x, training=False)

        classifier = Classifier.from_callable(
            counting_model, input_shape=data.image_shape, num_classes=data.num_classes, outputs="logits"
        )

        def curve(dataset, eps, classifier=classifier, mode=mode):
            return accuracy_curve(
                classifier,
                BoundedImages(dataset, classifier),
                dataset.labels,
                [("pgd", PGD(steps=scale.curve_steps))],
                eps,
                experiment="bench",
                seed=seed,
                batch_size=net.batch_size,
                curve=mode,
            )

        curve(data.take(net.batch_size), eps[-1:])
        first, start = traces, time.perf_counter()
        points = curve(data, eps)
        seconds = time.perf_counter() - start
        accuracies = [row["accuracy"] for row in points]
        rows[mode] = {"first": first, "after": traces - first, "seconds": seconds, "accuracies": accuracies}
        print(f"  {mode}: {first} traces, then {traces - first}; {seconds:.1f} s", flush=True)
    return {"images": len(data), "steps": scale.curve_steps, "eps": [0.0, *eps], "rows": rows}


def markdown(measurements: dict[str, Any]) -> str:
    """Returns the counts and the curves."""
    intro = (
        f"{NETS['cnn'].title}; PGD-{measurements['steps']} at {_POINTS} values of eps on {measurements['images']} images, "
        "each eps on its own or bisected with warm starts. The function that the classifier calls runs in Python only while it "
        "is traced (or called eagerly): that is counted, up to the end of the first batch at one eps, and in the whole "
        "curve after it."
    )
    rows = [
        [mode, str(row["first"]), str(row["after"]), f"{row['seconds']:.1f}"]
        for mode, row in measurements["rows"].items()
    ]
    counts = timing.table(["curve", "traces, first batch", "traces after it", "seconds"], rows)
    header = ["eps", *(f"{e:.3g}" for e in measurements["eps"])]
    lines = [[mode, *(f"{100 * a:.1f}" for a in row["accuracies"])] for mode, row in measurements["rows"].items()]
    return f"{intro}\n\n{counts}\n\nAccuracy, %:\n\n{timing.table(header, lines)}"


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    after = [row["after"] for row in measurements["rows"].values()]
    title = f"no trace after the first batch in a {_POINTS}-point curve over {measurements['images']} images"
    return [(title, " and ".join(map(str, after)), not any(after))]
