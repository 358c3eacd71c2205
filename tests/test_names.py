"""Names are nouns of the field: what CONTRIBUTING.md says of them, as far as a test can hold the code to it."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for folder in ("tfinv", "tfinv_cli", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
}

# Participles and pronouns say that a value exists, and not what it holds.
RETIRED = {
    "Judge", "Judging", "Meeting", "_apart", "against", "begins", "found", "given", "judge", "judges", "judging", "kept",
    "known", "meet", "mine", "ours", "own", "said", "spread", "theirs", "wanted",
}  # fmt: skip
# Of a parameter or a field, which a caller reads without the body.
VAGUE = {"extra", "more", "one", "two", "what", "who", "whose"}


def names(tree):
    """The names that a module binds or passes, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value.lineno
        elif isinstance(node, ast.alias):
            yield node.asname or node.name, node.lineno


def parameters(tree):
    """Parameters of functions and fields of classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, field.lineno


@pytest.mark.parametrize("path", FILES)
def test_names_say_what_they_hold(path):
    tree = FILES[path]
    retired = {f"{name} in line {line}" for name, line in names(tree) if name in RETIRED}
    vague = {f"{name} in line {line}" for name, line in parameters(tree) if name in VAGUE}
    assert sorted(retired | vague) == []


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("tfinv")])
def test_docstrings_begin_with_a_noun_or_a_verb(path):
    nodes = [n for n in ast.walk(FILES[path]) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    texts = [ast.get_docstring(node) or "" for node in nodes]
    pronouns = [text.partition("\n")[0] for text in texts if text.split(" ")[0] in ("What", "Who", "Whose", "Those")]
    assert pronouns == []
