"""`tfinv reproduce` of the experiments on robust models, on digits and at a size for tests."""

import pytest

from tfinv.reporting import Results
from tfinv_cli import main

SMALL = (
    "--dataset=mnist5k --train_limit=400 --auxiliary_limit=200 --limit=60 --attack_limit=20 --epochs=1 --batch_size=64"
)
JUDGED = "--evaluators=softmax --evaluator_epochs=1 --robust_attacks=pgd(steps=2) --eps=.1 --samples=2 --steps=5"


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    networks = "--plain_architecture=softmax --architecture=cnn(filters=(8,),units=16) --robust_training=fast(eps=.1)"
    how = "--robust_epochs=1 --validation=0 --augmentation=none --attacks=projected --featured=3"
    line = ["reproduce", "cifar10", *f"{SMALL} {JUDGED} {networks} {how}".split(), f"--workdir={folder}"]
    assert main.main(line) == 0
    return folder, line


def test_models_trained_both_ways_are_attacked_inverted_and_drawn(both_ways):
    folder, _ = both_ways
    results = Results.read(folder)
    models = {"softmax (usual)", "cnn(filters=(8,),units=16) (usual)", "cnn(filters=(8,),units=16) (robust)"}
    attacked = {r["experiment"] for r in results.rows_of("accuracy") if r["attack"].startswith("pgd")}
    inverted = {r["experiment"] for r in results.rows_of("inversion") if r["method"] == "projected"}
    assert attacked == models
    assert models <= inverted
    # What the others give away is held against the robust one.
    assert {r["than"] for r in results.rows_of("inversion difference")} == {"cnn(filters=(8,),units=16) (robust)"}
    names = {f.name for f in results.figures}
    assert {"projected-equal"} < names
    assert any("samples" in name for name in names)
    assert any("nearest" in name for name in names)
    assert all((folder / f.path).exists() for f in results.figures)


def test_it_says_what_a_budget_cut(both_ways):
    folder, _ = both_ways
    config = Results.read(folder).config
    assert (config["budget"], config["plain_architecture"]) == ("small", "softmax")


def test_run_again_it_only_reads_what_it_made(both_ways):
    folder, line = both_ways
    made = {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    assert main.main(line) == 0
    assert {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()} == made


def test_an_unknown_featured_class_is_refused(tmp_path, capsys):
    assert main.main(["reproduce", "cifar10", *SMALL.split(), "--featured=bird", f"--workdir={tmp_path}"]) == 1
    assert "Expected a class among 0, 1, 2" in capsys.readouterr().err
