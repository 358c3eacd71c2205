"""`tfinv shadows` and `tfinv membership`, as a user runs them, on a few hundred digits."""

import json

import keras
import numpy as np
import pytest

from commands import killed, one_line, run, timeless
from tfinv import datasets
from tfinv.evaluation.membership import roc
from tfinv.reporting import Results
from tfinv.reporting.results.scores import Scores

POOL = 240
DATASET = ("--dataset=mnist5k",)
SHADOWS = ("shadows", *DATASET, f"--limit={POOL}", "--architecture=softmax", "--epochs=5", "--learning_rate=.05")
SIDES = (f"--members=train[:{POOL // 2}]", f"--nonmembers=train[{POOL // 2}:{POOL}]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store of six shadows, and a softmax regression trained on the first half of their pool."""
    folder = tmp_path_factory.mktemp("membership")
    assert run(*SHADOWS, "--count=6", "--workdir", folder / "shadows") == 0
    train = datasets.load("mnist5k", "train").take(POOL // 2)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.images, train.labels, epochs=10, batch_size=24, verbose=0)
    model.save(folder / "model.keras")
    return folder


@pytest.fixture
def few_views(monkeypatch):
    """Without the report's figures, which take longer than all the rest."""
    monkeypatch.setattr("tfinv_cli.common.finish.write_html", lambda results, folder: folder / "report.html")
    monkeypatch.setattr("tfinv_cli.common.finish.write_tensorboard", lambda results, folder, to: None)


def line(folder, *flags, sides=SIDES):
    return ("membership", "--model", folder / "model.keras", *DATASET, *sides, *flags)


def value(rows, **keys):
    (row,) = [row for row in rows if "group" not in row and all(row.get(k) == v for k, v in keys.items())]
    return row["value"]


def test_without_shadows_the_scores_are_those_of_the_logits(folder, tmp_path):
    assert run(*line(folder, "--workdir", tmp_path)) == 0
    results = Results.read(tmp_path)
    rows, scores = results.rows_of("membership"), Scores.read(tmp_path)
    assert scores.attacks == ("gap", "confidence", "modified_entropy", "loss")
    np.testing.assert_array_equal(scores.members, [[True] * (POOL // 2) + [False] * (POOL // 2)])
    data = datasets.load("mnist5k", "train").take(POOL)
    np.testing.assert_array_equal(scores.labels, data.labels)
    logits = keras.models.load_model(folder / "model.keras").predict(data.images, verbose=0).astype(np.float64)
    right = logits.argmax(1) == data.labels
    gap = right[: POOL // 2].mean() - right[POOL // 2 :].mean()
    assert gap > 0.05  # it overfits, or nothing below would say anything
    assert value(rows, attack="gap", measure="advantage") == pytest.approx(gap)
    loss = np.take_along_axis(logits, data.labels[:, None], 1)[:, 0] - np.logaddexp.reduce(logits, axis=1)
    assert value(rows, attack="loss", measure="auc") == pytest.approx(
        roc.auc(loss[: POOL // 2], loss[POOL // 2 :]), abs=1e-3
    )
    assert {row["target"] for row in rows} == {"model"}
    assert {row["group"] for row in rows if "group" in row} == set("0123456789")
    checks = {check.name: check.passed for check in results.checks}
    assert checks["enough-nonmembers (1%)"] is False  # 120 of 437
    assert checks["members-disjoint"] is True
    assert checks["null-target-at-chance"] is None
    assert "target-is-no-shadow" not in checks


def test_with_shadows_the_attacks_that_compare_are_made_too(folder, few_views, tmp_path, capsys):
    flags = ("--shadows", folder / "shadows", "--workdir", tmp_path / "w")
    assert run(*line(folder, *flags, "--null", folder / "model.keras", "--twin", folder / "model.keras")) == 0
    assert "TPR at" in capsys.readouterr().out
    results = Results.read(tmp_path / "w")
    rows = results.rows_of("membership")
    assert list(dict.fromkeys(row["attack"] for row in rows))[-2:] == ["lira", "rmia"]
    assert value(rows, attack="lira", measure="auc") > 0.55
    (row,) = [r for r in rows if r["attack"] == "rmia" and r["measure"] == "tpr@1%" and r["threshold"] == "shadows"]
    assert row["realised_fpr"] is not None
    checks = {check.name: check for check in results.checks}
    # The target itself is no null target, and no more overfitted than it is.
    assert checks["null-target-at-chance"].passed is False
    assert checks["overfitted-twin-is-worse"].passed is False
    assert checks["target-is-no-shadow"].passed is True
    # A second run scores nothing anew.
    stages = {path: path.stat().st_mtime_ns for path in (tmp_path / "w" / "stages").iterdir()}
    assert len(stages) == 6 + 12
    assert run(*line(folder, *flags, "--null", folder / "model.keras", "--twin", folder / "model.keras")) == 0
    assert {path: path.stat().st_mtime_ns for path in stages} == stages
    assert timeless(tmp_path / "w") == [{k: v for k, v in r.items() if k != "seconds"} for r in results.rows]


def test_each_shadow_is_a_target_in_turn(folder, few_views, tmp_path):
    flags = ("--target=leave_one_out", "--shadows", folder / "shadows", "--attacks=loss,lira")
    assert run("membership", *DATASET, *flags, "--null", folder / "model.keras", "--workdir", tmp_path) == 0
    results, scores = Results.read(tmp_path), Scores.read(tmp_path)
    members = np.load(folder / "shadows" / "members.npy")
    np.testing.assert_array_equal(scores.members, members.T)
    rows = results.rows_of("membership")
    for attack, name in enumerate(scores.attacks):
        areas = [roc.auc(*scores.split(attack, number)) for number in range(6)]
        for number, area in enumerate(areas):
            assert value(rows, attack=name, measure="auc", target=f"shadow {number}") == pytest.approx(area)
        (pooled,) = [r for r in rows if r.get("targets") == 6 and r["attack"] == name and r["measure"] == "auc"]
        assert pooled["value"] == pytest.approx(np.mean(areas))
        assert pooled["ci95"][0] < pooled["value"] < pooled["ci95"][1]
    checks = {check.name: check for check in results.checks}
    assert "3 null targets" in checks["null-target-at-chance"].evidence  # one of two complements


def test_a_file_says_who_was_in_a_store_of_ones_own(few_views, tmp_path):
    """Logits that are made up: the members of each model stand out by its own, and the attack finds exactly these."""
    rng = np.random.default_rng(0)
    data = datasets.load("mnist5k", "train").take(60)
    members = rng.permuted(np.repeat([[True], [False]], 30, axis=0) * np.ones((1, 3), bool), axis=0)
    members = np.concatenate([members, ~members], axis=1)
    (tmp_path / "shadows").mkdir()
    for number, column in enumerate(members.T):
        logits = rng.normal(0, 0.1, (60, 10))
        logits[np.arange(60), data.labels] += np.where(column, 9, 2)
        np.save(tmp_path / "shadows" / f"model-{number}.npy", logits.astype(np.float32))
    np.save(tmp_path / "shadows" / "members.npy", members)
    flags = ("--shadows", tmp_path / "shadows", "--pool=train[:60]", "--attacks=confidence,lira")
    assert run("membership", "--target=leave_one_out", *DATASET, *flags, "--workdir", tmp_path / "w") == 0
    rows = Results.read(tmp_path / "w").rows_of("membership")
    assert value(rows, attack="lira", measure="auc", targets=6) == 1
    assert value(rows, attack="confidence", measure="auc", targets=6) == 1


def test_a_file_of_members_and_the_same_by_split_give_the_same_scores(folder, few_views, tmp_path):
    np.savez(tmp_path / "in.npz", members=np.arange(POOL) < POOL // 2)
    np.save(tmp_path / "in.npy", (np.arange(POOL) < POOL // 2).astype(np.int64))
    by_split = (*SIDES, "--shadows", folder / "shadows")
    cases = [
        by_split,
        (f"--members={tmp_path / 'in.npz'}", "--shadows", folder / "shadows"),
        (f"--members={tmp_path / 'in.npy'}", f"--pool=train[:{POOL}]", "--attacks=loss"),
    ]
    values = []
    for number, sides in enumerate(cases):
        attacks = () if number == 2 else ("--attacks=loss,rmia",)
        assert run(*line(folder, *attacks, "--workdir", tmp_path / f"{number}", sides=sides)) == 0
        values.append(Scores.read(tmp_path / f"{number}").scores)
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0][0], values[2][0])


def test_what_can_not_be_told_is_one_line_and_leaves_no_folder(folder, few_views, tmp_path, capsys):
    np.save(tmp_path / "all.npy", np.ones(POOL, bool))
    np.save(tmp_path / "short.npy", np.ones(9, bool))
    np.save(tmp_path / "none.npy", np.zeros(POOL, bool))
    shadows, one_out = ("--shadows", folder / "shadows"), ("--target=leave_one_out",)
    other = tmp_path / "other.npz"
    images = np.random.default_rng(0).integers(0, 256, (POOL, 28, 28, 1), np.uint8)
    labels = datasets.load("mnist5k", "train").labels[:POOL]
    np.savez(other, x_train=images, y_train=labels, x_test=images[:50], y_test=labels[:50])
    cases = [
        (("--members=training", "--nonmembers=test"), "a split of mnist5k among train, test, all", "--members"),
        (("--members=train[:9", "--nonmembers=test"), "a part of one, such as train[:1000]", "--members"),
        (("--members=train[:100]", "--nonmembers=train[90:]"), "without common images", "--nonmembers"),
        (("--members=train[:100]", "--nonmembers=test[:10]"), "at least 20 non-members. Received: 10.", "--nonmembers"),
        ((f"--members={tmp_path / 'all.npy'}", *shadows), "at least 20 non-members. Received: 0.", "--members"),
        ((f"--members={tmp_path / 'none.npy'}", *shadows), "at least one member", "--members"),
        ((f"--members={tmp_path / 'short.npy'}", *shadows), f"members as {POOL} values of 0 and 1", "--members"),
        ((f"--members={tmp_path / 'no.npy'}", *shadows), "a whole .npy file", "no.npy"),
        ((*SIDES, "--attacks=lira"), "shadow models for LiRA. Received: none.", "tfinv shadows"),
        ((*SIDES, "--attacks=trajectory"), "losses of two epochs", "none"),
        (("--nonmembers=test", "--members=train[:100]", *shadows), "images of train[0:240]", "--pool of tfinv shadows"),
        ((*SIDES, *shadows, f"--dataset={other}"), "shadows of these images", "--shadows"),
        ((*SIDES, "--shadows", tmp_path), "a store of shadows, or a folder of their logits", "members.npy"),
        ((*SIDES, "--null", tmp_path / "no.keras"), "no.keras", "Expected"),
    ]
    for sides, *texts in cases:
        assert run(*line(folder, "--workdir", tmp_path / "w", sides=sides)) == 1
        message = one_line(capsys.readouterr().err)
        assert all(text in message for text in texts), message
    for flags, text in [
        ((*one_out, *shadows, "--model=m.keras"), "--target=leave_one_out alone. Received: --model"),
        (one_out, "--shadows with --target=leave_one_out"),
        ((), "--model with --target=model"),
        (("--model=m.keras", "--attacks=zap"), "zap"),
    ]:
        assert run("membership", *DATASET, *flags, "--workdir", tmp_path / "w") == 2
        assert text in one_line(capsys.readouterr().err)
    assert not (tmp_path / "w").exists()


def test_a_model_of_labels_is_attacked_by_labels(folder, few_views, tmp_path, capsys, monkeypatch):
    from tfinv.classifier import Classifier
    from tfinv_cli.common import target

    model = keras.models.load_model(folder / "model.keras")
    labels = Classifier.from_predict(
        lambda x: np.asarray(model(x)).argmax(1), input_shape=(28, 28, 1), num_classes=10, outputs="labels"
    )
    assert not labels.scores
    monkeypatch.setattr(target, "load_model", lambda values, **changes: labels)
    assert run(*line(folder, "--attacks=loss", "--workdir", tmp_path / "w")) == 1
    assert "logits of the target for Loss" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "w").exists()
    assert run(*line(folder, "--workdir", tmp_path / "w")) == 0
    assert Scores.read(tmp_path / "w").attacks == ("gap",)


@pytest.mark.proof
def test_after_a_kill_two_processes_go_on_to_the_same_shadows(folder, few_views, tmp_path):
    killed(tmp_path, "logits/0000.npy", *SHADOWS, "--count=3", "--workdir", tmp_path)
    assert run(*SHADOWS, "--count=6", "--workers=2", "--workdir", tmp_path) == 0
    for name in [f"logits/{number:04d}.npy" for number in range(6)] + ["members.npy", "labels.npy"]:
        assert (tmp_path / name).read_bytes() == (folder / "shadows" / name).read_bytes()
    assert timeless(tmp_path) == timeless(folder / "shadows")


def test_a_robust_recipe_is_taken_and_recorded(few_views, tmp_path):
    flags = ("--defense=adversarial(eps=0.1,steps=1)", "--limit=140", "--validation=20", "--pool=test,train", "--keep")
    assert run(*SHADOWS, *flags, "--count=2", "--workdir", tmp_path) == 0
    store = json.loads((tmp_path / "store.json").read_text())
    assert store["recipe"]["defense"] == "adversarial(eps=0.1,steps=1)"
    assert store["recipe"]["pool"] == ["test[0:120]"]
    assert len(list((tmp_path / "models").glob("*.keras"))) == 2
    rows = Results.read(tmp_path).rows
    assert {row["experiment"] for row in rows} == {"shadow-0000", "shadow-0001"}
