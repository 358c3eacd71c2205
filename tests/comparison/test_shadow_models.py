"""Shadow models: who is in which half, the logits that the store gets, kills, and what is refused."""

import dataclasses

import keras
import numpy as np
import pytest

from stripes import stripes
from tfinv.classifier import Classifier
from tfinv.comparison.defended import train_defended
from tfinv.comparison.protocol import SILENT
from tfinv.comparison.shadow_models import Shadow, ShadowRecipe, fill, halves, query_logits
from tfinv.errors import UserError
from tfinv.membership.shadows import ShadowStore
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

DATA = stripes(41)
RECIPE = ShadowRecipe(defence("none"), Schedule("softmax", 2, 8), DATA, ("train[0:41]",), seed=3)


def logits(folder):
    return {path.name: path.read_bytes() for path in (folder / "logits").iterdir()}


def test_halves_are_complements_and_more_of_them_change_none():
    table = halves(41, 6, seed=5)
    assert table.sum(axis=0).tolist() == [20, 21] * 3
    np.testing.assert_array_equal(table[:, 1::2], ~table[:, ::2])
    assert len({column.tobytes() for column in table.T}) == 6
    np.testing.assert_array_equal(halves(41, 3, seed=5), table[:, :3])
    assert not np.array_equal(halves(41, 6, seed=6), table)
    # Each example is in half of the training sets, and pairs of them share a quarter.
    many = halves(400, 400, seed=0)
    assert (many.sum(axis=1) == 200).all()
    assert (many[:, 0] & many[:, 2]).sum() == pytest.approx(100, abs=25)


def test_the_store_has_the_logits_of_models_trained_on_the_halves(tmp_path):
    store, rows = fill(RECIPE, 2, tmp_path / "store")
    assert store.missing() == []
    assert store.recipe["architecture"] == "softmax"
    assert store.recipe["pool"] == ["train[0:41]"]
    np.testing.assert_array_equal(store.members, halves(41, 2, seed=3))
    for number in range(2):
        members = store.members[:, number]
        parts = [DATA.subset(np.flatnonzero(side)) for side in (members, ~members)]
        seed = Shadow(number).seed(3)
        model, (row, *_) = train_defended(
            RECIPE.defence, *parts, RECIPE.schedule, Workdir(tmp_path / f"{number}", {}), label="it", seed=seed
        )
        expected = Classifier.from_keras(model).predict(DATA.images)
        np.testing.assert_array_equal(store.shadows().logits(number, slice(None))[:, 0], expected)
        assert rows[number]["experiment"] == f"shadow-000{number}"
        assert rows[number]["value"] == row["value"] == np.mean((expected.argmax(1) == DATA.labels)[~members])
    # Nothing else is left of the trainings.
    assert not (tmp_path / "store" / "models").exists()
    assert not (tmp_path / "store" / "training").exists()


def test_killed_between_two_shadows_it_goes_on_to_the_same_bytes_also_with_more_of_them(tmp_path):
    fill(RECIPE, 4, tmp_path / "whole")
    lines = []

    def kill(line):
        lines.append(line)
        if len(lines) == 1:
            raise KeyboardInterrupt

    execution = dataclasses.replace(SILENT, progress=kill)
    with pytest.raises(KeyboardInterrupt):
        fill(RECIPE, 2, tmp_path / "killed", execution=execution)
    assert ShadowStore.open(tmp_path / "killed").missing() == [1]
    store, rows = fill(RECIPE, 4, tmp_path / "killed", execution=execution)
    assert lines == ["shadow-0000 of 2: trained", *(f"shadow-000{number} of 4: trained" for number in (1, 2, 3))]
    assert (store.size, len(rows), store.missing()) == (4, 4, [])
    assert store.shadows().pairs.tolist() == [1, 0, 3, 2]
    assert logits(tmp_path / "whole") == logits(tmp_path / "killed")


def test_models_are_kept_if_asked_for_also_later(tmp_path):
    store, _ = fill(RECIPE, 2, tmp_path)
    before = logits(tmp_path)
    fill(RECIPE, 2, tmp_path, keep=True)
    assert logits(tmp_path) == before
    for number in range(2):
        (path,) = tmp_path.glob(f"models/softmax-shadow-000{number}-*.keras")
        classifier = Classifier.from_keras(keras.models.load_model(path))
        np.testing.assert_array_equal(query_logits(classifier, DATA), store.shadows().logits(number, slice(None)))


def test_validation_images_are_no_examples(tmp_path):
    schedule = dataclasses.replace(RECIPE.schedule, validation=9)
    recipe = dataclasses.replace(RECIPE, schedule=schedule, pool=("train[0:32]",))
    store, rows = fill(recipe, 2, tmp_path)
    np.testing.assert_array_equal(store.labels, DATA.labels[:32])
    assert store.members.sum(axis=0).tolist() == [16, 16]
    best = [row for row in rows if row["metric"] == "best_epoch_accuracy"]
    assert [row["n"] for row in best] == [9, 9]


def test_queries_are_the_copies_that_the_training_has_seen(tmp_path):
    schedule = dataclasses.replace(RECIPE.schedule, augmentation="crop_flip(padding=1)")
    recipe = dataclasses.replace(RECIPE, schedule=schedule, queries=("mirror", "shift"))
    store, _ = fill(recipe, 2, tmp_path, keep=True)
    assert store.queries == 6
    (path,) = tmp_path.glob("models/*shadow-0001*")
    classifier = Classifier.from_keras(keras.models.load_model(path))
    images, values = DATA.images, store.shadows().logits(1, slice(None))
    mirrored = dataclasses.replace(DATA, pixels=np.ascontiguousarray(images[:, :, ::-1]))
    np.testing.assert_array_equal(values[:, 0], classifier.predict(images))
    np.testing.assert_array_equal(values[:, 5], classifier.predict(mirrored.images))
    down = np.zeros_like(images)
    down[:, 1:] = images[:, :-1]
    assert any(np.array_equal(values[:, query], classifier.predict(down)) for query in range(1, 5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"queries": ("mirror",)},
            "an augmentation of which mirror is a part.*Received: none.*--augmentation=crop_flip",
        ),
        ({"queries": ("turn",)}, "queries among shift, mirror.*Received: turn.*--queries"),
        ({"schedule": Schedule("softmax", 2, 8, validation=40)}, "two examples at least.*41 images, 40 of them"),
        ({"schedule": Schedule("softmax", 2, 8, label_smoothing=0.1), "defence": defence("nls")}, "label_smoothing 0"),
    ],
)
def test_what_can_not_be_trained_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(RECIPE, **changes)


def test_a_folder_of_something_else_is_refused_and_stays_as_it_is(tmp_path):
    fill(RECIPE, 2, tmp_path / "store")
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"epochs=2 there, 3 now"):
        fill(dataclasses.replace(RECIPE, schedule=Schedule("softmax", 3, 8)), 4, tmp_path / "store")
    with pytest.raises(UserError, match=r"examples=.* there"):
        fill(dataclasses.replace(RECIPE, images=stripes(41, seed=1)), 4, tmp_path / "store")
    with pytest.raises(UserError, match="--noresume"):
        fill(RECIPE, 4, tmp_path / "store", resume=False)
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="an empty folder, or a store of shadows"):
        fill(RECIPE, 2, tmp_path / "other")
