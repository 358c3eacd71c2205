"""From a training and an evaluation to a model in the package: small, whole, and honest about which file was measured."""

import dataclasses
import importlib
import json
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from shipped import check_scores, check_whole
from tfinv import datasets, files, models
from tfinv.errors import UserError
from tfinv.evaluation.robustness import accuracy_row
from tfinv.recipes.packing import pack, stored_type
from tfinv.recipes.shipping import rejudge, ship, ship_compared
from tfinv.reporting import Results
from tfinv_cli import main

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
ROOT = pathlib.Path(__file__).parents[2]


def kernels(model):
    return [w for w in model.get_weights() if w.ndim > 1]


def save(model, path):
    model.save(path)
    return path


def test_pack_drops_the_optimizer_and_changes_nothing_else(tmp_path):
    keras.utils.set_random_seed(0)
    model = models.cnn((12, 12, 1), 3, filters=(8,), units=64)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.ones((4, 12, 12, 1)), np.zeros(4), verbose=0)
    path = save(model, tmp_path / "model.keras")
    assert pack(path, tmp_path / "packed.keras") == stored_type(tmp_path / "packed.keras") == "float32"
    assert (tmp_path / "packed.keras").stat().st_size < path.stat().st_size / 2.5
    packed = keras.models.load_model(tmp_path / "packed.keras", custom_objects={})
    for a, b in zip(packed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pack_halves_the_kernels_of_what_would_be_too_large(tmp_path):
    keras.utils.set_random_seed(0)
    model = models.convnet((28, 28, 1), 10)
    for layer in model.layers:
        if layer.weights:
            layer.bias.assign(keras.random.normal(layer.bias.shape))
    path = save(model, tmp_path / "model.keras")
    assert path.stat().st_size > 3_000_000
    assert pack(path, tmp_path / "packed.keras") == stored_type(tmp_path / "packed.keras") == "float16"
    assert (tmp_path / "packed.keras").stat().st_size <= 2_000_000
    packed = keras.models.load_model(tmp_path / "packed.keras", custom_objects={})
    assert {v.dtype for v in packed.weights} == {"float32"}
    for a, b in zip(packed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float16) if b.ndim > 1 else b)
    images = np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(packed(images), model(images), atol=0.01)
    # Packing what was packed changes nothing.
    pack(tmp_path / "packed.keras", tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    assert all(map(np.array_equal, again.get_weights(), packed.get_weights()))


def test_pack_refuses_what_float16_cannot_hold(tmp_path):
    large = save(models.mlp((28, 28, 1), 10, units=1500), tmp_path / "large.keras")
    with pytest.raises(UserError, match=r"at most 2,000,000 bytes in float16\. Received: 2,"):
        pack(large, tmp_path / "packed.keras")
    model = models.convnet((28, 28, 1), 10)
    model.layers[-1].kernel.assign(np.full((256, 10), 1e5))
    with pytest.raises(UserError, match=r"range of float16\. Received: 100000"):
        pack(save(model, tmp_path / "wild.keras"), tmp_path / "packed.keras")
    assert not (tmp_path / "packed.keras").exists()


def evaluation(folder, model, **changed):
    """As `tfinv evaluate` leaves it."""
    config = {
        "attacks": ["autoattack"],
        "dataset": "mnist5k",
        "image_size": None,
        "eps": [0.1],
        "model": str(model),
        "seed": 0,
    }
    config |= {"split": "test", "limit": None, "workdir": str(folder)} | changed
    withstood = np.arange(1000) < 700
    rows = [
        accuracy_row("model", "none", 0.0, np.arange(1000) < 900, 0),
        accuracy_row("model", config["attacks"][0], 0.1, withstood, 0, norm="linf"),
        accuracy_row("model", config["attacks"][0], 0.1, ~withstood, 1, norm="linf"),
    ]
    Results("evaluate", config, rows).write(folder)
    files.write_json(folder / "config.json", {"model_contents": files.digest(model)})
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The workdir of a training, with the packed model beside it."""
    folder = tmp_path_factory.mktemp("trained")
    line = "train --dataset=mnist5k --architecture=softmax --epochs=1 --seed=3 --workdir"
    assert main.main([*line.split(), str(folder)]) == 0
    pack(next((folder / "models").iterdir()), folder / "packed.keras")
    return folder


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty folder in the place of the package's own."""
    folder = tmp_path / "data"
    monkeypatch.setattr(importlib.import_module("tfinv.models.pretrained"), "DATA", folder)
    return folder


def test_ship(trained, package, tmp_path):
    scored = evaluation(tmp_path / "scored", trained / "packed.keras")
    made = ship("digits", trained, scored, folder=package)
    assert models.pretrained_names() == ["digits"]
    assert models.card("digits") == made
    check_whole("digits")
    check_scores("digits")
    digits = datasets.load("mnist5k", "test")
    check_scores("digits", digits)
    told = next(r for r in Results.read(trained).rows if r["metric"] == "test_accuracy")
    assert made.clean.accuracy == told["value"] == made.embedded[0] / made.embedded[1]
    assert made.clean.n == made.embedded[1] == 1000
    assert [(s.attack, s.norm, s.eps, s.accuracy, s.n) for s in made.robust] == [("autoattack", "linf", 0.1, 0.7, 1000)]
    assert (made.architecture, made.recipe, made.dataset, made.seed, made.epochs) == (
        "softmax",
        "none",
        "mnist5k",
        3,
        1,
    )
    assert (made.weights, made.parameters, made.classes) == ("float32", 7850, tuple("0123456789"))
    assert made.evaluation == (
        "tfinv evaluate --attacks=autoattack --dataset=mnist5k --eps=0.1 --model=pretrained:digits --seed=0 --split=test"
    )
    for piece in ("--architecture=softmax", "--dataset=mnist5k", "--defense=none", "--epochs=1"):
        assert piece in made.command.split()
    assert "workdir" not in made.command
    # The command of the card trains the same.
    again = main.main([*made.command.split()[1:], f"--workdir={tmp_path / 'again'}"])
    assert again == 0
    repeated = keras.models.load_model(next((tmp_path / "again" / "models").iterdir()))
    for a, b in zip(repeated.get_weights(), models.pretrained("digits").get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"attacks": ["pgd(steps=3)"]}, r"with autoattack\. Received: pgd\(steps=3\)"),
        ({"split": "train"}, r"on the test split\. Received: train"),
        ({"dataset": "mnist"}, r"dataset of the training, mnist5k\. Received: mnist"),
    ],
)
def test_ship_refuses_another_evaluation(changed, message, trained, package, tmp_path):
    scored = evaluation(tmp_path / "scored", trained / "packed.keras", **changed)
    with pytest.raises(UserError, match=message):
        ship("digits", trained, scored, folder=package)
    assert models.pretrained_names() == []


