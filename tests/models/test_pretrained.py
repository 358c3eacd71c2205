"""Pretrained models: each loads in plain Keras, matches its card, and has the same logits and accuracy as when it was created."""

import pathlib

import numpy as np
import pytest

from shipped import check_scores, check_whole
from tfinv import catalogue, datasets, models
from tfinv.attacks import PGD
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.statistics.intervals import rate_interval

ROOT = pathlib.Path(__file__).parents[2]
NAMES = models.pretrained_names()


def test_the_models_that_the_texts_promise_ship():
    assert set(NAMES) >= {
        "mnist-natural",
        "mnist-shuffled",
        "mnist-robust",
        "cifar10-natural",
        "cifar10-robust",
        "fer2013-natural",
        "fer2013-robust",
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_is_whole_and_scores_as_it_did(name):
    check_whole(name)
    check_scores(name)


@pytest.mark.proof
@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_what_ships_has_the_accuracy_of_its_card(name, full_data):
    card = models.card(name)
    shape = models.pretrained(name).input_shape[1:3]
    test = datasets.load(card.dataset, "test", data_dir=full_data, image_size=shape)
    assert len(test) == card.clean.n
    check_scores(name, test)
    # A weaker attack leaves more standing than the card's, and not much more.
    classifier, subset = Classifier.from_keras(models.pretrained(name)), test.take(100)
    for score in card.robust:
        result = PGD(eps=score.eps, norm=score.norm, steps=10)(classifier, subset.images, subset.labels)
        robust = int(np.sum(~result.success))
        assert rate_interval(robust, len(subset))[1] > score.ci95[0]
        assert robust / len(subset) < score.accuracy + 0.2


def test_what_ships_is_in_the_documentation():
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


def test_every_file_of_the_folder_belongs_to_a_model():
    folder = ROOT / "tfinv" / "models" / "data"
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    assert names == {f"{name}{suffix}" for name in NAMES for suffix in (".keras", ".json")}


def test_unknown_names_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "PRETRAINED", tmp_path / "absent")
    assert models.pretrained_names() == []
    for ask in (models.card, models.pretrained):
        with pytest.raises(UserError, match=r"which are none\. Received: 'mnist'"):
            ask("mnist")
    monkeypatch.setattr(catalogue, "PRETRAINED", tmp_path)
    (tmp_path / "other.keras").touch()
    with pytest.raises(UserError, match=r"pretrained model among other\. Received: '\.\./other'"):
        models.pretrained("../other")
