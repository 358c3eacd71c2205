"""What every comparison of models has in common."""

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.checks import Effort
from tfinv.evaluation.neighbours import most_similar
from tfinv.inversion import Gradient, Knowledge
from tfinv.recipes.attackers import Attacker
from tfinv.recipes.comparison import compare
from tfinv.recipes.judging import Judging
from tfinv.recipes.meeting import Member
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

TRAIN, TEST = stripes(64), stripes(32, seed=1)
GOOD = Schedule("softmax", epochs=1, batch_size=32)
# Steps so large that the loss is no number after two of them.
DIVERGES = Schedule("softmax", epochs=2, batch_size=32, learning_rate=1e38, optimizer="sgd")


def compared(tmp_path, *members, start="average", **more):
    return compare(
        TRAIN,
        TEST,
        Workdir(tmp_path, {}),
        members=members,
        attackers=[Attacker("gradient", Gradient(steps=2, start=start))],
        judging=Judging(("softmax",), GOOD, decoder_images=0),
        known=Knowledge(images=TEST.images[:3], labels=[0, 0, 1], source="held-out images"),
        defended=("robust",),
        undefended=("none",),
        **more,
    )


def test_a_training_that_diverges_costs_only_its_own_figures_whoever_trains(tmp_path):
    """Two processes share the trainings, and then what is done with all but the first, which is this process's."""
    told = []
    members = [
        Member("none", defence("none"), GOOD),
        Member("robust", defence("fast(eps=.1)"), GOOD),
        Member("gone", defence("none"), DIVERGES),
    ]
    found = compared(tmp_path, *members, workers=2, progress=told.append)
    trained = [line for line in told if line.endswith(": trained")]
    assert sorted(trained) == [
        f"{name}: trained" for name in ("gone, seed 0", "none, seed 0", "robust, seed 0", "softmax, seed 1000")
    ]
    assert {"robust, seed 0: done", "gone, seed 0: done"} <= set(told)
    assert "none, seed 0: done" not in told
    assert {m.keys["experiment"] for m in found.measured} == {"none", "robust"}
    checks = {c.name: c for c in found.checks}
    assert checks["trainings-end"].passed is False
    assert (
        "2 of 3 trainings came to their end; gone (seed 0): Expected finite losses" in checks["trainings-end"].evidence
    )
    # What was trained or diverged is not trained again by who reads what others left, nor by the next run.
    assert not any(line.endswith(": training") for line in told)
    again = []
    assert compared(tmp_path, *members, progress=again.append).checks == found.checks
    assert not any("training" in line and "evaluators" not in line for line in again)
    # Each robust member is held to it; without held-out images there is nothing to say.
    assert checks["no-catastrophic-overfitting"].passed is None


def test_of_trainings_that_are_shared_the_long_ones_begin_first(tmp_path, monkeypatch):
    def spread(make, arguments, tasks, *more):
        assert [what.label for what, _ in tasks] == ["robust", "none", "softmax"]
        raise KeyboardInterrupt

    monkeypatch.setattr("tfinv.recipes.comparison.spread", spread)
    members = [Member("none", defence("none"), GOOD), Member("robust", defence("fast(eps=.1)"), GOOD)]
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path, *members, workers=2)


def test_nothing_is_left_to_compare_if_all_diverge(tmp_path):
    with pytest.raises(UserError, match=r"whose training does not diverge.*gone \(seed 0\)"):
        compared(tmp_path, Member("gone", defence("none"), DIVERGES))


@pytest.mark.parametrize(
    ("member", "start", "said"),
    [
        (Member("deep", defence("dp_sgd"), Schedule("resnet(depth=8,width=4)")), "average", "batch normalisation"),
        (Member("flat", defence("reversal"), GOOD), "average", "Received: softmax|encoder"),
        (Member("none", defence("none"), GOOD), "gaussian", "2 auxiliary images of class 1 for start=gaussian"),
    ],
)
def test_what_would_be_refused_later_is_refused_before_anything_is_trained(tmp_path, member, start, said):
    told = []
    with pytest.raises(UserError, match=said):
        compared(tmp_path, Member("robust", defence("none"), GOOD), member, start=start, progress=told.append)
    assert not told


def test_the_nearest_images_are_those_that_each_model_was_trained_on_as_it_sees_them(tmp_path):
    held_back = Schedule("cnn(filters=(4,),units=4)", epochs=1, batch_size=32, validation=40)
    names = ["first", "second", "third"]
    members = [Member(name, defence("none"), held_back) for name in names]
    found = compared(tmp_path, *members, pictured=("gradient",))
    stages = {m.keys["experiment"]: f"{m.keys['experiment']}-gradient-equal-0" for m in found.measured}
    assert sorted(stages) == sorted(names)
    for measured in found.measured:
        name = measured.keys["experiment"]
        with np.load(tmp_path / "stages" / f"{stages[name]}.npz") as stored:
            images, labels = stored["images"], stored["labels"]
        victim = Classifier.from_keras(
            keras.models.load_model(tmp_path / "models" / f"{held_back.architecture}-{name}-0.keras")
        )
        nearest, _ = most_similar(victim, images, labels, TRAIN.take(24), k=4)
        with np.load(tmp_path / "stages" / f"nearest-{stages[name]}.npz") as stored:
            np.testing.assert_array_equal(stored["anyone_indices"], nearest.indices)
        right = nearest.classes[:, 0] == labels
        np.testing.assert_array_equal(measured.find("nearest_is_of_class").values, right)
    assert {f"gradient-equal-{name}-nearest" for name in names} < {f.name for f in found.figures}
    captions = [f.caption for f in found.figures if f.name.endswith("nearest")]
    assert all("The nearest is of the intended class for" in caption for caption in captions)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return attacked_too(tmp_path_factory.mktemp("unbroken"), lambda line: None)


def attacked_too(folder, progress):
    return compared(
        folder,
        Member("none", defence("none"), GOOD),
        Member("robust", defence("fast(eps=.1)"), GOOD),
        robustness=Robustness(("pgd(steps=2)", "noise(draws=2)"), (0.1,), 16, effort=Effort(4, 2, 2, 1)),
        progress=progress,
    )


@pytest.mark.parametrize("stage", ["none, seed 0: attacking", "robust, seed 0: training", "robust, seed 0: gradient"])
def test_what_is_interrupted_goes_on_and_comes_to_the_same(unbroken, tmp_path, stage):
    def interrupt(line):
        if line.startswith(stage):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attacked_too(tmp_path, interrupt)
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".keras", ".json", ".npz")}
    assert sum(path.suffix == ".keras" for path in done) == (3 if stage.endswith("gradient") else 2)
    again = attacked_too(tmp_path, lambda line: None)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert [without_time(r) for r in again.rows] == [without_time(r) for r in unbroken.rows]
    assert again.checks == unbroken.checks


def without_time(row):
    return {k: v for k, v in row.items() if k != "seconds"}