def test_ship_refuses_what_does_not_fit(trained, package, tmp_path):
    other = save(models.softmax((28, 28, 1), 10), tmp_path / "other.keras")
    with pytest.raises(UserError, match="evaluation of the trained model, packed"):
        ship("digits", trained, evaluation(tmp_path / "a", other), folder=package)
    # Packed again to the same path, after it was judged.
    judged = evaluation(tmp_path / "c", shutil.copy(other, tmp_path / "packed.keras"))
    shutil.copy(trained / "packed.keras", tmp_path / "packed.keras")
    with pytest.raises(UserError, match=r"the model that ships\. Received: one of another file"):
        ship("digits", trained, judged, folder=package)
    with pytest.raises(UserError, match="workdir of tfinv evaluate"):
        ship("digits", trained, trained, folder=package)
    (tmp_path / "two").mkdir()
    shutil.copy(trained / "results.json", tmp_path / "two")
    with pytest.raises(UserError, match=r"one model in .*Received: 0"):
        ship("digits", tmp_path / "two", evaluation(tmp_path / "b", trained / "packed.keras"), folder=package)
    assert models.pretrained_names() == []


def comparison(folder, trained, attack="autoattack"):
    """As `tfinv reproduce cifar10` leaves it, with the trained model as one of two."""
    name = "softmax (usual)"
    told = next(r for r in Results.read(trained).rows if r["metric"] == "test_accuracy")
    hits = np.arange(1000) < 600
    rows = [
        told | {"experiment": "mlp (usual)", "epochs": 9},
        told | {"experiment": name},
        accuracy_row("mlp (usual)", attack, 0.1, ~hits, 3, norm="linf"),
        accuracy_row(name, "none", 0.0, hits, 3),
        accuracy_row(name, attack, 0.1, hits, 3, norm="linf"),
        accuracy_row(name, attack, 0.1, ~hits, 4, norm="linf"),
    ]
    config = {"dataset": "mnist5k", "image_size": None, "seed": 3, "workers": 2}
    config |= {"plain_architecture": "mlp", "architecture": "softmax", "robust_training": "fast(eps=.1)"}
    Results("reproduce cifar10", config, rows).write(folder)
    (folder / "models").mkdir()
    shutil.copy(next((trained / "models").iterdir()), folder / "models" / f"softmax-{name}-3.keras")
    return folder


