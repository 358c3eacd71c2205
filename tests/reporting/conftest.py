"""Results of a reproduction of four experiments, with their pictures in a work folder."""

import copy
import math
import pathlib
import shutil

import numpy as np
import pytest
import sklearn.datasets

import audited
import inverted
import membership_rows
from tfinv.reporting import Check, Figure, Results
from tfinv.reporting.figures.grids import Neighbours, image_grid, neighbour_grid

EPSILONS = (0.05, 0.1, 0.25)
# experiment: clean, then under each attack at EPSILONS
ACCURACY = {
    "baseline": (0.9905, {"fgsm": (0.9512, 0.8035, 0.0603), "pgd": (0.93, 0.54, 0.0)}),
    "positive": (0.9835, {"fgsm": (0.8643, 0.5156, 0.0101), "pgd": (0.8, 0.22, 0.0)}),
    "reversal": (0.951, {"fgsm": (0.872, 0.61, 0.21), "pgd": (0.81, 0.39, 0.08)}),
    "shuffled": (0.971, {"fgsm": (0.9043, 0.7487, 0.5299), "pgd": (0.87, 0.49, 0.3)}),
}
POSTER = {"baseline": (0.968, 0.956), "positive": (0.963, 0.95), "shuffled": (0.952, 0.949)}
N = 10000


def make_accuracy_row(experiment, attack, eps, accuracy, seed=0, **fields):
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / N)
    ci95 = [max(0.0, accuracy - half), min(1.0, accuracy + half)]
    row = {"kind": "accuracy", "experiment": experiment, "attack": attack, "eps": eps, "accuracy": accuracy}
    return row | {"n": N, "ci95": ci95, "seed": seed} | fields


def make_inversion_row(experiment, measure, value, seed=0, **fields):
    row = {
        "kind": "inversion",
        "experiment": experiment,
        "method": "mi-face",
        "budget": "equal",
        "measure": measure,
    }
    half = 0.1 * value
    return row | {"value": value, "n": 100, "ci95": [value - half, value + half], "seed": seed} | fields


def _rows():
    rows = []
    for seed in (0, 1):
        shift = 0.004 * seed
        for experiment, (clean, attacks) in ACCURACY.items():
            figures = POSTER.get(experiment)
            poster = {"poster": figures[0]} if figures else {}
            rows.append(make_accuracy_row(experiment, "none", 0.0, clean - shift, seed, **poster))
            for attack, values in attacks.items():
                for eps, value in zip(EPSILONS, values, strict=True):
                    poster = {"poster": figures[1]} if figures and attack == "fgsm" else {}
                    spec = f"{attack}(eps={eps},steps=40)" if attack == "pgd" else f"{attack}(eps={eps})"
                    fields = {
                        "norm": "linf",
                        "spec": spec,
                        "max_distance": eps,
                        "zero_gradients": 0.003,
                        "seconds": 4.2,
                    }
                    rows.append(
                        make_accuracy_row(experiment, attack, eps, max(0.0, value - shift), seed, **fields, **poster)
                    )
            flat = clean - 0.004 - shift
            rows += [make_accuracy_row(experiment, "fgsm-artefact", eps, flat, seed) for eps in (0.0, *EPSILONS)]
            for metric, value in (("accuracy", clean + 0.005), ("val_accuracy", clean), ("loss", 0.03)):
                fields = {"n": 60000, "ci95": None, "seed": seed, "epochs": 3, "seconds": 71.5}
                rows.append({"kind": "training", "experiment": experiment, "metric": metric, "value": value} | fields)
    leak = {"baseline": 0.62, "positive": 0.71, "reversal": 0.12, "shuffled": 0.34}
    for budget in ("equal", "convergence"):
        for seed in (0, 1):
            for experiment, value in leak.items():
                fields = {"budget": budget, "seed": seed, "better": "higher"}
                rows.append(
                    make_inversion_row(experiment, "accuracy@1", value + 0.02 * seed, evaluator="cnn", **fields)
                )
                if experiment != "reversal":
                    rows.append(
                        make_inversion_row(experiment, "accuracy@1", value / 2, evaluator="robust mlp", **fields)
                    )
                rows.append(make_inversion_row(experiment, "ssim", 0.4 * value, **fields))
                fields |= {"better": "lower", "evaluator": "cnn"}
                rows.append(make_inversion_row(experiment, "distance to nearest", 1234.5 * (1 - value), **fields))
    return rows


