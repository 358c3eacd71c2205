"""`evaluate`, `attack` and `invert` on a model of each kind of form, from the file to the report."""

import shlex

import numpy as np
import pytest

from commands import run
from tests.importing.zoo import table
from tfinv.reporting import Results

KINDS = {form.kind: form for form in reversed(table.forms()) if form.command}
CLASSES = 40  # images of each


def test_every_kind_has_one():
    assert set(KINDS) == {form.kind for form in table.forms() if not form.refusal}


@pytest.mark.parametrize("kind", KINDS)
def test_commands(kind, tmp_path, few_checks):
    form = KINDS[kind]
    for package in form.needs:
        pytest.importorskip(package)
    (tmp_path / "model").mkdir()
    built = form.build(tmp_path / "model")
    rng = np.random.default_rng(0)
    shape, classes = built.images.shape[1:], built.logits.shape[1]
    labels = np.tile(np.arange(classes), CLASSES // classes + 1)[:CLASSES]
    pixels = rng.integers(0, 256, (CLASSES, *shape), np.uint8)
    data = tmp_path / "data.npz"
    np.savez(data, images=pixels, labels=labels)
    common = [f"--model={built.path}", f"--dataset={data}", *shlex.split(form.flags)]
    attack = "pgd(steps=2)" if form.gradients else "square(queries=4)"
    method = "gradient(steps=2)" if form.gradients else "brep(steps=2)"
    for command, *flags in (
        ("evaluate", f"--attacks={attack}", "--eps=.05", "--check_images=5"),
        ("attack", f"--attacks={attack}", "--eps=.05", "--save=png"),
        ("invert", f"--methods={method}", "--epochs=1", "--evaluators=softmax"),
    ):
        workdir = tmp_path / command
        assert run(command, *common, *flags, f"--workdir={workdir}") == 0
        results = Results.read(workdir)
        assert results.rows
        assert (workdir / "report.html").is_file()
