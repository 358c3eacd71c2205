"""Eps within specs, which every view writes as one would type them."""

import io

import pytest

from tfinv.reporting import Check, Results, print_results
from tfinv.reporting.figures import canvas
from tfinv.reporting.html import render
from tfinv.reporting.markdown import markdown
from tfinv.reporting.results.rows import readable
from tfinv.reporting.tensorboard.summaries import escape


@pytest.mark.parametrize(
    ("text", "readable_text"),
    [
        (f"fast(eps={8 / 255},ramp=0.2)+reversal", "fast(eps=8/255,ramp=0.2)+reversal"),
        (f"pgd(eps={1 / 7},step_size={2 / 255})", f"pgd(eps={1 / 7},step_size=2/255)"),
        ("fast(eps=0.2)", "fast(eps=0.2)"),
        (f"runs/eps={8 / 255}/model", f"runs/eps={8 / 255}/model"),
        (f"weight={1 / 255}, {8 / 255}", f"weight={1 / 255}, {8 / 255}"),
        (f"steps={8 / 255}", f"steps={8 / 255}"),
    ],
)
def test_eps_in_specs_is_written_as_one_would_type_it(text, readable_text):
    assert readable(text) == readable_text


def test_every_view_writes_them_so(tmp_path):
    name = f"fast(eps={8 / 255},ramp=0.2)"
    row = {"kind": "training", "experiment": name, "seed": 0, "metric": "test_accuracy", "value": 0.5, "n": 10}
    results = Results(
        "test", {}, [row | {"ci95": [0.2, 0.8], "epochs": 1, "seconds": 1.0}], [Check(f"c ({name})", True, name, "")]
    )
    console = io.StringIO()
    print_results(results, console)
    figure = canvas.new_figure(1, 1)
    label = figure.text(0, 0, name)
    canvas.to_png(figure)
    texts = [markdown(results), render(results, tmp_path), console.getvalue(), label.get_text(), canvas.wrap(name, 80)]
    assert all("fast(eps=8/255,ramp=0.2)" in text for text in texts)
    texts.append(escape(name))
    assert "8/255" in texts[-1]
    assert not any("0.0313" in text for text in texts)