def test_ship_compared(trained, package, tmp_path):
    folder = comparison(tmp_path / "compared", trained)
    made = ship_compared("digits", folder, "softmax (usual)", folder=package)
    check_whole("digits")
    check_scores("digits", datasets.load("mnist5k", "test"))
    assert [(s.attack, s.eps, s.accuracy) for s in made.robust] == [("autoattack", 0.1, 0.6)]
    assert (made.architecture, made.recipe, made.epochs) == ("softmax", "none", 1)
    assert made.command == made.evaluation
    assert made.command == (
        "tfinv reproduce cifar10 --dataset=mnist5k --seed=3 --plain_architecture=mlp --architecture=softmax "
        "'--robust_training=fast(eps=.1)'"
    )


def test_ship_compared_refuses_what_was_not_measured(trained, package, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="workdir of tfinv reproduce cifar10 or reproduce fer2013"):
        ship_compared("digits", trained, "softmax (usual)", folder=package)
    folder = comparison(tmp_path / "compared", trained)
    with pytest.raises(
        UserError, match=r"a model among mlp \(usual\), softmax \(usual\), softmax \(robust\)\. Received: 'softmax'"
    ):
        ship_compared("digits", folder, "softmax", folder=package)
    with pytest.raises(UserError, match=r"with autoattack\. Received: pgd"):
        ship_compared("digits", comparison(tmp_path / "pgd", trained, "pgd"), "softmax (usual)", folder=package)
    monkeypatch.setattr(importlib.import_module("tfinv.recipes.shipping"), "pack", lambda *_: "float16")
    with pytest.raises(UserError, match=r"small enough for float32\. Received: float16"):
        ship_compared("digits", folder, "softmax (usual)", folder=package)
    assert models.pretrained_names() == []


