"""What a random search finds when it narrows down to the nearest images: `python -m benchmarks.narrowing`.

Noise and Square, with 1,000 draws or queries an image, on MNIST images that `pretrained:mnist-natural` classifies right: how many
they find with all images searched to the end, and with `nearest=True`, as the checks of `tfinv evaluate` search. Prints a table.
"""

import argparse
import dataclasses

import numpy as np

from tfinv import datasets
from tfinv.attacks import Noise, Square
from tfinv.classifier import Classifier
from tfinv.models import pretrained


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--limit", type=int, default=200)
    arguments = parser.parse_args()
    classifier = Classifier.from_keras(pretrained("mnist-natural"))
    data = datasets.load(arguments.dataset, "test").take(arguments.limit)
    right = np.flatnonzero(classifier.predict(data.images).argmax(1) == data.labels)
    images, labels = data.images[right], data.labels[right]
    print(
        f"{len(right)} images\n\n| attack | found, all to the end | found, nearest | predictions of it |\n|---|---|---|---|"
    )
    for attack in (
        Noise(eps=0.25, draws=1000),
        Noise(eps=0.3, draws=1000),
        Noise(eps=0.35, draws=1000),
        Square(eps=0.08, queries=1000),
        Square(eps=0.1, queries=1000),
        Square(eps=0.12, queries=1000),
    ):
        whole, narrow = (
            chosen(classifier, images, labels) for chosen in (attack, dataclasses.replace(attack, nearest=True))
        )
        share = narrow.queries.sum() / whole.queries.sum()
        name = type(attack).__name__.lower()
        print(
            f"| {name}, eps {attack.eps:g} | {whole.success.sum()} | {narrow.success.sum()} | {share:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
