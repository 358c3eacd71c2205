"""Evidence in parts."""

import pytest

from tfinv.reporting.tables.evidence import Clause, Evidence, Part, parts, split


def test_a_short_sentence_stays_one():
    evidence = parts("8 of 8 trainings came to their end")
    assert evidence == Evidence("", (Part("", (Clause("8 of 8 trainings came to their end"),)),))
    assert evidence.is_sentence


def test_merged_evidence_has_a_part_a_subject():
    text = "2 of 3 failed; none, shadow 0: 20 % stood; 14 % now | mid: 17 % stood | likewise nls, shadow 1"
    evidence = parts(text)
    assert evidence.lead == "2 of 3 failed"
    assert evidence.parts == (
        Part("none, shadow 0", (Clause("20 % stood"), Clause("14 % now"))),
        Part("mid", (Clause("17 % stood"),)),
        Part("", (Clause("likewise nls, shadow 1"),)),
    )
    assert not evidence.is_sentence


def test_a_series_of_figures_becomes_items():
    (part,) = parts(
        "not shown; AUC less: gap -0.009 [-0.012, -0.006], lira +0.038 [0.03, 0.05], rmia +0.02 (a, b)"
    ).parts
    assert part.clauses == (
        Clause("not shown"),
        Clause("AUC less", ("gap -0.009 [-0.012, -0.006]", "lira +0.038 [0.03, 0.05]", "rmia +0.02 (a, b)")),
    )


@pytest.mark.parametrize("text", ["a (b; c) d", "a [b; c", "a) b; c", "", "; ", "a; b; "])
def test_nothing_is_lost_and_brackets_stay_whole(text):
    assert "; ".join(split(text, "; ")) == text
    assert "a (b; c) d" not in text or split(text, "; ") == [text]


def test_a_subject_is_looked_for_in_merged_evidence_only():
    assert parts("largest perturbation: 0.1; twice: 0.2").parts[0].subject == ""
