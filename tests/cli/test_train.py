"""`tfinv train` with the flags that say how a network is optimised."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.datasets import Dataset
from tfinv.reporting import Results
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule
from tfinv_cli import main, train
from tfinv_cli.common import command
from tfinv_cli.common.training import schedule_flags


def test_the_flags_are_the_schedules_fields_with_its_defaults():
    values, _ = command.parse(train.COMMAND, ["--workdir=w", "--validation=0"])
    assert schedule_flags.schedule(values) == Schedule()
    flags = ["--ema=.9", "--validation=7", "--architecture=cnn(units=9)", "--warmup=.1"]
    values, _ = command.parse(train.COMMAND, ["--workdir=w", *flags])
    expected = Schedule(ema=0.9, validation=7, architecture="cnn(units=9)", warmup=0.1)
    assert schedule_flags.schedule(values) == expected
    for field in dataclasses.fields(Schedule):
        assert f"--{field.name} " in command.manual(train.COMMAND)


def test_the_best_epoch_and_the_check_are_reported(tmp_path):
    flags = ("--epochs=2", "--batch_size=16", "--optimizer=sgd", "--rate_schedule=cyclic", "--weight_decay=5e-4")
    options = (
        "--augmentation=crop",
        "--label_smoothing=.1",
        "--ema=.9",
        "--precision=mixed_bfloat16",
        "--validation=20",
    )
    args = ("--dataset=mnist5k", "--limit=120", "--defense=fast(eps=.1)", "--architecture=softmax", *flags, *options)
    assert main.main(["train", *args, "--workdir", str(tmp_path)]) == 0
    results = Results.read(tmp_path)
    metrics = {row["metric"]: row for row in results.rows}
    assert metrics["best_epoch"]["value"] in (1, 2)
    assert metrics["best_epoch_robust_accuracy"]["n"] == 20
    (check,) = results.checks
    assert (check.name, check.passed) == ("no-catastrophic-overfitting", True)
    model = keras.models.load_model(tmp_path / "models" / "softmax-fast(eps=0.1)-0.keras")
    assert np.asarray(model(np.zeros((1, 28, 28, 1)))).dtype == np.float32
    for flag in ("--ema=1", "--warmup=2", "--validation_attack=zap"):
        assert main.main(["train", *args, flag, "--workdir", str(tmp_path / "other")]) == 1


def test_a_training_as_usual_is_not_judged_for_overfitting_to_single_steps(tmp_path):
    args = ["train", "--dataset=mnist5k", "--limit=60", "--architecture=softmax", "--epochs=1", "--validation=20"]
    assert main.main([*args, "--workdir", str(tmp_path / "as usual")]) == 0
    assert Results.read(tmp_path / "as usual").checks == []
    assert main.main([*args, "--validation_attack=pgd(eps=.1,steps=2)", "--workdir", str(tmp_path / "attacked")]) == 0
    (check,) = Results.read(tmp_path / "attacked").checks
    assert check.passed


def test_a_robust_training_is_watched_unless_told_otherwise(tmp_path):
    args = ["train", "--dataset=mnist5k", "--architecture=mlp(units=8)", "--epochs=1"]
    watched = [*args, "--defense=trades(eps=.1,steps=1)+reversal", "--limit=1040", "--workdir", str(tmp_path / "it")]
    assert main.main(watched) == 0
    results = Results.read(tmp_path / "it")
    metrics = {row["metric"]: row for row in results.rows}
    assert metrics["best_epoch_robust_accuracy"]["n"] == results.config["validation"] == 104
    assert [c.passed for c in results.checks] == [True]
    not_watched = [*args, "--defense=fast", "--limit=1040", "--validation=0", "--workdir", str(tmp_path / "not")]
    assert main.main(not_watched) == 0
    assert [c.passed for c in Results.read(tmp_path / "not").checks] == [None]


@pytest.mark.parametrize(
    ("n", "classes", "expected"), [(30000, 10, 1000), (1100, 10, 110), (1100, 1100, 0), (900, 10, 0)]
)
def test_how_many_images_a_robust_training_holds_out(n, classes, expected):
    labels = np.arange(n) % classes
    train = Dataset("d", "train", np.zeros((n, 1, 1, 1), np.float32), labels, tuple(map(str, range(classes))))
    assert schedule_flags.default_validation(defence("fast+reversal"), train) == expected
    for usual in ("bido", "reversal"):
        assert schedule_flags.default_validation(defence(usual), train) == 0


def test_several_workers_go_on_together(tmp_path, capsys):
    argv = ["train", "--distribution=multi_worker", "--noresume", f"--workdir={tmp_path}"]
    assert main.main(argv) == 2
    assert "Expected --resume" in capsys.readouterr().err


def test_however_a_text_form_is_written_it_is_kept_as_one():
    written = ["--defense=adversarial( steps=7, eps=.10 ) + reversal", "--augmentation=crop(padding=4)"]
    values, _ = command.parse(train.COMMAND, ["--workdir=w", *written])
    assert values.defense == "adversarial(eps=0.1)+reversal"
    assert values.augmentation == "crop"


def test_a_workdir_of_other_images_is_refused(tmp_path, capsys):
    args = ["train", f"--dataset={tmp_path / 'own.npz'}", "--architecture=softmax", "--epochs=1"]
    rng = np.random.default_rng(0)
    for passed in (True, False):
        images = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
        labels = np.arange(40) % 2
        np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
        assert (main.main([*args, "--workdir", str(tmp_path / "w")]) == 0) is passed
    assert "train_contents=" in capsys.readouterr().err


@pytest.fixture
def halves(tmp_path):
    """Images of 0 to 255 whose upper or lower half is bright, as an .npz."""
    data, n = stripes(120), 80
    pixels = np.uint8(255 * data.images)
    np.savez(
        tmp_path / "halves.npz", x_train=pixels[:n], y_train=data.labels[:n], x_test=pixels[n:], y_test=data.labels[n:]
    )
    return tmp_path / "halves.npz"


def own_network(path, *front, end="softmax"):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    last = layers.Dense(2 if end else 1, activation=end)
    hidden = layers.Conv2D(4, 3, activation="relu")
    keras.Sequential([keras.Input((8, 8, 1)), *front, hidden, layers.Flatten(), last]).save(path)
    return path


@pytest.mark.parametrize(
    ("front", "end", "flags", "bounds"),
    [
        ([keras.layers.Rescaling(1 / 255)], "softmax", [], (0.0, 255.0)),
        ([], None, ["--bounds=-1,1", "--weights=new"], (-1.0, 1.0)),
        ([], "softmax", [], (0.0, 1.0)),
    ],
)
def test_a_network_of_ones_own(front, end, flags, bounds, halves, tmp_path, capsys):
    """Trained, measured, exported in its own form, and taken by another command as the last lines say."""
    path = own_network(tmp_path / "mine.keras", *front, end=end)
    args = [f"--dataset={halves}", f"--network={path}", "--epochs=6", "--batch_size=8", "--learning_rate=.01", *flags]
    with warnings.catch_warnings(action="ignore"):  # which say in Python what the lines say here
        assert main.main(["train", *args, f"--workdir={tmp_path / 'w'}"]) == 0
    text = capsys.readouterr().out
    assert ("pass --bounds" in text) == (bounds == (0, 1))
    results = Results.read(tmp_path / "w")
    assert results.config["bounds"] == list(bounds)
    assert results.rows[0]["value"] > 0.9
    model = tmp_path / "w" / "models" / "mine-none-0.keras"
    assert keras.models.load_model(model).output_shape == (None, 2 if end else 1)
    (line,) = [line for line in text.splitlines() if line.startswith("It takes what the network took: ")]
    taken = line.partition("took: ")[2].split()
    assert taken == [f"--model={model}", *(["--bounds={:g},{:g}".format(*bounds)] if bounds != (0, 1) else [])]
    evaluated = ["--attacks=noise", "--eps=.01", "--check_images=1", f"--workdir={tmp_path / 'e'}"]
    assert main.main(["evaluate", *taken, f"--dataset={halves}", *evaluated]) == 0
    clean = next(row for row in Results.read(tmp_path / "e").rows if row["attack"] == "none")
    assert clean["accuracy"] == results.rows[0]["value"]
    assert main.main(["train", *args, f"--workdir={tmp_path / 'w'}"]) == 0  # read, not trained again


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--network=m.keras", "--architecture=cnn"], "--network or --architecture. Received: both"),
        (["--weights=new"], "--network with --weights. Received: none"),
        (["--bounds=0,255"], "--network with --bounds. Received: none"),
    ],
)
def test_flags_of_a_network_that_exclude_each_other(flags, message, tmp_path, capsys):
    assert main.main(["train", *flags, f"--workdir={tmp_path}"]) == 2
    assert message in capsys.readouterr().err


def test_a_network_of_another_size_gets_images_of_its_size(halves, tmp_path):
    network = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    network.save(tmp_path / "m.keras")
    flags = [f"--network={tmp_path / 'm.keras'}", f"--dataset={halves}", "--epochs=1", f"--workdir={tmp_path / 'w'}"]
    assert main.main(["train", *flags]) == 0
    assert any(
        "resized" in note or "6" in note for note in Results.read(tmp_path / "w").environment["notes on the images"]
    )
