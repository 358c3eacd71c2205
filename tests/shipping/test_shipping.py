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
from tfinv import catalogue, datasets, files, models
from tfinv.errors import UserError
from tfinv.evaluation.robustness.accuracy import accuracy_row
from tfinv.reporting import Results
from tfinv.shipping.card import ship, ship_from_comparison, update_scores
from tfinv.shipping.packing import pack
from tfinv_cli import main

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
ROOT = pathlib.Path(__file__).parents[2]


def save(model, path):
    model.save(path)
    return path


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
    monkeypatch.setattr(catalogue, "PRETRAINED", folder)
    return folder


def test_ship(trained, package, tmp_path):
    evaluation_dir = evaluation(tmp_path / "scored", trained / "packed.keras")
    card = ship("digits", trained, evaluation_dir, folder=package)
    assert models.pretrained_names() == ["digits"]
    assert models.card("digits") == card
    check_whole("digits")
    check_scores("digits")
    digits = datasets.load("mnist5k", "test")
    check_scores("digits", digits)
    row = next(r for r in Results.read(trained).rows if r["metric"] == "test_accuracy")
    assert card.clean.accuracy == row["value"] == card.embedded[0] / card.embedded[1]
    assert card.clean.n == card.embedded[1] == 1000
    assert [(s.attack, s.norm, s.eps, s.accuracy, s.n) for s in card.robust] == [("autoattack", "linf", 0.1, 0.7, 1000)]
    assert (card.architecture, card.recipe, card.dataset, card.seed, card.epochs) == (
        "softmax",
        "none",
        "mnist5k",
        3,
        1,
    )
    assert (card.weights, card.parameters, card.classes) == ("float32", 7850, tuple("0123456789"))
    assert card.evaluation == (
        "tfinv evaluate --attacks=autoattack --dataset=mnist5k --eps=0.1 --model=pretrained:digits --seed=0 --split=test"
    )
    for piece in ("--architecture=softmax", "--dataset=mnist5k", "--defense=none", "--epochs=1"):
        assert piece in card.command.split()
    assert "workdir" not in card.command
    # The command of the card trains the same.
    again = main.main([*card.command.split()[1:], f"--workdir={tmp_path / 'again'}"])
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
    evaluation_dir = evaluation(tmp_path / "scored", trained / "packed.keras", **changed)
    with pytest.raises(UserError, match=message):
        ship("digits", trained, evaluation_dir, folder=package)
    assert models.pretrained_names() == []


