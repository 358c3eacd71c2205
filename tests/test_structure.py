"""The parts of docs/design.md that a test can hold the code to."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Each place imports only from those before it, and from itself. A package stands for all its modules.
ORDER = """
tfinv._quiet tfinv.version
tfinv.errors
tfinv.files tfinv.labels tfinv.specs tfinv.random tfinv.pool tfinv.threat tfinv.layers tfinv.validation tfinv.graphs
tfinv.features tfinv.heads tfinv.fast_ops tfinv.folding tfinv.prediction
tfinv.acceleration tfinv.saved_model
tfinv.classifier
tfinv.compiled tfinv.probing tfinv.importing
tfinv
tfinv.models
tfinv.datasets
tfinv.attacks
tfinv.inversion
tfinv.training
tfinv.evaluation
tfinv.reporting
tfinv.recipes
tfinv_cli
"""
LEVEL = {name: level for level, line in enumerate(ORDER.split("\n")) for name in line.split()}

COMMANDS = ("attack", "evaluate", "invert", "report", "reproduce", "train")
SHARED = (
    "__init__",
    "adversarial",
    "chunks",
    "command",
    "compared",
    "finish",
    "flags",
    "optimising",
    "progress",
    "robust",
    "settings",
    "victim",
)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted([*(ROOT / "tfinv").rglob("*.py"), *(ROOT / "tfinv_cli").rglob("*.py")])
MODULES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def place(module):
    """The entry of ORDER that a module belongs to."""
    parts = module.split(".")
    return module if parts == ["tfinv"] else ".".join(parts[: 1 if parts[0] == "tfinv_cli" else 2])


def imported(module):
    """The modules of ours that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively; write the whole name"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name.split(".")[0] in ("tfinv", "tfinv_cli")}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    assert place(module) in LEVEL, f"give {place(module)} its place in ORDER, and in docs/design.md"
    for other in imported(module):
        own = place(other) == place(module)
        assert own or LEVEL[place(other)] < LEVEL[place(module)], f"{module} imports {other}"


def test_the_order_names_what_exists():
    assert {place(module) for module in MODULES} == set(LEVEL)


def test_every_place_is_in_the_design():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert [name for name in LEVEL if name.rpartition(".")[2] not in text] == []


def test_commands_are_thin():
    found = {path.stem for path in (ROOT / "tfinv_cli").glob("*.py")}
    assert found == {*COMMANDS, "main", *SHARED}
    # The shared modules are libraries of the commands, so the limit is not theirs.
    programs = [ROOT / "tfinv_cli" / f"{name}.py" for name in (*COMMANDS, "main")]
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in programs}
    assert {name: length for name, length in lengths.items() if length >= 120} == {}


def definitions(body, prefix=""):
    """Public functions, classes and methods, by name."""
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        overloads = [getattr(d, "attr", getattr(d, "id", "")) for d in node.decorator_list]
        if "overload" not in overloads:
            yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring(module):
    tree = MODULES[module]
    assert ast.get_docstring(tree), f"{module} has no docstring"
    without = [name for name, node in definitions(tree.body) if not ast.get_docstring(node)]
    assert without == []


def test_imports_are_quiet_and_need_no_order():
    names = [m for m in MODULES if m != "tfinv._quiet"]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
