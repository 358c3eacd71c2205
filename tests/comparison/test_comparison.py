"""Comparisons of models, whatever the experiment."""

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.classifier import Classifier
from tfinv.comparison.attackers import Attacker
from tfinv.comparison.comparison import compare
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.member import Member
from tfinv.comparison.protocol import Execution, Protocol, Splits
from tfinv.comparison.robustness import Robustness
from tfinv.errors import UserError
from tfinv.evaluation.inversion.neighbours import most_similar
from tfinv.evaluation.robustness.checks import Effort
from tfinv.inversion import Gradient, Knowledge
from tfinv.runs.cluster import Cluster
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

TRAIN, TEST = stripes(64), stripes(32, seed=1)
GOOD = Schedule("softmax", epochs=1, batch_size=32)
# Steps so large that the loss is no number after two of them.
DIVERGES = Schedule("softmax", epochs=2, batch_size=32, learning_rate=1e38, optimizer="sgd")


def compare_stripes(tmp_path, *members, start="average", workers=1, progress=lambda line: None, **options):
    protocol = Protocol(
        [Attacker("gradient", Gradient(steps=2, start=start))],
        Knowledge(images=TEST.images[:3], labels=[0, 0, 1], source="held-out images"),
        Evaluators(("softmax",), GOOD, decoder_images=0),
        **options,
    )
    return compare(
        Splits(TRAIN, TEST),
        Workdir(tmp_path, {}),
        members=members,
        protocol=protocol,
        defended=("robust",),
        undefended=("none",),
        execution=Execution(Cluster(workers), progress=progress),
    )


@pytest.mark.proof
def test_a_training_that_diverges_costs_only_its_own_figures_whoever_trains(tmp_path):
    """Two processes share the trainings, and then what is done with all but the first, which is this process's."""
    lines = []
    members = [
        Member("none", defence("none"), GOOD),
        Member("robust", defence("fast(eps=.1)"), GOOD),
        Member("gone", defence("none"), DIVERGES),
    ]
    comparison = compare_stripes(tmp_path, *members, workers=2, progress=lines.append)
    trained = [line for line in lines if line.endswith(": trained")]
    assert sorted(trained) == [
        f"{name}: trained" for name in ("gone, seed 0", "none, seed 0", "robust, seed 0", "softmax, seed 1000")
    ]
    assert {"robust, seed 0: done", "gone, seed 0: done"} <= set(lines)
    assert "none, seed 0: done" not in lines
    assert {m.keys["experiment"] for m in comparison.measurements} == {"none", "robust"}
    checks = {c.name: c for c in comparison.checks}
    assert checks["trainings-end"].passed is False
    assert (
        "2 of 3 trainings came to their end; gone (seed 0): Expected finite losses" in checks["trainings-end"].evidence
    )
    # No training is repeated, even if it diverged: neither by a process that reads the stages of others, nor by the next run.
    assert not any(line.endswith(": training") for line in lines)
    again = []
    assert compare_stripes(tmp_path, *members, progress=again.append).checks == comparison.checks
    assert not any("training" in line and "evaluators" not in line for line in again)
    # Each robust member is held to it; without held-out images there is nothing to say.
    assert checks["no-catastrophic-overfitting"].passed is None


def test_of_trainings_that_are_shared_the_long_ones_begin_first(tmp_path, monkeypatch):
    def record(cluster, make_worker, arguments, tasks, **_):
        assert [model.label for model, _ in tasks] == ["robust", "none", "softmax"]
        raise KeyboardInterrupt

    monkeypatch.setattr("tfinv.comparison.comparison.map_tasks", record)
    members = [Member("none", defence("none"), GOOD), Member("robust", defence("fast(eps=.1)"), GOOD)]
    with pytest.raises(KeyboardInterrupt):
        compare_stripes(tmp_path, *members, workers=2)