CHECKS = [
    Check("success-rises-with-eps", True, "Accuracy falls at each of 3 eps in 8 of 8 cases.", "Look for a bug."),
    Check("unbounded-attack-succeeds", True, "PGD at eps 1 leaves 0.0 % (n 1000).", "Look for masked gradients."),
    Check(
        "iterative-beats-single-step",
        False,
        "Shuffled, eps 0.05: FGSM leaves 90.4 %, PGD 91.2 % (n 10,000).",
        "A stronger attack that does worse is a sign of masked gradients. Run AutoAttack, and raise steps.",
    ),
    Check(
        "poster-figures-reproduced",
        False,
        "At eps 0.25 the poster states 94.9 %, FGSM leaves 53.0 % [52.0, 54.0].",
        "The flat line appears only where the image is rounded to grey levels: see the artefact column.",
    ),
    Check("black-box-is-weaker", None, "No black-box attack was run.", "Add square to --attacks."),
]


def digits():
    """Returns four images of each digit, float (4, 8, 8, 1)."""
    data = sklearn.datasets.load_digits()
    images = (data.images[..., None] / 16).astype(np.float32)
    return [images[np.flatnonzero(data.target == c)[:4]] for c in range(10)]


def make_results(workdir: pathlib.Path) -> Results:
    rng = np.random.default_rng(0)
    classes = digits()
    noise = {"baseline": 0.35, "positive": 0.2, "reversal": 0.9, "shuffled": 0.6}

    def blur(image, level):
        return np.clip((1 - level) * image + level * rng.random(image.shape), 0, 1).astype(np.float32)

    grid = {e: [blur(c[0], level) for c in classes] for e, level in noise.items()}
    grid["shuffled"][7] = None
    pairs = {e: [Neighbours(grid[e][c], classes[c][:2], ("0.91", "0.84")) for c in range(4)] for e in noise}
    names = [str(c) for c in range(10)]
    image_grid(grid, workdir / "figures/grid.png", columns=names)
    neighbour_grid(pairs, workdir / "figures/neighbours.png", columns=[f"class {c}" for c in range(4)])
    return Results(
        command="reproduce table1",
        config={
            "dataset": "mnist",
            "eps": [0.0, *EPSILONS],
            "seeds": [0, 1],
            "train": {"epochs": 3, "weight": 0.1},
            "note": None,
        },
        rows=_rows(),
        checks=list(CHECKS),
        figures=[
            Figure("reconstructions", "Reconstructions", "MI-Face, equal budget, first seed.", "figures/grid.png"),
            Figure(
                "neighbours",
                "Reconstructions and their nearest training images",
                "Framed: the reconstruction. Beside it: its two nearest training images, with their cosine.",
                "figures/neighbours.png",
            ),
        ],
        seconds=754.2,
    )


def make_membership_results(workdir: pathlib.Path) -> Results:
    membership_rows.single_scores(classes=("cat", "dog")).write(workdir, membership_rows.images())
    checks = [Check("enough-nonmembers (1%)", False, "8 non-members; needed are 437", "Pass more non-members.")]
    return Results("membership", {}, [*membership_rows.attack_rows(), *membership_rows.group_rows()], checks)


def make_training_results(workdir: pathlib.Path) -> Results:
    row = {"kind": "training", "experiment": "fast(eps=8/255)", "metric": "test_accuracy", "value": 0.81, "seed": 0}
    return Results(
        "train", {"dataset": "mnist"}, [row | {"n": 1000, "ci95": [0.78, 0.83], "epochs": 3, "seconds": 9.0}]
    )


@pytest.fixture
def workdir(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """Results and the folder of their pictures, by their kind; made once, since drawing takes a second."""
    makers = {
        "attacked": make_results,
        "inverted": inverted.make_results,
        "audited": audited.make_results,
        "membership": make_membership_results,
        "trained": make_training_results,
    }
    examples = {}
    for kind, make in makers.items():
        folder = tmp_path_factory.mktemp(kind)
        examples[kind] = make(folder), folder
    return examples


def copy_example(example, workdir):
    """Copies an example for a test to change, with its pictures in `workdir`."""
    results, folder = example
    shutil.copytree(folder, workdir, dirs_exist_ok=True)
    return copy.deepcopy(results)


@pytest.fixture
def results(examples, workdir):
    return copy_example(examples["attacked"], workdir)


@pytest.fixture
def inverted_results(examples, workdir):
    return copy_example(examples["inverted"], workdir)


@pytest.fixture
def audited_results(examples, workdir):
    return copy_example(examples["audited"], workdir)


@pytest.fixture
def accuracy_row():
    return make_accuracy_row


@pytest.fixture
def inversion_row():
    return make_inversion_row