def test_rejudge(trained, package, tmp_path, capsys, few_checks):
    attack = "autoattack(n_targets=2,queries=20,steps=3)"
    scored = evaluation(tmp_path / "scored", trained / "packed.keras", attacks=[attack])
    first = ship("digits", trained, scored, folder=package)
    first = dataclasses.replace(first, robust=(dataclasses.replace(first.robust[0], n=20, accuracy=0.7),))
    (package / "digits.json").write_text(json.dumps(first.to_json()))

    def judge(model, name, n=30, eps=".1,.2"):
        line = f"evaluate --dataset=mnist5k --limit={n} --eps={eps} --check_images=5 --attacks={attack}"
        assert main.main([*line.split(), f"--model={model}", f"--workdir={tmp_path / name}"]) == 0
        return tmp_path / name

    again = judge("pretrained:digits", "again")
    made = rejudge("digits", again, folder=package)
    rows = [r for r in Results.read(again).rows_of("accuracy") if r["attack"] != "none"]
    assert [r["eps"] for r in rows] == [0.1, 0.2]
    assert [(s.eps, s.n, s.accuracy) for s in made.robust] == [
        (e, 30, r["accuracy"]) for e, r in zip((0.1, 0.2), rows, strict=True)
    ]
    assert "--limit=30" in made.evaluation
    assert made == dataclasses.replace(first, robust=made.robust, evaluation=made.evaluation) == models.card("digits")
    check_whole("digits")

    for name, less in (("few", {"n": 29}), ("one", {"eps": ".1"})):
        with pytest.raises(
            UserError, match=r"no fewer images than the card's, autoattack.*? at linf eps 0\.[12] on 30"
        ):
            rejudge("digits", judge("pretrained:digits", name, **less), folder=package)
    with pytest.raises(UserError, match=r"an evaluation of pretrained:digits\. Received: .*packed\.keras"):
        rejudge("digits", judge(trained / "packed.keras", "file"), folder=package)
    model = models.pretrained("digits")
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.9)
    model.save(package / "digits.keras")
    with pytest.raises(UserError, match=r"the model that ships\. Received: one of another file"):
        rejudge("digits", again, folder=package)
    assert models.card("digits") == made


def test_ship_refuses_a_packed_model_that_predicts_otherwise(trained, package, tmp_path, monkeypatch):
    module = importlib.import_module("tfinv.recipes.shipping")
    monkeypatch.setattr(module, "stored_type", lambda path: "float16")
    monkeypatch.setattr(module, "packed_weights", lambda weight, half: weight)
    monkeypatch.setattr(module, "_CHANGED", -1)
    with pytest.raises(UserError, match=r"other labels in float16\. Received: 0\.00%"):
        ship("digits", trained, evaluation(tmp_path / "scored", trained / "packed.keras"), folder=package)


def test_a_tampered_model_is_noticed(trained, package, tmp_path):
    ship("digits", trained, evaluation(tmp_path / "scored", trained / "packed.keras"), folder=package)
    model = models.pretrained("digits")
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.9)
    model.save(package / "digits.keras")
    with pytest.raises(AssertionError):
        check_whole("digits")
    with pytest.raises(AssertionError):
        check_scores("digits")
    card = json.loads((package / "digits.json").read_text())
    del card["machine"]
    (package / "digits.json").write_text(json.dumps(card))
    with pytest.raises(TypeError, match="machine"):
        models.card("digits")


def test_commands_take_a_pretrained_model(trained, package, tmp_path, capsys, few_checks):
    ship("digits", trained, evaluation(tmp_path / "scored", trained / "packed.keras"), folder=package)
    line = "evaluate --model=pretrained:digits --dataset=mnist5k --limit=50 --eps=.1 --attacks=fgsm --check_images=10"
    assert main.main([*line.split(), f"--workdir={tmp_path / 'run'}"]) == 0
    row = next(r for r in Results.read(tmp_path / "run").rows_of("accuracy") if r["attack"] == "none")
    few = datasets.load("mnist5k", "test").take(50)
    assert row["accuracy"] == np.mean(np.argmax(models.pretrained("digits")(few.images), 1) == few.labels)
    capsys.readouterr()
    assert main.main([*line.replace(":digits", ":digit").split(), f"--workdir={tmp_path / 'no'}"]) == 1
    assert "Expected a pretrained model among digits. Received: 'digit'." in capsys.readouterr().err


def test_the_folder_is_installed_with_the_package(tmp_path):
    """Built from a copy with a model in it, as none may ship yet."""
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("tfinv/__init__.py", "tfinv/version.py", "tfinv/models/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tfinv/models/data").mkdir()
    for suffix in (".keras", ".json", ".txt"):
        (tmp_path / f"tfinv/models/data/digits{suffix}").touch()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "built")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    built = {path.name for path in (tmp_path / "built/tfinv/models/data").iterdir()}
    assert built == {"digits.keras", "digits.json"}
