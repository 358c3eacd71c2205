import io

import pytest

import audited
import membership_rows
from tfinv.reporting import Check, Results, print_results
from tfinv.reporting.console import MOST_LINES


def _print(results, verbose=True):
    file = io.StringIO()
    print_results(results, file, verbose=verbose)
    return file.getvalue()


def _brief(results):
    return _print(results, verbose=False)


@pytest.mark.parametrize("kind", ["attacked", "inverted", "audited", "membership", "trained"])
@pytest.mark.parametrize("width", [60, 100, 200])
def test_by_default_it_is_one_screen_whatever_the_command(examples, monkeypatch, kind, width):
    monkeypatch.setenv("COLUMNS", str(width))
    results, _ = examples[kind]
    lines = _brief(results).splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("All tables")
    failed = [check.name for check in results.checks if check.passed is False]
    assert all(any(line.startswith(f"  {name}") for line in lines) for name in failed)


def test_the_one_screen_of_an_audit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = _brief(Results("audit", {}, audited.rows(), list(audited.CHECKS)))
    order = [
        "6 questions: 1 poor",
        "Accuracy: good. 94.1 % [92.1, 96.1]",
        "Robustness: not to be believed, because losses-agree failed.",
        "Inversion: poor.",
        "Membership: not asked: pass --members.",
        "Failed checks",
        "losses-agree  8 of 22 images",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "input-range-and-dtype" not in text


def test_what_does_not_fit_is_counted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    checks = [Check(f"check-{i}", False, "long " * 50, "advice") for i in range(20)]
    text = _brief(Results("evaluate", {}, [], checks))
    assert "and 15 more failed checks" in text
    assert "20 of 20 checks failed" in text
    assert text.count("check-4 ") == 1


def test_the_table_of_what_the_command_is_about_comes_first(accuracy_row, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    rows = [accuracy_row("m", "none", 0.0, 0.9), *membership_rows.attack_rows()]
    assert "0.812 [0.790, 0.830]" in _brief(Results("membership", {}, rows))
    assert "0.812 [0.790" not in _brief(Results("evaluate", {}, rows))


def test_piped_output_is_plain_and_100_columns_wide(results, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    text = _print(results)
    assert "\x1b" not in text + _brief(results)
    assert 80 < max(map(len, text.splitlines())) <= 100
    for part in (
        "2 of 5 checks failed",
        "fgsm-artefact",
        "[51.6, 54.0]",
        "mean over 2 seeds",
        "robust mlp",
        "val_accuracy",
    ):
        assert part in " ".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_figure_is_broken_at_any_width(results, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = _print(results)
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    for part in ("[51.6, 54.0]", "fgsm-artefact", "[0.558, 0.704]", "1,086"):
        assert part in text


def test_failed_checks_come_last_with_their_advice(results):
    text = _print(results)
    assert text.index("success-rises-with-eps\n") < text.index("black-box-is-weaker\n")
    assert text.index("black-box-is-weaker\n") < text.rindex("poster-figures-reproduced")
    assert "docs: reading a report, heading poster-figures-reproduced" in text
    assert "Look for a bug." not in text


def test_names_can_neither_steer_the_terminal_nor_style_the_text(accuracy_row):
    evil = "\x1b]0;title\x07[red]x[/red]\r\n\u202e:smile:"
    results = Results(evil, {}, [accuracy_row(evil, evil, 0.1, 0.5)], [Check(evil, False, evil, evil)])
    for text in (_print(results), _brief(results)):
        assert not set("\x1b\x07\r\u202e") & set(text)
        assert "[red]x[/red]" in text
        assert ":smile:" in text


def test_standard_output_is_the_default(capsys):
    print_results(Results("audit", {}))
    assert "No check was made" in capsys.readouterr().out


def test_a_failed_check_names_the_heading_of_its_section():
    """The heading has no parentheses."""
    text = _print(Results("test", {}, [], [Check("gives-away-less (reversal)", False, "e", "a")]))
    assert "heading gives-away-less\n" in text


def test_membership_is_one_short_table(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = _print(Results("membership", {}, membership_rows.attack_rows() + membership_rows.group_rows()))
    assert max(map(len, text.splitlines())) <= 100
    for part in ("reference: guessing", "[18.0, 23.0]", "All measures: in report.html."):
        assert part in text
    assert "Precision" not in text
    assert "each class" not in text
