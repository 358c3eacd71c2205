"""The experiment on membership at a size for tests: its rows, its pairs, and a run that goes on."""

import dataclasses

import numpy as np
import pytest

from stripes import stripes
from tfinv.comparison.protocol import SILENT
from tfinv.comparison.robustness import Robustness
from tfinv.errors import UsageError, UserError
from tfinv.evaluation.robustness.checks import Effort
from tfinv.experiments import settings
from tfinv.experiments.membership import membership
from tfinv.reporting import Results
from tfinv.reporting.results.scores import Scores
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule

POOL, TEST = stripes(80), stripes(30, seed=1)
OPTIONS = {
    "schedule": Schedule("mlp(units=8)", epochs=2, batch_size=16),
    "shadows": 4,
    "attacks": ("gap", "confidence", "rmia"),
    "robustness": Robustness(("pgd(steps=2)",), (0.1,), 20, effort=Effort(10, 2, 2, 1)),
}
ROBUST = "fast(eps=0.05)"


DEFENCES = ["none", ROBUST]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder of a run that was killed and went on, its report, and what was trained in the second part."""
    folder, lines = tmp_path_factory.mktemp("membership"), []

    def kill(line):
        if line.startswith(f"{ROBUST}: membership"):
            raise KeyboardInterrupt

    def run(progress):
        execution = dataclasses.replace(SILENT, progress=progress)
        return membership(POOL, TEST, Workdir(folder, {}), defences=DEFENCES, execution=execution, **OPTIONS)

    with pytest.raises(KeyboardInterrupt):
        run(kill)
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("stages/*")}
    report = run(lines.append)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    return folder, report, lines


def test_each_shadow_of_each_defence_is_a_target(report):
    folder, (rows, checks, figures), _ = report
    areas = [r for r in rows if r["kind"] == "membership" and r["measure"] == "auc"]
    runs = {(r["experiment"], r["attack"], r.get("target")) for r in areas}
    targets = [*(f"shadow {number}" for number in range(4)), None]  # None is their mean
    assert runs == {(e, a, t) for e in DEFENCES for a in OPTIONS["attacks"] for t in targets}
    trained = {(r["experiment"], r["metric"]) for r in rows if r["kind"] == "training"}
    assert trained >= {(ROBUST, m) for m in ("train_accuracy", "test_accuracy", "generalisation_gap")}
    attacked = {r["experiment"] for r in rows if r["kind"] == "accuracy" and r["attack"] != "none"}
    assert attacked == set(DEFENCES)
    names = {check.name for check in checks}
    assert {f"adversarial-training-leaks-more ({ROBUST})", "trainings-end"} <= names
    assert {figure.name for figure in figures} == {"membership-roc", "membership-robustness"}
    assert all((folder / figure.path).exists() for figure in figures)
    Results("reproduce membership", {}, rows, checks, figures).write(folder)
    assert Results.read(folder).rows_of("membership difference")
    assert not list(folder.glob("shadows/*/models/*"))


def test_the_targets_of_two_defences_are_paired_by_their_halves(report):
    folder, (rows, _, _), _ = report
    scores = Scores.read(folder)
    assert scores.members.sum(axis=1).tolist() == [40] * 4
    difference = next(
        r
        for r in rows
        if r["kind"] == "membership difference" and (r["experiment"], r["attack"]) == (ROBUST, "confidence")
    )
    area = {
        (r["experiment"], r["target"]): r["value"]
        for r in rows
        if r["kind"] == "membership" and (r["measure"], r["attack"]) == ("auc", "confidence") and "target" in r
    }
    pairs = [area[ROBUST, f"shadow {t}"] - area["none", f"shadow {t}"] for t in range(4)]
    assert (difference["measure"], difference["than"], difference["targets"]) == ("auc", "none", 4)
    assert difference["value"] == pytest.approx(np.mean(pairs))
    # The halves are those of each training's store.
    for store in (folder / "shadows").iterdir():
        np.testing.assert_array_equal(np.load(store / "members.npy").T, scores.members)


def test_killed_it_goes_on_with_nothing_but_what_is_missing(report):
    _, _, lines = report
    assert not [line for line in lines if line.endswith((": trained", ": attacked"))]
    assert lines[-1] == f"{ROBUST}: membership of 80 examples, 4 targets"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"defences": ["nls", "mid"]}, "Expected none and other defenses, each once. Received: nls, mid"),
        ({"defences": ["none"]}, "Change --defenses"),
        ({"defences": ["none", "nls", "nls"]}, "Change --defenses"),
        ({"shadows": 3}, "at least 4 shadows.*Change --shadows or --attack_targets"),
        ({"attack_targets": 5}, "Change --shadows or --attack_targets"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        membership(POOL, TEST, Workdir(tmp_path, {}), **OPTIONS | {"defences": ["none", "nls"]} | changes)
    assert not (tmp_path / "shadows").exists()


def test_images_of_which_no_eps_is_known_need_it():
    with pytest.raises(
        UsageError, match="Expected --defenses and --eps, as --dataset is none of mnist, mnist5k, cifar10"
    ):
        settings.resolve("membership", {"dataset": "fer2013"})
    config = settings.resolve("membership", {"dataset": "cifar10", "shadows": 6})
    assert (config["shadows"], config["train_limit"], config["eps"]) == (6, 2000, [4 / 255])
