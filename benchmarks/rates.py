"""Image-steps a second: gradient steps times images, over the whole time of the attack, from NumPy images to NumPy images."""

import dataclasses
import functools
import statistics
from typing import Any

import numpy as np

from benchmarks import timing
from benchmarks.nets import NETS, Zoo
from benchmarks.peers import PEERS
from benchmarks.settings import Run, Scale, Settings
from benchmarks.tfinv_pgd import BFLOAT16, FOLDED, PLAIN, RAW_GRADIENT, TFINV, raw_gradient
from tfinv import Classifier

TITLE = "Image-steps a second"
# No image is misclassified at this radius, so that no contestant stops early.
_EPS = 1e-5
_LIBRARIES = ("Foolbox", "ART", "CleverHans")
_STEP = ", the step alone"


def measure(zoo: Zoo, scale: Scale, seed: int) -> dict[str, Any]:
    """Measures the rates of all repetitions, for each network and contestant."""
    return {name: _measure_net(zoo, name, scale, seed) for name in NETS}


def _measure_net(zoo: Zoo, name: str, scale: Scale, seed: int) -> dict[str, Any]:
    model = zoo.model(name)
    net = NETS[name]
    settings = Settings(_EPS, scale.rate_steps, _EPS / 10, 1, net.batch_size)
    images, labels = _surest(zoo, name, Classifier.from_keras(model), scale.rate_batches * net.batch_size)
    makers = {RAW_GRADIENT: raw_gradient, **TFINV, **PEERS}
    runs: dict[str, Run] = {contestant: make(model) for contestant, make in makers.items()}
    for run in runs.values():  # compiles
        run(images, labels, Settings(_EPS, 2, _EPS / 10, 1, net.batch_size), seed)
    longer = dataclasses.replace(settings, steps=2 * settings.steps)
    calls = {k: functools.partial(run, images, labels, settings, seed) for k, run in runs.items()}
    calls |= {k + _STEP: functools.partial(runs[k], images, labels, longer, seed) for k in TFINV}
    measurements = timing.interleaved(
        calls,
        scale.rate_repetitions,
        lambda line: print(f"  {name}: {line}", flush=True),
    )
    expected = len(images) * settings.steps
    rates = {}
    for contestant, (seconds, results) in measurements.items():
        doubled = contestant.endswith(_STEP)
        for _, gradients in results:
            if gradients != expected * (1 + doubled):
                raise RuntimeError(f"{contestant} took {gradients} gradients where {expected * (1 + doubled)} were due")
        # The time of a run of twice the steps less that of a run: the steps alone, without the work before and after them.
        baseline = measurements[contestant.removesuffix(_STEP)][0] if doubled else [0.0] * len(seconds)
        rates[contestant] = [expected / (s - b) for s, b in zip(seconds, baseline, strict=True)]
    return {"images": len(images), "steps": settings.steps, "batch_size": net.batch_size, "rates": rates}


def _surest(zoo: Zoo, name: str, classifier: Classifier, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images of the largest margin: misclassified ones cost tfinv no steps, and would flatter it."""
    data = zoo.test(name).take(max(4000, 4 * count))
    logits = classifier.predict(data.images)
    label_logits = logits[np.arange(len(data)), data.labels]
    logits[np.arange(len(data)), data.labels] = -np.inf
    surest = np.sort(np.argsort(logits.max(1) - label_logits)[:count])
    return data.images[surest], data.labels[surest]


def faster_entry(rates: dict[str, list[float]], library: str) -> str:
    """Returns the name of the faster entry of a library."""
    entries = [k for k in rates if k == library or k.startswith(f"{library},")]
    return max(entries, key=lambda k: statistics.median(rates[k]))


def markdown(measurements: dict[str, Any]) -> str:
    """Returns a table for each network."""
    parts = [
        "Gradient steps times images, over the attack's whole time from NumPy images to NumPy images: random start, projection "
        "and the predictions before and after included. L-inf PGD, one restart, at an eps of 1e-5, where nothing is solved, on "
        "test images that the network is sure of, so that every contestant takes every step (checked for ours by its own count). "
        "Each has compiled before. The raw gradient is a `tf.function` of the input gradient of the cross-entropy, called in a "
        "Python loop. Where a library runs the model eagerly it has a second row, with the model wrapped in a `tf.function`; "
        "ratios are to the faster of the two. `the step alone` is the same without what comes before and after the steps: from the "
        "difference to a run of twice the steps. Median (least-most); ratios are taken within each repetition."
    ]
    for name, net in measurements.items():
        rates = net["rates"]
        peers = {library: faster_entry(rates, library) for library in _LIBRARIES}
        header = ["", "image-steps/s", "over raw", *(f"over {library}" for library in _LIBRARIES)]
        rows = []
        for contestant, values in rates.items():
            baselines = [rates[RAW_GRADIENT], *(rates[peers[library]] for library in _LIBRARIES)]
            cells = [timing.median_and_range(timing.ratios(values, b), ".2f") for b in baselines]
            rows.append([contestant, timing.median_and_range(values), *cells])
        caption = f"{NETS[name].title}; {net['images']} images, batch {net['batch_size']}, {net['steps']} steps:"
        parts.append(f"{caption}\n\n{timing.table(header, rows)}")
    return "\n\n".join(parts)


def claims(measurements: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Returns the claims of the table: claim, measured value, whether it holds."""
    results = []
    for name, net in measurements.items():
        rates = net["rates"]

        def claim(comparison, contestant, baseline, minimum, rates=rates, name=name):
            ratio = statistics.median(timing.ratios(rates[contestant], rates[baseline]))
            results.append((f"{NETS[name].title}: {comparison} >= {minimum:g}", f"{ratio:.2f}", ratio >= minimum))

        claim("plain, the step alone, over raw gradient", PLAIN + _STEP, RAW_GRADIENT, 0.97)
        if name == "resnet":
            claim("folded, the step alone, over raw gradient", FOLDED + _STEP, RAW_GRADIENT, 1.05)
        claim("folded and bfloat16, the step alone, over raw gradient", BFLOAT16 + _STEP, RAW_GRADIENT, 1.6)
        for library in ("Foolbox", "ART"):
            # As its documentation has it, and with the faster of that and a compiled model.
            claim(f"plain over {library}", PLAIN, library, 2)
            claim(f"with the levers over {library}", BFLOAT16, library, 3)
            claim(f"plain over {library}, its model in a tf.function", PLAIN, faster_entry(rates, library), 2)
            claim(
                f"with the levers over {library}, its model in a tf.function", BFLOAT16, faster_entry(rates, library), 3
            )
    return results
