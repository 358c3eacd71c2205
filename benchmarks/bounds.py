"""Compares the ways to bound the reversed reconstruction loss: `python benchmarks/bounds.py --workdir=runs/bounds`.

For each bound and strength: the classifier's accuracy on held-out digits, and the error of a fresh decoder on the frozen encoder,
relative to the mean image's. Prints a Markdown table; a killed run goes on.
"""

import argparse

import numpy as np

from tfinv import datasets
from tfinv.evaluation.inversion.decoder_probe import probe_encoder
from tfinv.experiments.poster import PosterTraining, train_experiment
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule

RUNS = [
    ("baseline", "none", 0.0, 0.0),
    ("positive", "none", 0.0, 0.0),
    ("reversal", "none", 1.0, 0.0),
    ("reversal", "none", 10.0, 0.0),
    ("reversal", "none", 10.0, 1.0),
    ("reversal", "mean", 1.0, 0.0),
    ("reversal", "mean", 10.0, 0.0),
    ("reversal", "normalised", 1.0, 0.0),
    ("reversal", "normalised", 10.0, 0.0),
    ("reversal", "class_mean", 1.0, 0.0),
    ("reversal", "class_mean", 10.0, 0.0),
    ("reversal", "class_mean", 10.0, 1.0),
]


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    train, test = datasets.load("mnist5k", "train"), datasets.load("mnist5k", "test")
    print(
        "| experiment | bound | strength | ramp | accuracy | n | fresh decoder's error |\n|---|---|---|---|---|---|---|"
    )
    for i, (experiment, bound, strength, ramp) in enumerate(RUNS):
        training = PosterTraining(Schedule(epochs=arguments.epochs), bound=bound, strength=strength, ramp=ramp)
        workdir = Workdir(
            f"{arguments.workdir}/{i}", {"run": RUNS[i], "epochs": arguments.epochs, "seed": arguments.seed}
        )
        model, rows = train_experiment(experiment, train, test, training, workdir, seed=arguments.seed)

        def probe(model=model):
            result = probe_encoder(model, train.images, train.labels, test.images, seed=arguments.seed)
            return {"error": float(np.mean(result.errors))}

        error = workdir.json("probe", probe)["error"]
        settings = (bound, f"{strength:g}", f"{ramp:g}") if experiment == "reversal" else ("-", "-", "-")
        cells = (experiment, *settings, f"{100 * rows[0]['value']:.1f} %", f"{rows[0]['n']}", f"{error:.3f}")
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
