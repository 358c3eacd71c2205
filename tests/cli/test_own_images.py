"""Images and labels of a user's own, as `attack` and `evaluate` fit them to the model, and the files that `attack` leaves."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from commands import arrays, one_line, run
from tfinv import datasets
from tfinv.classifier import Classifier
from tfinv.reporting import Results
from tfinv_cli.common import finish, target


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Commands without the views of their results, and without the checks of the clean accuracy."""
    for name in ("write_html", "write_tensorboard", "print_results"):
        monkeypatch.setattr(finish, name, lambda *_, **__: None)
    monkeypatch.setattr(target, "clean_accuracy", lambda *_: [])


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """A model of 12x12 RGB images whose class is the place of a bright stripe: cat on top, dog in the middle, eel below."""
    folder = tmp_path_factory.mktemp("stripes")
    keras.utils.set_random_seed(0)
    labels = np.arange(90) % 3
    images = np.random.default_rng(0).integers(0, 90, (90, 12, 12, 3))
    for label in range(3):
        images[labels == label, 4 * label : 4 * label + 4] += 120
    layers = [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(images / 255.0, labels, epochs=15, verbose=0)
    model.save(folder / "model.keras")
    return folder


def write_files(root, names, mode="RGB", size=(24, 24)):
    """Class folders of larger images of the stripes, by the names of the classes 0, 1, 2; None for none."""
    rng = np.random.default_rng(1)
    for label, name in enumerate(names):
        if name is None:
            continue
        (root / name).mkdir(parents=True)
        for i in range(4):
            image = rng.integers(0, 90, (12, 12, 3))
            image[4 * label : 4 * label + 4] += 120
            whole = Image.fromarray(image.astype(np.uint8)).resize(size, Image.Resampling.NEAREST).convert(mode)
            whole.save(root / name / f"{i}.png")
    return root


def evaluate(stripes, dataset, workdir, *flags, command="attack"):
    argv = ("--model", stripes / "model.keras", "--dataset", dataset, "--split=all", "--attacks=fgsm", "--eps=.02")
    return run(command, *argv, "--workdir", workdir, *flags)


def clean(workdir):
    return Results.read(workdir).rows[0]["accuracy"]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_size_and_channels_are_fitted_and_said(mode, stripes, tmp_path, capsys):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"), mode)
    assert evaluate(stripes, root, tmp_path / "w") == 0
    out = capsys.readouterr().out
    assert clean(tmp_path / "w") == 1.0
    notes = [
        "resized from 24x24 to 12x12 as Keras does, bilinear without smoothing (--resize=pillow for the other way)"
    ]
    notes = ["grey images, repeated as RGB for the model"] * (mode == "L") + notes
    for note in notes:
        assert f"\n  images: {note}\n" in out
    assert "\nclasses: 0 cat, 1 dog, 2 eel\n" in out
    environment = Results.read(tmp_path / "w").environment
    assert environment["classes"] == ["cat", "dog", "eel"]
    assert environment["notes on the images"] == notes
    assert evaluate(stripes, root, tmp_path / "p", "--resize=pillow") == 0  # as the note says
    assert "by Pillow, bilinear with smoothing" in capsys.readouterr().out


def test_an_image_size_that_is_not_the_models_is_refused(stripes, tmp_path, capsys):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"))
    assert evaluate(stripes, root, tmp_path / "w", "--image_size=24,24") == 1
    assert "--image_size" in one_line(capsys.readouterr().err)
    assert evaluate(stripes, root, tmp_path / "w", "--image_size=12,12") == 0


def test_folders_are_matched_with_the_models_names(stripes, tmp_path, capsys):
    """Of two classes only, and in another order than the alphabet's."""
    root = write_files(tmp_path / "x", ("1_Zebra cat", None, "ant-eel"))
    assert evaluate(stripes, root, tmp_path / "plain") == 0
    assert clean(tmp_path / "plain") < 0.6
    (tmp_path / "labels.txt").write_text("0 zebra_cat\n1 dog\n2 Ant eel\n")
    capsys.readouterr()
    assert evaluate(stripes, root, tmp_path / "named", "--class_names", tmp_path / "labels.txt") == 0
    assert clean(tmp_path / "named") == 1.0
    out = capsys.readouterr().out
    assert "classes: 0 zebra_cat, 1 dog, 2 Ant eel" in out
    assert "labels matched with the model's classes by name: 1_Zebra cat is 0, ant-eel is 2" in out
    assert evaluate(stripes, root, tmp_path / "other", "--class_names=zebra cat,dog,ox") == 1
    error = one_line(capsys.readouterr().err)
    assert "zebra cat, dog, ox. Received: 1_Zebra cat, ant-eel (none of the model's: ant-eel)" in error


def test_labels_from_1_are_lowered_and_texts_are_matched(stripes, tmp_path, capsys):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"), size=(12, 12))
    data = datasets.load(root, "all")
    order = np.array([1, 2, 0])  # eel, cat, dog in a file's own order
    forms = {
        "from 1": (data.labels + 1, (), "labels 1 to 3, lowered by 1"),
        "texts": (np.array(["cat", "dog", "eel"])[data.labels], (), "labels of texts, as numbers: 0 cat, 1 dog, 2 eel"),
        "one-hot": (np.eye(3)[data.labels], (), "one-hot labels, as numbers of classes"),
        "floats": (data.labels.astype(float), (), "labels of floats that are whole"),
        "names": (
            np.array(["tom", "rex", "slippy"])[data.labels],
            ("--class_names=tom,rex,slippy",),
            "rex is 1, slippy is 2, tom is 0",
        ),
    }
    for name, (labels, flags, note) in forms.items():
        np.savez(tmp_path / f"{name}.npz", images=data.pixels, labels=labels)
        assert evaluate(stripes, tmp_path / f"{name}.npz", tmp_path / name, *flags) == 0
        assert clean(tmp_path / name) == 1.0, name
        assert note in capsys.readouterr().out
    np.savez(tmp_path / "own.npz", images=data.pixels, labels=order[data.labels], class_names=["eel", "cat", "dog"])
    assert evaluate(stripes, tmp_path / "own.npz", tmp_path / "own", "--class_names=cat,dog,eel") == 0
    assert clean(tmp_path / "own") == 1.0


@pytest.mark.parametrize("form", ["png", "npz", "tfrecord"])
def test_adversarial_files_are_made_again_if_they_were_removed(form, stripes, tmp_path, capsys):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"), size=(12, 12))
    flags = (f"--save={form}", "--batch_size=2", "--attacks=pgd(steps=2),noise(draws=2)")
    assert evaluate(stripes, root, tmp_path / "w", *flags) == 0
    folder = tmp_path / "w" / "adversarial"
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    checks = [c for c in Results.read(tmp_path / "w").checks if c.name == "rounding-keeps-success"]
    assert len(checks) == (form != "npz")
    chosen = next(path for path in folder.rglob("*.*") if path.is_file() and "pgd" in str(path))
    chosen.unlink()
    stages = {p: p.stat().st_mtime_ns for p in (tmp_path / "w" / "stages").glob("noise*.npz")}
    assert evaluate(stripes, root, tmp_path / "w", *flags) == 0
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    assert after.keys() == before.keys()
    if form != "npz":  # whose archive has the time in it
        assert after == before
    assert {p: p.stat().st_mtime_ns for p in stages} == stages  # what was whole is not attacked again
    assert [c for c in Results.read(tmp_path / "w").checks if c.name == "rounding-keeps-success"] == checks


def test_removed_arrays_are_made_again(stripes, tmp_path):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"), size=(12, 12))
    flags = ("--attacks=pgd(steps=2)", "--eps=.01,.02", "--curve=independent")
    assert evaluate(stripes, root, tmp_path / "w", *flags) == 0
    folder = tmp_path / "w" / "adversarial"
    arrays_before = {path.name: np.load(path) for path in folder.iterdir()}
    assert len(arrays_before) == 3
    (folder / "pgd(steps=2) eps=0.02.npy").unlink()
    (folder / "labels.npy").unlink()
    assert evaluate(stripes, root, tmp_path / "w", *flags) == 0
    assert {path.name for path in folder.iterdir()} == set(arrays_before)
    for name, array in arrays_before.items():
        np.testing.assert_array_equal(np.load(folder / name), array)


def test_files_of_8_bits_hold_what_the_check_says(tmp_path):
    """A budget of less than half a level is rounded away; one of many levels is not."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3), np.uint8)
    kernel = np.random.default_rng(1).normal(size=(192, 3)).astype(np.float32)
    model.layers[-1].set_weights([kernel, -0.5 * kernel.sum(0)])
    model.save(tmp_path / "m.keras")
    classifier = Classifier.from_keras(model)
    labels = classifier.predict(images / np.float32(255)).argmax(1)
    np.savez(tmp_path / "x.npz", images=images, labels=labels)
    checks = {}
    for eps in ("0.0015", "8/255"):
        argv = ("--model", tmp_path / "m.keras", "--dataset", tmp_path / "x.npz", "--split=all", "--save=png")
        workdir = tmp_path / eps.replace("/", "-")
        assert run("attack", *argv, "--attacks=fgsm", f"--eps={eps}", "--workdir", workdir) == 0
        results = Results.read(workdir)
        checks[eps] = next(c for c in results.checks if c.name == "rounding-keeps-success")
        saved = datasets.load(workdir / "adversarial" / "fgsm", "all")
        wrong = int((classifier.predict(saved.images).argmax(1) != saved.labels).sum())
        fooling = round(200 * (1 - results.rows[1]["accuracy"]))
        assert f"fgsm: {wrong} of {fooling} images that fool" in checks[eps].evidence
        assert fooling > 4
    assert checks["8/255"].passed
    assert not checks["0.0015"].passed


def test_nothing_is_saved_if_nobody_asks(stripes, tmp_path):
    root = write_files(tmp_path / "x", ("cat", "dog", "eel"), size=(12, 12))
    assert evaluate(stripes, root, tmp_path / "w", "--save=none") == 0
    assert not (tmp_path / "w" / "adversarial").exists()
    config = json.loads((tmp_path / "w" / "results.json").read_text())["config"]
    assert config["save"] == "none"
    assert list(arrays(next((tmp_path / "w" / "stages").glob("fgsm*.npz"))))