def test_ship_refuses_what_does_not_fit(trained, package, tmp_path):
    other = save(models.softmax((28, 28, 1), 10), tmp_path / "other.keras")
    with pytest.raises(UserError, match="evaluation of the trained model, packed"):
        ship("digits", trained, evaluation(tmp_path / "a", other), folder=package)
    # Packed again to the same path, after its evaluation.
    outdated = evaluation(tmp_path / "c", shutil.copy(other, tmp_path / "packed.keras"))
    shutil.copy(trained / "packed.keras", tmp_path / "packed.keras")
    with pytest.raises(UserError, match=r"the model that ships\. Received: one of another file"):
        ship("digits", trained, outdated, folder=package)
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
    row = next(r for r in Results.read(trained).rows if r["metric"] == "test_accuracy")
    hits = np.arange(1000) < 600
    rows = [
        row | {"experiment": "mlp (usual)", "epochs": 9},
        row | {"experiment": name},
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


def test_ship_from_comparison(trained, package, tmp_path):
    folder = comparison(tmp_path / "compared", trained)
    card = ship_from_comparison("digits", folder, "softmax (usual)", folder=package)
    check_whole("digits")
    check_scores("digits", datasets.load("mnist5k", "test"))
    assert [(s.attack, s.eps, s.accuracy) for s in card.robust] == [("autoattack", 0.1, 0.6)]
    assert (card.architecture, card.recipe, card.epochs) == ("softmax", "none", 1)
    assert card.command == card.evaluation
    assert card.command == (
        "tfinv reproduce cifar10 --dataset=mnist5k --seed=3 --plain_architecture=mlp --architecture=softmax "
        "'--robust_training=fast(eps=.1)'"
    )


def test_ship_compared_refuses_what_was_not_measured(trained, package, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="workdir of tfinv reproduce cifar10 or reproduce fer2013"):
        ship_from_comparison("digits", trained, "softmax (usual)", folder=package)
    folder = comparison(tmp_path / "compared", trained)
    with pytest.raises(
        UserError, match=r"a model among mlp \(usual\), softmax \(usual\), softmax \(robust\)\. Received: 'softmax'"
    ):
        ship_from_comparison("digits", folder, "softmax", folder=package)
    with pytest.raises(UserError, match=r"with autoattack\. Received: pgd"):
        ship_from_comparison("digits", comparison(tmp_path / "pgd", trained, "pgd"), "softmax (usual)", folder=package)
    monkeypatch.setattr(importlib.import_module("tfinv.shipping.card"), "pack", lambda *_: "float16")
    with pytest.raises(UserError, match=r"small enough for float32\. Received: float16"):
        ship_from_comparison("digits", folder, "softmax (usual)", folder=package)
    assert models.pretrained_names() == []


def test_update_scores(trained, package, tmp_path, capsys, few_checks):
    attack = "autoattack(n_targets=2,queries=20,steps=3)"
    evaluation_dir = evaluation(tmp_path / "scored", trained / "packed.keras", attacks=[attack])
    first = ship("digits", trained, evaluation_dir, folder=package)
    first = dataclasses.replace(first, robust=(dataclasses.replace(first.robust[0], n=20, accuracy=0.7),))
    (package / "digits.json").write_text(json.dumps(first.to_json()))

    def evaluate(model, name, n=30, eps=".1,.2"):
        line = f"evaluate --dataset=mnist5k --limit={n} --eps={eps} --check_images=5 --attacks={attack}"
        assert main.main([*line.split(), f"--model={model}", f"--workdir={tmp_path / name}"]) == 0
        return tmp_path / name

    again = evaluate("pretrained:digits", "again")
    card = update_scores("digits", again, folder=package)
    rows = [r for r in Results.read(again).rows_of("accuracy") if r["attack"] != "none"]
    assert [r["eps"] for r in rows] == [0.1, 0.2]
    assert [(s.eps, s.n, s.accuracy) for s in card.robust] == [
        (e, 30, r["accuracy"]) for e, r in zip((0.1, 0.2), rows, strict=True)
    ]
    assert "--limit=30" in card.evaluation
    assert card == dataclasses.replace(first, robust=card.robust, evaluation=card.evaluation) == models.card("digits")
    check_whole("digits")

    for name, less in (("few", {"n": 29}), ("one", {"eps": ".1"})):
        with pytest.raises(
            UserError, match=r"no fewer images than the card's, autoattack.*? at linf eps 0\.[12] on 30"
        ):
            update_scores("digits", evaluate("pretrained:digits", name, **less), folder=package)
    with pytest.raises(UserError, match=r"an evaluation of pretrained:digits\. Received: .*packed\.keras"):
        update_scores("digits", evaluate(trained / "packed.keras", "file"), folder=package)
    model = models.pretrained("digits")
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.9)
    model.save(package / "digits.keras")
    with pytest.raises(UserError, match=r"the model that ships\. Received: one of another file"):
        update_scores("digits", again, folder=package)
    assert models.card("digits") == card


def test_ship_refuses_a_packed_model_that_predicts_otherwise(trained, package, tmp_path, monkeypatch):
    module = importlib.import_module("tfinv.shipping.card")
    monkeypatch.setattr(module, "stored_type", lambda path: "float16")
    monkeypatch.setattr(module, "packed_weights", lambda weight, half: weight)
    monkeypatch.setattr(module, "_MAX_CHANGED", -1)
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
