"""Table of the forms in docs/models-you-have.md: `python -m tests.importing.zoo.table` writes it into the page."""

import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[3]
sys.path += [folder for folder in (str(ROOT / "tests" / "helpers"), str(ROOT)) if folder not in sys.path]

PAGE = ROOT / "docs" / "models-you-have.md"
BEGIN, END = "<!-- forms: written by python -m tests.importing.zoo.table -->", "<!-- end of forms -->"
_KINDS = (
    "Heads",
    "Inputs",
    "Preprocessing",
    "Keras files",
    "SavedModels",
    "Quantised models",
    "Deployed models",
    "Other files",
)


def forms():
    """All forms, in the order of the files that have them."""
    return [
        form
        for path in sorted(pathlib.Path(__file__).parent.glob("forms_*.py"))
        for form in importlib.import_module(f"tests.importing.zoo.{path.stem}").FORMS
    ]


def table():
    """A table a kind."""
    parts = []
    everything = forms()
    assert {form.kind for form in everything} <= set(_KINDS)
    for kind in _KINDS:
        rows = [form for form in everything if form.kind == kind]
        if rows:
            parts.append(f"### {kind}\n\n| your model | what tfinv does | pass |\n|---|---|---|")
            parts[-1] += "".join(f"\n| {_cell(f.name)} | {_cell(f.does)} | {_flags(f)} |" for f in rows)
    return "\n\n".join(parts)


def page():
    """The page with the table of today."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


def _cell(text):
    return text.replace("|", "\\|")


def _flags(form):
    return f"`{_cell(form.flags)}`" if form.flags else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
