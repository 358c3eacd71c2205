"""Paths as a shell reads them, in every argument and flag that is one."""

import ast
import os
import pathlib
import pwd

import numpy as np
import pytest

from commands import one_line, run
from tfinv import datasets, files, load_classifier, paths
from tfinv.attacks import attack
from tfinv.datasets import locations
from tfinv.errors import UserError
from tfinv.reporting import Results, write_html, write_markdown, write_tensorboard
from tfinv.runs.workdir import Workdir, read_config

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder that is not the current one."""
    folder, current = tmp_path / "home", tmp_path / "current"
    folder.mkdir()
    current.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("RUNS", str(folder / "runs"))
    monkeypatch.delenv("NOTHING", raising=False)
    monkeypatch.chdir(current)
    yield folder
    assert not [name for name in os.listdir(current) if name.startswith(("~", "$"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "HOME"),
        ("~/a", "HOME/a"),
        ("$HOME/a", "HOME/a"),
        ("${HOME}/a", "HOME/a"),
        ("$RUNS/a", "HOME/runs/a"),
        ("~/$RUNS_", None),
        ("a/~", "a/~"),
        ("./~/a", "./~/a"),
        ("a~b", "a~b"),
        ("mnist5k", "mnist5k"),
        ("cost$", "cost$"),
        ("/absolute/", "/absolute/"),
    ],
)
def test_a_path_is_read_as_a_shell_reads_it(text, expected, home):
    if expected is None:
        with pytest.raises(UserError, match=r"variables that are set .* Received: no \$RUNS_\. Set RUNS_\."):
            paths.expand_text(text)
    else:
        assert paths.expand_text(text) == expected.replace("HOME", str(home))


def test_another_users_home_is_known_and_no_users_is_refused(home):
    user = pwd.getpwuid(os.getuid())
    assert paths.expand(f"~{user.pw_name}/a") == pathlib.Path(user.pw_dir) / "a"
    with pytest.raises(UserError, match=r"home folder of a user of this machine\. Received: ~no-such-user/a"):
        paths.expand("~no-such-user/a")


def test_a_name_with_a_dollar_sign_is_itself_where_it_exists(home):
    pathlib.Path("a$NOTHING").touch()
    assert paths.expand("a$NOTHING") == pathlib.Path("a$NOTHING")
    with pytest.raises(UserError, match="NOTHING"):
        paths.expand("b$NOTHING")


def test_a_folder_called_tilde_stays_one_however_often_it_is_read(home):
    once = paths.expand("./~/a")
    assert once == paths.expand(once) == pathlib.Path.cwd() / "~" / "a"


def test_every_argument_that_is_a_path_is_read_so(home):
    images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2
    np.savez(home / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    (home / "folders" / "a").mkdir(parents=True)
    assert len(datasets.load("~/data.npz")) == len(datasets.load("$HOME/data.npz", "test")) == 4
    with pytest.raises(UserError, match="images"):
        datasets.load("~/folders")
    assert locations.data_dir("~/d") == locations.data_dir("$HOME/d") == home / "d"
    assert locations.manual_dir(pathlib.Path("~/d")) == home / "d" / "manual"

    Workdir("$RUNS/w", {"a": 1}).json("s", lambda: 2)
    assert read_config("~/runs/w")["a"] == 1
    assert (home / "runs" / "w" / "stages" / "s.json").exists()
    files.write_json("~/f.json", {})
    assert files.read_json("$HOME/f.json") == {}
    assert files.digest("~/f.json") == files.digest(home / "f.json")
    np.savez(home / "f.npz", a=1)
    assert files.read_arrays("~/f.npz", "an array")["a"] == 1

    results = Results("audit", {}, [])
    assert results.write("~/r") == home / "r" / "results.json"
    assert Results.read("~/r").command == Results.read("$HOME/r/results.json").command == "audit"
    assert write_html(results, "~/r") == home / "r" / "report.html"
    assert write_markdown(results, "~/r") == home / "r" / "report.md"
    write_tensorboard(results, "~/r", "~/r/tensorboard")
    assert (home / "r" / "tensorboard").is_dir()

    with pytest.raises(UserError, match=str(home / "m.keras")):
        load_classifier("~/m.keras")
    assert attack("transfer(surrogate='~/m.keras')").files == (str(home / "m.keras"),)


def opened_as_written(tree):
    """Parameters that are paths of a user's, and that a function opens without `paths.expand`."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        arguments = [*function.args.args, *function.args.kwonlyargs]
        names = {a.arg for a in arguments if a.annotation and "PathLike" in ast.unparse(a.annotation)}
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in (
                "pathlib.Path",
                "Path",
                "open",
                "os.path.exists",
            ):
                yield from (f"{function.name}({a.id})" for a in call.args if isinstance(a, ast.Name) and a.id in names)


@pytest.mark.parametrize("path", sorted((ROOT / "tfinv").rglob("*.py")), ids=lambda path: path.stem)
def test_no_argument_that_is_a_path_is_opened_as_it_is_written(path):
    assert list(opened_as_written(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_the_search_for_such_arguments_finds_one():
    source = "def read(path: str | os.PathLike):\n    return open(path)\n"
    assert list(opened_as_written(ast.parse(source))) == ["read(path)"]


@pytest.mark.parametrize("place", ["~", "$HOME", "${HOME}"])
def test_every_flag_that_is_a_path_is_read_so(place, home, capsys):
    images, labels = np.zeros((8, 8, 8, 1), np.uint8), np.arange(8) % 2
    np.savez(home / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    data = f"--dataset={place}/data.npz"
    assert run("train", data, "--architecture=softmax", "--epochs=1", f"--workdir={place}/w") == 0
    model = f"--model={place}/w/models/softmax-none-0.keras"
    surrogate = f"--attacks=transfer(surrogate='{place}/w/models/softmax-none-0.keras',attack=fgsm)"
    line = ("attack", model, data, "--eps=.1", surrogate, f"--data_dir={place}/d", f"--workdir={place}/a")
    assert run(*line) == 0
    assert (home / "a" / "report.html").exists()
    assert run("report", f"--workdir={place}/a") == 0
    capsys.readouterr()
    line = ("reproduce", "cifar10", data, f"--auxiliary={place}/none", "--train_limit=4", f"--workdir={place}/r")
    assert run(*line) == 1
    assert str(home / "none") in one_line(capsys.readouterr().err)


def test_a_variable_that_is_not_set_is_no_folder(home, capsys):
    assert run("train", "--workdir=$NOTHING/w") == 2
    message = one_line(capsys.readouterr().err)
    assert "Received: no $NOTHING. Set NOTHING. Change --workdir." in message
