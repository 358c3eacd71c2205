"""What the texts say is true: examples run, commands parse, checks and modules are all described, links lead somewhere."""

import ast
import importlib
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import yaml

from tests.importing.zoo import table
from tfinv import attacks, inversion
from tfinv.membership import membership_attack
from tfinv.training import defences
from tfinv_cli.common import command
from tfinv_cli.main import COMMANDS

ROOT = pathlib.Path(__file__).parent.parent
DOCS = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*sorted(ROOT.glob("*.md")), *sorted(DOCS))
}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


EXAMPLES = [(name, i, code) for name, text in TEXTS.items() for i, code in enumerate(blocks(text, "python"))]


@pytest.fixture(scope="module")
def model_and_images(tmp_path_factory):
    """A folder with a tiny model and images it can tell apart, as a user would have them: model.keras and images.npz."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(0)
    labels = np.arange(60) % 3
    images = np.random.default_rng(0).integers(0, 60, (60, 12, 12, 1))
    for label in range(3):
        images[labels == label, 4 * label : 4 * label + 4] += 150
    np.savez(folder / "images.npz", images=images.astype(np.uint8), labels=labels)
    layers = [keras.Input((12, 12, 1)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(images / 255.0, labels, epochs=10, verbose=0)
    model.save(folder / "model.keras")
    return folder


@pytest.fixture
def run_example(model_and_images, tmp_path, monkeypatch):
    """Runs an example in a folder with that model and those images."""
    monkeypatch.chdir(shutil.copytree(model_and_images, tmp_path / "example"))
    return lambda code: exec(compile(code, "example", "exec"), {"__name__": "example"})


def test_the_first_example_of_the_readme(run_example, capsys):
    code = blocks(TEXTS["README.md"], "python")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    run_example(code)
    printed = capsys.readouterr().out
    # One clean row, three attacks at two eps, and the checks.
    assert len(re.findall(r"^\w+ +eps 0\.\d+  accuracy [01]\.\d+  95 % \[.*\]  n 60$", printed, re.MULTILINE)) == 7
    assert "input-range-and-dtype: True" in printed


JUDGED = {("README.md", 0), ("docs/the-defence.md", 0)}  # by a test of its own


@pytest.mark.parametrize(("name", "code"), [(n, c) for n, i, c in EXAMPLES if (n, i) not in JUDGED])
def test_the_other_examples_run(name, code, run_example):
    run_example(code)


def test_the_example_of_the_defence_leaves_a_plain_model(run_example):
    run_example(blocks(TEXTS["docs/the-defence.md"], "python")[0])
    model = keras.models.load_model("defended.keras", custom_objects={})
    assert [type(layer).__module__.split(".")[0] for layer in model.layers] == ["keras"] * len(model.layers)
    assert model.output_shape == (None, 3)


LINES = [
    (name, line.strip())
    for name, text in TEXTS.items()
    for block in blocks(text, "console")
    for line in block.replace("\\\n", " ").splitlines()  # a backslash continues a line
    if re.match(r"\s*(\.venv/bin/)?tfinv ", line)
]


@pytest.mark.parametrize("script", blocks(TEXTS["docs/scale.md"], "sh"))
def test_the_scripts_are_shell(script):
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_each_task_of_the_slurm_job_learns_who_takes_part(tmp_path):
    (script,) = [code for code in blocks(TEXTS["docs/scale.md"], "sh") if "srun" in code]
    for name, code in {
        "scontrol": 'if [ "$1" = show ]; then printf "node1\\nnode2\\n"; fi',
        "srun": 'shift; SLURM_PROCID=1 "$@"',
        "tfinv": 'printf "%s\\n" "$TF_CONFIG" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{code}\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_ID": "7"}
    done = subprocess.run(["bash", "-c", script], env=path, text=True, check=True, capture_output=True)
    config, *flags = done.stdout.splitlines()
    assert json.loads(config) == {
        "cluster": {"worker": ["node1:2222", "node2:2222"]},
        "task": {"type": "worker", "index": 1},
    }
    assert train_flags(flags).distribution == "multi_worker"


def train_flags(flags):
    """What `tfinv train` makes of its flags."""
    assert flags[0] == "train"
    values, _ = command.parse(importlib.import_module("tfinv_cli.train").COMMAND, flags[1:])
    return values


def test_each_pod_of_the_kubernetes_job_learns_who_takes_part(tmp_path):
    code = "\n---\n".join(blocks(TEXTS["docs/scale.md"], "yaml"))
    documents = {document["kind"]: document for document in yaml.safe_load_all(code)}
    assert documents.keys() == {"TFJob", "Service", "Job"}
    (container,) = documents["TFJob"]["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    assert (container["name"], container["command"][0]) == ("tensorflow", "tfinv")
    assert train_flags(container["command"][1:]).distribution == "multi_worker"
    job, service = documents["Job"], documents["Service"]
    pod = job["spec"]["template"]["spec"]
    name, count = job["metadata"]["name"], job["spec"]["completions"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["metadata"]["name"] == pod["subdomain"]
    (tmp_path / "tfinv").write_text('#!/bin/bash\nprintf "%s\\0" "$TF_CONFIG" "$@"\n')
    (tmp_path / "tfinv").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": "1"}
    done = subprocess.run(pod["containers"][0]["command"], env=path, text=True, check=True, capture_output=True)
    config, *flags = done.stdout.split("\0")[:-1]
    # The pod of an Indexed Job is called JOB-INDEX, and found within its subdomain.
    addresses = [f"{name}-{i}.{pod['subdomain']}:2222" for i in range(count)]
    assert json.loads(config) == {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 1}}
    assert train_flags(flags).distribution == "multi_worker"


def test_the_clusters_in_python_call_a_command_that_can_be_read(monkeypatch):
    """Of jobs that are not there: the command's flags are read, and the scheduler's address is passed on."""
    (code,) = [code for code in blocks(TEXTS["docs/scale.md"], "py") if "SLURMCluster" in code]
    cluster = types.SimpleNamespace(adapt=lambda **limits: None, scheduler_address="tcp://10.0.0.1:8786")
    stand_in = types.SimpleNamespace(SLURMCluster=lambda **options: cluster)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", stand_in)
    calls = []
    monkeypatch.setattr("tfinv_cli.main.main", calls.append)
    exec(compile(code, "example", "exec"), {"__name__": "__main__"})
    ((name, *flags),) = calls
    values, _ = command.parse(importlib.import_module(f"tfinv_cli.{name}").COMMAND, flags)
    assert values.scheduler == "tcp://10.0.0.1:8786"


def test_the_shared_training_in_python_trains(tmp_path):
    (code,) = [code for code in blocks(TEXTS["docs/scale.md"], "py") if "strategy" in code]
    for written, here in [
        ('"multi_worker"', '"mirrored"'),
        ('"train")', '"train", limit=64)'),
        ("/shared/run", tmp_path),
    ]:
        assert written in code
        code = code.replace(written, str(here))
    names = {}
    exec(compile(code, "example", "exec"), names)
    assert int(names["model"].optimizer.iterations.numpy()) == 2 * (64 // 32)


def test_there_are_command_lines_to_parse():
    assert {name for name, _ in LINES} >= {"README.md", "docs/start-here.md", "docs/the-defence.md"}
    assert {line.split()[1] for _, line in LINES} == set(COMMANDS)


@pytest.mark.parametrize(("name", "line"), LINES)
def test_command_lines_parse(name, line):
    _, chosen, *flags = shlex.split(line)
    module = importlib.import_module(f"tfinv_cli.{chosen}")
    values, rest = command.parse(module.COMMAND, flags)
    assert len(rest) == len(module.COMMAND.arguments.split())
    if "|" in module.COMMAND.arguments:
        assert rest[0] in module.COMMAND.arguments.split("|")
    settings = values.flag_values_dict()
    make = membership_attack if chosen == "membership" else attacks.attack
    for spec in settings.get("attacks") or ():
        make(spec)
    for spec in settings.get("methods") or ():
        inversion.method(spec)
    if "defense" in settings:
        defences.defence(settings["defense"])


@pytest.mark.parametrize("name", sorted({name for name, _, _ in EXAMPLES} | {name for name, _ in LINES}))
def test_commands_named_in_running_text_exist(name):
    for words in re.findall(r"`tfinv ([a-z]\w*)", TEXTS[name]):
        assert words in COMMANDS


def test_the_readme_lists_every_command():
    rows = re.findall(r"^\| `tfinv (\w+)` \|", TEXTS["README.md"], re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


class Names:
    """The names of the checks in the code: whatever `Check(...)` is given first, followed back to its constants."""

    def __init__(self):
        paths = [*(ROOT / "tfinv").rglob("*.py"), *(ROOT / "tfinv_cli").rglob("*.py")]
        self.functions = []
        self.calls = []
        for path in sorted(paths):
            self._visit(ast.parse(path.read_text(encoding="utf-8")), None)

    def _visit(self, node, scope):
        if isinstance(node, ast.FunctionDef):
            self.functions.append(node)
            scope = node
        if isinstance(node, ast.Call):
            self.calls.append((node, scope))
        for child in ast.iter_child_nodes(node):
            self._visit(child, scope)

    def emitted(self):
        emitted = set()
        for call, scope in self.calls:
            # `merge` renames nothing: its names are those of the checks it merges. Check(**c) reads a stored one.
            if _called(call) != "Check" or (scope and scope.name == "merge") or not (call.args or call.keywords[0].arg):
                continue
            first = call.args[0] if call.args else next(k.value for k in call.keywords if k.arg == "name")
            emitted |= self._values(first, scope)
        return emitted

    def _values(self, node, scope):
        if isinstance(node, ast.Constant):
            return {node.value}
        if isinstance(node, ast.FormattedValue):
            return self._values(node.value, scope)
        if isinstance(node, ast.JoinedStr):
            parts = [self._values(value, scope) for value in node.values]
            return {"".join(combination) for combination in itertools.product(*parts)}
        assert isinstance(node, ast.Name), f"follow {ast.unparse(node)} back to its constants here"
        for loop in ast.walk(scope):
            if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and loop.target.id == node.id:
                return set(ast.literal_eval(loop.iter))
        place = [argument.arg for argument in scope.args.args].index(node.id)
        callers = [(c, s) for c, s in self.calls if _called(c) == scope.name]
        return set().union(*(self._values(c.args[place], s) for c, s in callers))


def _called(call):
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def test_every_check_has_one_heading_and_every_heading_a_check():
    headings = re.findall(r"^#+ ([a-z0-9]+(?:-[a-z0-9]+)+)$", TEXTS["docs/reading-a-report.md"], re.MULTILINE)
    emitted = Names().emitted()
    assert {"zero-gradients", "pgd-at-least-fgsm", "gives-away-less", "preprocessing-fits"} <= emitted
    assert sorted(headings) == sorted(emitted)


def test_the_api_has_every_public_module():
    listed = re.findall(r"^\.\. automodule:: (\S+)$", "\n".join(TEXTS.values()), re.MULTILINE)
    modules = []
    for path in (ROOT / "tfinv").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        # The package itself exports only what is listed elsewhere, and a builder's package holds one module.
        if len(parts) > 1 and not parts[-1].startswith("_") and parts[-1] not in ("att_faces", "fer2013"):
            modules.append(".".join(parts))
    assert sorted(listed) == sorted(modules), "give each module its place in docs/api"


def anchors(text):
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (ROOT / name).parent / path if path else ROOT / name
        assert to.exists(), target
        if anchor:
            assert anchor in anchors(to.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", TEXTS)
def test_texts_name_nothing_of_one_machine(name):
    assert re.findall(r"/root\b|/home/|file://", TEXTS[name]) == []


def test_the_page_of_models_has_the_table_of_the_forms():
    advice = "write it anew: python -m tests.importing.zoo.table"
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), advice
