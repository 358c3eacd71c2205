"""The front door: help, versions and refusals come before TensorFlow, and absl's flags do what they do elsewhere."""

import json
import subprocess
import sys
import xml.dom.minidom

import pytest

from commands import one_line, process, run
from tfinv_cli import evaluate
from tfinv_cli.common import command
from tfinv_cli.main import COMMANDS

# Packages whose import takes longer than a person notices.
HEAVY = {
    "tensorflow", "keras", "h5py", "scipy", "sklearn", "skimage", "matplotlib", "pandas", "dask", "distributed", "rich",
}  # fmt: skip

ARGUMENTS = [
    (["--help"], 0),
    (["--version"], 0),
    ([], 2),
    (["fly"], 2),
    *(([command, flag], 0) for command in COMMANDS for flag in ("--help", "--helpshort", "--helpfull", "--helpxml")),
    (["reproduce", "frontier", "--help"], 0),
    *(([command], 2) for command in COMMANDS),  # --workdir is missing
    (["evaluate", "--modle=x"], 2),
    (["evaluate", "--eps=big"], 2),
    (["evaluate", "--split=none"], 2),
    (["evaluate", "--attacks=zap"], 2),
    (["evaluate", "--attacks=pgd(steps=4"], 2),
    (["evaluate", "--batch_size=0"], 2),
    (["evaluate", "--workdir=$NO_SUCH_VARIABLE/w"], 2),
    (["evaluate", "stray", "--model=m", "--dataset=d", "--workdir=w"], 2),
    (["train", "--workdir=w", "--defense=magic"], 2),
    (["train", "--workdir=w", "--defense=fast+magic"], 2),
    (["train", "--workdir=w", "--architecture=lenet"], 2),
    (["train", "--workdir=w", "--augmentation=cutout"], 2),
    (["invert", "--methods=plague"], 2),
    (["invert", "--evaluators=mlp+magic"], 2),
    (["evaluate", "--model=nowhere.keras", "--dataset=mnist5k", "--workdir=w"], 1),
    (["evaluate", f"--model={__file__}", "--dataset=mnist5k", "--workdir=w"], 1),
    (["attack", "--model=pretrained:nothing", "--dataset=mnist5k", "--workdir=w"], 1),
    (["attack", "--model=pretrained:mnist-natural", "--dataset=nowhere", "--workdir=w"], 1),
    (["attack", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--surrogate=no.keras", "--workdir=w"], 1),
    (["attack", "--model=pretrained:mnist-natural", "--dataset=mnist5k", f"--workdir={__file__}"], 1),
    (["invert", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--auxiliary=no", "--workdir=w"], 1),
    (["evaluate", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--bounds=1", "--workdir=w"], 2),
    (["evaluate", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--image_size=1", "--workdir=w"], 2),
    (
        ["evaluate", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--scheduler=no", "--workdir=w"],
        1,
    ),
    (["train", "--workdir=w", "--network=nowhere.keras"], 1),
    (["train", "--workdir=w", "--network=m.keras", "--architecture=cnn"], 2),
    (["train", "--workdir=w", "--weights=new"], 2),
    (["reproduce", "table9", "--workdir=w"], 2),
    (["reproduce", "table1", "--workdir=w", "--auxiliary_limit=4"], 2),
]


@pytest.fixture(scope="module")
def outcomes():
    """Of each call the exit code, standard error, and the heavy packages that were imported until its end."""
    script = """
import contextlib, io, json, sys
from tfinv_cli import main
outcomes = []
for argv in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
        code = main.main(argv)
    outcomes.append([code, error.getvalue(), sorted({name.partition(".")[0] for name in sys.modules})])
print(json.dumps(outcomes))
"""
    calls = json.dumps([argv for argv, _ in ARGUMENTS])
    done = subprocess.run([sys.executable, "-c", script, calls], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", range(len(ARGUMENTS)), ids=[" ".join(argv) or "nothing" for argv, _ in ARGUMENTS])
def test_nothing_heavy_is_imported(number, outcomes):
    (_, expected), (code, error, modules) = ARGUMENTS[number], outcomes[number]
    assert code == expected, error
    assert HEAVY.intersection(modules) == set()
    if code and ARGUMENTS[number][0]:
        assert "Expected" in one_line(error)


def test_a_wrong_argument_of_a_text_form_is_refused_with_tensorflow(capsys):
    assert run("train", "--workdir=w", "--defense=mid(gamma=1)") == 2
    assert "Expected arguments of mid among" in one_line(capsys.readouterr().err)


def test_importing_the_package_imports_no_tensorflow_until_it_is_needed():
    script = """
import sys
import tfinv
assert tfinv.__version__
assert {"Classifier", "load_classifier"} <= set(dir(tfinv))
assert "tensorflow" not in sys.modules
import tfinv.threat  # by whichever module it comes, TensorFlow comes without its chatter
assert "tensorflow" in sys.modules
from tfinv import Classifier, load_classifier
assert Classifier.__name__ == "Classifier"
try:
    tfinv.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("no error")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_keras_on_another_backend_is_refused(tmp_path):
    """Of a Keras that says so: no other backend is installed."""
    package = tmp_path / "keras"
    package.mkdir()
    (package / "__init__.py").write_text("from keras import backend\n")
    (package / "backend.py").write_text("def backend():\n    return 'torch'\n")
    # A look for the module before the import, as many libraries take one, changes nothing.
    look = "import importlib.util; importlib.util.find_spec('keras')"
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tfinv.specs; {look}; import keras"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Expected Keras on its TensorFlow backend. Received: torch. Set KERAS_BACKEND=tensorflow" in done.stderr


def test_short_help_is_help_and_full_help_has_absls_flags_too(capsys):
    texts = {}
    for flag in ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull"):
        assert run("evaluate", flag) == 0
        texts[flag] = capsys.readouterr().out
    assert len({texts[flag] for flag in ("--help", "-help", "-h", "-?", "--helpshort")}) == 1
    assert "--flagfile" not in texts["--help"]
    assert texts["--helpfull"].startswith(texts["--help"].rstrip("\n"))
    for name in ("flagfile", "undefok", "helpxml"):
        assert f"  --{name}\n" in texts["--helpfull"]


def test_help_lists_choices_once(capsys):
    for name in COMMANDS:
        assert run(name, "--help") == 0
        text = capsys.readouterr().out
        assert "<" not in text.partition("Flags:")[2]
        assert "repeat this option" not in text


def test_help_as_xml_has_every_flag_with_its_default():
    done = process("evaluate", "--helpxml")
    assert (done.returncode, done.stderr) == (0, "")
    document = xml.dom.minidom.parseString(done.stdout)

    def texts(tag, node=document):
        return [element.firstChild.data if element.firstChild else "" for element in node.getElementsByTagName(tag)]

    assert texts("program") == ["tfinv evaluate"]
    assert texts("usage")[0].startswith("Measures a model's accuracy under attack")
    flags = {texts("name", node)[0]: texts("default", node)[0] for node in document.getElementsByTagName("flag")}
    assert flags.keys() >= {"model", "dataset", "eps", "workers", "scheduler", "resume"}
    assert flags["eps"] == "0.05,0.1,0.25"


def test_flags_may_come_from_files(tmp_path, monkeypatch, capsys):
    (tmp_path / "inner").write_text("--eps=big\n")
    (tmp_path / "flags").write_text(f"# of a test\n--workdir=w\n\n--attacks=fgsm\n--flagfile={tmp_path / 'inner'}\n")
    assert run("evaluate", f"--flagfile={tmp_path / 'flags'}") == 2
    assert "Received: 'big'. Change --eps." in one_line(capsys.readouterr().err)
    # What comes later wins, and a shell leaves `~` behind "=" to the program.
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "inner").write_text("--eps=.2\n--limit=5\n")
    arguments = ["--limit=3", "--flagfile=~/flags", "--eps=.1", "--model=m", "--dataset=d"]
    values, _ = command.parse(evaluate.COMMAND, arguments)
    assert (values.workdir, values.attacks, values.eps, values.limit) == ("w", ["fgsm"], [0.1], 5)
    assert run("evaluate", "--flagfile=nowhere") == 2
    assert "nowhere" in one_line(capsys.readouterr().err)


def test_flags_that_may_be_unknown_are_ignored(capsys):
    assert run("evaluate", "--undefok=colour,shape", "--colour=red", "--noshape", "--model=m", "--dataset=d") == 2
    assert "Expected --workdir. Received: none." in one_line(capsys.readouterr().err)
    assert run("evaluate", "--undefok=colour", "--size=3") == 2
    assert "Received: --size." in one_line(capsys.readouterr().err)
