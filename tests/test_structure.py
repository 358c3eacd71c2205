"""The parts of docs/design.md that a test can hold the code to."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Each place imports only from those before it, and from itself. A package stands for all its modules.
ORDER = """
tfinv._quiet tfinv.version
tfinv.errors
tfinv.paths
tfinv.labels tfinv.specs tfinv.catalogue tfinv.random tfinv.pool tfinv.threat tfinv.layers
tfinv.files
tfinv.classifier
tfinv.importing
tfinv
tfinv.models
tfinv.datasets
tfinv.attacks
tfinv.inversion
tfinv.membership
tfinv.training
tfinv.evaluation
tfinv.callbacks
tfinv.reporting
tfinv.runs
tfinv.comparison
tfinv.auditing
tfinv.experiments
tfinv.shipping
tfinv_cli
"""
LEVEL = {name: level for level, line in enumerate(ORDER.split("\n")) for name in line.split()}

COMMANDS = ("attack", "audit", "compare", "evaluate", "invert", "membership", "report", "reproduce", "shadows", "train")
# Rooms that say in their first lines how they are ordered.
LARGE = ("attacks", "inversion", "training")
MOST_FILES, MOST_LINES = 14, 300


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
    modules = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively; write the whole name"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules |= {name if name in MODULES else node.module for name in names}
    return {name for name in modules if name.split(".")[0] in ("tfinv", "tfinv_cli")}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    assert place(module) in LEVEL, f"give {place(module)} its place in ORDER, and in docs/design.md"
    for other in imported(module):
        same = place(other) == place(module)
        assert same or LEVEL[place(other)] < LEVEL[place(module)], f"{module} imports {other}"


# Of rooms within a room, likewise.
INNER = """
tfinv.reporting.results tfinv.evaluation.statistics tfinv.experiments.settings
tfinv.reporting.tables tfinv.evaluation.robustness tfinv.evaluation.inversion
tfinv.reporting.figures tfinv.evaluation.frontier tfinv.evaluation.membership
tfinv.reporting.tensorboard
"""
INNER_LEVEL = {name: level for level, line in enumerate(INNER.split("\n")) for name in line.split()}


def inner_room(module):
    """The entry of INNER that a module belongs to, or None."""
    return next((name for name in INNER_LEVEL if module == name or module.startswith(f"{name}.")), None)


@pytest.mark.parametrize("module", [module for module in MODULES if inner_room(module)])
def test_imports_within_a_room_go_one_way(module):
    room = inner_room(module)
    for other in imported(module):
        target = inner_room(other)
        if place(other) == place(module) and target not in (None, room):
            assert INNER_LEVEL[target] < INNER_LEVEL[room], f"{module} imports {other}"


def test_the_order_names_what_exists():
    assert {place(module) for module in MODULES} == set(LEVEL)


def test_every_place_is_in_the_design():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert [name for name in LEVEL if name.rpartition(".")[2] not in text] == []


def test_commands_are_thin():
    modules = {path.stem for path in (ROOT / "tfinv_cli").glob("*.py")}
    assert modules == {*COMMANDS, "main", "__init__"}
    lengths = {path.name: lines(path) for path in (ROOT / "tfinv_cli").glob("*.py")}
    assert {name: length for name, length in lengths.items() if length >= 120} == {}


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_long():
    assert {str(path.relative_to(ROOT)): lines(path) for path in FILES if lines(path) > MOST_LINES} == {}


def rooms():
    return sorted({path.parent for path in FILES})


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_can_be_looked_over(room):
    files = [path for path in room.iterdir() if path.is_file() and not path.name.startswith(".")]
    purpose = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert purpose, "say what lives there"
    if room.name in LARGE and room.parent.name == "tfinv":
        named = set(re.findall(r"`(\w+)`", purpose)) & {path.stem for path in files}
        assert len(named) > 5, "say how it is ordered"
    else:
        assert len(files) <= MOST_FILES, sorted(path.name for path in files)


def test_tests_have_the_same_rooms():
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    names = {str(room.relative_to(ROOT / "tfinv")) for room in rooms() if room.is_relative_to(ROOT / "tfinv")}
    assert {str(folder) for folder in folders} - {"."} <= {*names, "cli", "importing/zoo"}


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