def test_nothing_is_left_to_compare_if_all_diverge(tmp_path):
    with pytest.raises(UserError, match=r"whose training does not diverge.*gone \(seed 0\)"):
        compare_stripes(tmp_path, Member("gone", defence("none"), DIVERGES))


@pytest.mark.parametrize(
    ("member", "start", "message"),
    [
        (Member("deep", defence("dp_sgd"), Schedule("resnet(depth=8,width=4)")), "average", "batch normalisation"),
        (Member("flat", defence("reversal"), GOOD), "average", "Received: softmax|encoder"),
        (Member("none", defence("none"), GOOD), "gaussian", "2 auxiliary images of class 1 for start=gaussian"),
    ],
)
def test_what_would_be_refused_later_is_refused_before_anything_is_trained(tmp_path, member, start, message):
    lines = []
    with pytest.raises(UserError, match=message):
        compare_stripes(tmp_path, Member("robust", defence("none"), GOOD), member, start=start, progress=lines.append)
    assert not lines


def test_the_nearest_images_are_those_that_each_model_was_trained_on_as_it_sees_them(tmp_path):
    schedule = Schedule("cnn(filters=(4,),units=4)", epochs=1, batch_size=32, validation=40)
    names = ["first", "second", "third"]
    members = [Member(name, defence("none"), schedule) for name in names]
    comparison = compare_stripes(tmp_path, *members, pictured=("gradient",))
    stages = {m.keys["experiment"]: f"{m.keys['experiment']}-gradient-equal-0" for m in comparison.measurements}
    assert sorted(stages) == sorted(names)
    for measurement in comparison.measurements:
        name = measurement.keys["experiment"]
        with np.load(tmp_path / "stages" / f"{stages[name]}.npz") as stored:
            images, labels = stored["images"], stored["labels"]
        victim = Classifier.from_keras(
            keras.models.load_model(tmp_path / "models" / f"{schedule.architecture}-{name}-0.keras")
        )
        nearest, _ = most_similar(victim, images, labels, TRAIN.take(24), k=4)
        with np.load(tmp_path / "stages" / f"nearest-{stages[name]}.npz") as stored:
            np.testing.assert_array_equal(stored["anyone_indices"], nearest.indices)
        right = nearest.classes[:, 0] == labels
        np.testing.assert_array_equal(measurement.find("nearest_is_of_class").values, right)
    assert {f"gradient-equal-{name}-nearest" for name in names} < {f.name for f in comparison.figures}
    captions = [f.caption for f in comparison.figures if f.name.endswith("nearest")]
    assert all("The nearest is of the intended class for" in caption for caption in captions)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return compare_with_robustness(tmp_path_factory.mktemp("unbroken"), lambda line: None)


def compare_with_robustness(folder, progress):
    return compare_stripes(
        folder,
        Member("none", defence("none"), GOOD),
        Member("robust", defence("fast(eps=.1)"), GOOD),
        robustness=Robustness(("pgd(steps=2)", "noise(draws=2)"), (0.1,), 16, effort=Effort(4, 2, 2, 1)),
        progress=progress,
    )


@pytest.mark.proof
@pytest.mark.parametrize("stage", ["none, seed 0: attacking", "robust, seed 0: training", "robust, seed 0: gradient"])
def test_what_is_interrupted_goes_on_and_comes_to_the_same(unbroken, tmp_path, stage):
    def interrupt(line):
        if line.startswith(stage):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_with_robustness(tmp_path, interrupt)
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".keras", ".json", ".npz")}
    assert sum(path.suffix == ".keras" for path in done) == (3 if stage.endswith("gradient") else 2)
    again = compare_with_robustness(tmp_path, lambda line: None)
    assert all(path.stat().st_mtime_ns == modified for path, modified in done.items())
    assert [without_time(r) for r in again.rows] == [without_time(r) for r in unbroken.rows]
    assert again.checks == unbroken.checks


def without_time(row):
    return {k: v for k, v in row.items() if k != "seconds"}
