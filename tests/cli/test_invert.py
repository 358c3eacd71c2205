"""`tfinv invert`: which classes, how many, and what its attacker may have."""

import re

import keras
import numpy as np
import pytest

from commands import arrays, one_line, run
from tfinv.classifier import Classifier
from tfinv.reporting import Results


def test_invert_reconstructs_the_labels_that_were_asked_for(digits, tmp_path, capsys):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--labels=3,7", "--epochs=2")
    methods = "--methods=miface(steps=20),gradient(steps=20)"
    assert run("invert", *args, methods, "--evaluators=softmax", "--workdir", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  softmax: 2 epochs of 600 images" in lines
    assert any(re.fullmatch(r"  softmax: trained in \d+ s, accuracy \d+\.\d %", line) for line in lines)
    reconstructions = arrays(tmp_path / "reconstructions.npz")
    assert reconstructions["labels of gradient(steps=20)"].tolist() == [3, 7]
    assert reconstructions["gradient(steps=20)"].shape == (2, 28, 28, 1)
    results = Results.read(tmp_path)
    assert {r["method"] for r in results.rows} == {"miface(steps=20)", "gradient(steps=20)", "reference"}
    checks = {c.name: c for c in results.checks}
    assert checks.keys() >= {"reconstructions-convince-others", "no-training-data-used", "class-order-fits"}
    data = arrays(digits / "digits.npz")
    model = Classifier.from_keras(keras.models.load_model(digits / "model.keras"))
    accuracy = model.accuracy(data["x_test"] / np.float32(255), data["y_test"])
    assert f"of the attacked model {100 * accuracy:.1f} %" in checks["evaluators-are-accurate"].evidence
    measured = {r["measure"] for r in results.rows if r["kind"] == "inversion"}
    # Softmax regression has no features but the pixels.
    assert measured >= {"acc@1", "pixel_distance", "ssim_to_class_mean", "confidence"}
    assert "feature_distance" not in measured
    assert [r["step"] for r in results.rows if r["kind"] == "course"] == [20, 20]
    assert all((tmp_path / f.path).is_file() for f in results.figures)
    assert {f.name for f in results.figures} >= {"inversion-0-classes", "inversion-1-nearest"}
    assert len(list((tmp_path / "tensorboard").glob("projector*/sprite.png"))) == 2


def test_labels_without_training_images_are_refused_before_anything_is_trained(digits, tmp_path, capsys):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--workdir", tmp_path)
    assert run("invert", *args, "--labels=3,10") == 1
    assert "labels [10]" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "evaluators").exists()


@pytest.mark.proof
def test_invert_does_not_count_copies_nor_take_evaluators_of_other_settings(digits, tmp_path, capsys):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--labels=3,7", "--samples=3")
    args += ("--methods=miface(steps=5),gradient(steps=5,start=noise)", "--evaluators=softmax", "--workdir", tmp_path)
    assert run("invert", *args, "--epochs=2", "--identifiers=softmax") == 0
    identified = [r for r in Results.read(tmp_path).rows_of("inversion") if r["measure"] == "rank@1"]
    assert {r["experiment"] for r in identified} == {"model", "class mean", "start"}
    rows = [r for r in Results.read(tmp_path).rows_of("inversion") if r["measure"] == "acc@1"]
    assert {r["method"]: r["n"] for r in rows if r["experiment"] == "model"} == {
        "miface(steps=5)": 2,
        "gradient(steps=5,start=noise)": 6,
    }
    capsys.readouterr()
    assert run("invert", *args, "--epochs=3") == 1
    assert "epochs=2 there, 3 now" in capsys.readouterr().err
    # Identifiers learn from --split: of another one they are trained anew, and evaluators from as many images as --limit says.
    assert run("invert", *args, "--epochs=2", "--identifiers=softmax", "--limit=50") == 0
    assert len(list(tmp_path.rglob("identifiers*/softmax-2000.keras"))) == 2
    assert (tmp_path / "evaluators-50" / "models" / "evaluators" / "softmax-1000.keras").is_file()
    assert "softmax: 2 epochs of 50 images" in capsys.readouterr().out


def test_invert_gives_its_attacker_no_training_image(digits, tmp_path):
    """Unless there is no other, which a check names."""
    data = dict(np.load(digits / "digits.npz"))
    data["x_test"] = np.concatenate([data["x_test"][:30], data["x_train"][:5]])
    np.savez(tmp_path / "twice.npz", **data | {"y_test": np.concatenate([data["y_test"][:30], data["y_train"][:5]])})
    args = (
        "--model",
        digits / "model.keras",
        "--labels=3",
        "--methods=gradient(steps=2)",
        "--evaluators=softmax",
        "--epochs=1",
    )
    for split, passed, evidence in (("test", True, "0 of 30 are"), ("train", False, "600 of 600 are")):
        folder = tmp_path / split
        assert run("invert", *args, "--dataset", tmp_path / "twice.npz", f"--split={split}", "--workdir", folder) == 0
        check = next(c for c in Results.read(folder).checks if c.name == "no-training-data-used")
        assert (check.passed, evidence in check.evidence) == (passed, True), check.evidence


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("miface(steps=5),deepinversion", "with batch normalisation for deepinversion"),
        ("miface(steps=5),gradient(start=given)", "knowledge of `begin` for start=given"),
        ("miface(steps=5),projected(steps=3) --auxiliary=mnist5k", "knowledge of `labels` for start=gaussian"),
    ],
)
def test_what_the_last_method_lacks_is_known_before_the_first_begins(digits, tmp_path, methods, message, capsys):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--workdir", tmp_path)
    methods, *flags = methods.split(" ")
    assert run("invert", *args, f"--methods={methods}", *flags, "--evaluators=softmax") == 1
    assert message in one_line(capsys.readouterr().err)
    assert not (tmp_path / "evaluators" / "models").exists()
