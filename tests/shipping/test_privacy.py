"""A private training and its card: from the command to the package with all that epsilon is stated for."""

import dataclasses
import json

import pytest

from tfinv import models
from tfinv.errors import UserError
from tfinv.models.pretrained import Card
from tfinv.reporting import Results
from tfinv.shipping.results import privacy_of
from tfinv.training.privacy import guarantee
from tfinv_cli import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("private")
    flags = ["--dataset=mnist5k", "--limit=256", "--architecture=softmax", "--epochs=2", "--batch_size=64"]
    assert train.main([*flags, "--defense=dp_sgd(noise=2.0)", f"--workdir={folder}"]) == 0
    return Results.read(folder)


def test_results_and_card_have_the_terms(results):
    row = next(r for r in results.rows_of("training") if r["metric"] == "test_accuracy")
    privacy = privacy_of(results, row)
    assert dataclasses.asdict(privacy) == {
        "epsilon": guarantee(2.0, 64 / 256, 8, 1e-5).epsilon,
        "delta": 1e-5,
        "sampling": "Poisson",
        "relation": "add or remove one example",
        "accountant": "PLD (dp-accounting)",
    }
    card = dataclasses.replace(models.card("mnist-natural"), privacy=privacy)
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card


def test_other_trainings_have_no_guarantee(results):
    row = {"experiment": "none", "seed": 0}
    assert privacy_of(results, row) is None
    assert models.card("mnist-natural").privacy is None


def test_an_epsilon_of_shuffled_batches_does_not_ship(results):
    rows = [{k: r[k] for k in ("kind", "experiment", "seed", "metric", "value")} for r in results.rows]
    with pytest.raises(UserError, match=r"an epsilon with delta, sampling, relation, accountant.*Train it again"):
        privacy_of(Results("train", {}, rows), rows[0])
