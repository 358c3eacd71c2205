"""The store of shadows: whole or absent each, of one recipe, extended later, or a user's own folder."""

import json
import os

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.shadows.store import ShadowStore, examples_digest

N, QUERIES, CLASSES = 6, 1, 3
LABELS = np.array([0, 1, 2, 0, 1, 2])
FIRST = np.array([[1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0]], bool).T
MEMBERS = np.stack([FIRST, ~FIRST], axis=2).reshape(N, 4)
RECIPE = {"architecture": "cnn", "epochs": 2, "shape": (28, 28)}


@pytest.fixture
def logits():
    return np.random.default_rng(1).normal(size=(4, N, QUERIES, CLASSES)).astype(np.float32)


def create(folder, **changes):
    settings = {"labels": LABELS, "members": MEMBERS, "classes": CLASSES, "digest": "abc", "recipe": RECIPE}
    return ShadowStore.create(folder, **settings | changes)


@pytest.fixture
def filled(tmp_path, logits):
    store = create(tmp_path / "store")
    for number in range(4):
        store.add(number, logits[number], MEMBERS[:, number])
    return store


def test_a_filled_store_has_the_logits_and_who_was_in(filled, logits):
    for store in (filled, ShadowStore.open(filled.folder, LABELS)):
        assert (store.missing(), store.size, store.classes, store.queries) == ([], 4, 3, 1)
        assert store.recipe["epochs"] == 2
        shadows, expectation = store.shadows(), Shadows.from_arrays(logits, MEMBERS, LABELS)
        assert shadows.pairs.tolist() == [1, 0, 3, 2]
        np.testing.assert_array_equal(shadows.members, MEMBERS)
        np.testing.assert_array_equal(shadows.margins(slice(0, N)), expectation.margins(slice(0, N)))
        np.testing.assert_array_equal(
            shadows.rows([4, 1]).margins(slice(0, 2)), expectation.rows([4, 1]).margins(slice(0, 2))
        )
        np.testing.assert_array_equal(shadows.logits(2, slice(1, 3)), logits[2, 1:3])


def test_shadows_are_added_one_by_one(tmp_path, logits):
    store = create(tmp_path / "store")
    with pytest.raises(UserError, match="a shadow in"):
        store.shadows()
    store.add(2, logits[2])
    assert store.missing() == [0, 1, 3]
    shadows = ShadowStore.open(tmp_path / "store").shadows()
    np.testing.assert_array_equal(shadows.members, MEMBERS[:, [2]])
    assert shadows.pairs.tolist() == [-1]


def test_killed_between_and_within_shadows_nothing_is_lost(tmp_path, logits, monkeypatch):
    store = create(tmp_path / "store")
    store.add(0, logits[0])
    path = tmp_path / "store" / "logits" / "0000.npy"
    written = path.stat().st_mtime_ns

    def killed(source, target, replace=os.replace):
        if str(target).endswith("0001.npy"):  # its margins are there already
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.add(1, logits[1])
    store = create(tmp_path / "store")
    assert store.missing() == [1, 2, 3]
    assert store.shadows().size == 1
    for number in store.missing():
        store.add(number, logits[number])
    assert path.stat().st_mtime_ns == written
    assert store.missing() == []


@pytest.mark.parametrize("size", [0, 40, -4])
def test_a_half_written_shadow_is_missing(filled, size):
    path = filled.folder / "logits" / "0001.npy"
    path.write_bytes(path.read_bytes()[:size])
    store = ShadowStore.open(filled.folder)
    assert store.missing() == [1]
    assert store.shadows().size == 3


def test_margins_that_are_not_there_are_made_again(filled, logits):
    before = filled.shadows().margins(slice(0, N))
    (filled.folder / "logits" / "0000.margins.npy").unlink()
    (filled.folder / "logits" / "0001.margins.npy").write_bytes(b"")
    np.testing.assert_array_equal(filled.shadows().margins(slice(0, N)), before)


def test_a_store_that_was_begun_is_finished_by_create_alone(tmp_path):
    create(tmp_path / "store")
    (tmp_path / "store" / "members.npy").unlink()
    with pytest.raises(UserError, match=r"no members\.npy"):
        ShadowStore.open(tmp_path / "store")
    assert create(tmp_path / "store").missing() == [0, 1, 2, 3]


def test_more_shadows_are_planned_later(filled, logits):
    further = np.concatenate([MEMBERS, ~MEMBERS[:, :1]], axis=1)
    store = create(filled.folder, members=further)
    assert (store.size, store.missing()) == (5, [4])
    store.add(4, logits[0])
    store.add(5, logits[1], MEMBERS[:, 1])
    again = create(filled.folder)  # the shorter plan is part of the longer
    assert (again.size, again.missing()) == (6, [])
    np.testing.assert_array_equal(again.members[:, 5], MEMBERS[:, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": RECIPE | {"architecture": "mlp"}}, "architecture 'mlp'.* Received: 'cnn'"),
        ({"recipe": RECIPE | {"augmentation": "crop"}}, "augmentation 'crop'.* Received: None"),
        ({"classes": 4}, "classes 4.* Received: 3"),
        ({"digest": "other"}, "digest 'other'.* Received: 'abc'"),
        ({"labels": LABELS[:4], "members": MEMBERS[:4]}, "examples 4.* Received: 6"),
        ({"labels": LABELS[::-1]}, "the labels of the store"),
        ({"members": ~MEMBERS}, "training sets"),
    ],
)
def test_a_store_of_something_else_is_refused_and_left_as_it_is(filled, change, message):
    with pytest.raises(UserError, match=message):
        create(filled.folder, **change)
    assert create(filled.folder).missing() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": LABELS[:5]}, "shadows of 5 examples"),
        ({"labels": LABELS[::-1]}, "4 others"),
        ({"labels": LABELS, "classes": 10}, "shadows of 10 classes"),
        ({"labels": LABELS, "queries": 2}, "shadows of 2 queries"),
        ({"labels": LABELS, "digest": "other"}, "of these images"),
    ],
)
def test_a_store_that_does_not_fit_is_told_apart(filled, arguments, message):
    filled.check(LABELS, 3, "abc", 1)
    with pytest.raises(UserError, match=message):
        filled.check(**arguments)


@pytest.mark.parametrize("bad", [np.zeros((N, 1, 4)), np.zeros((5, 1, 3)), np.full((N, 1, 3), np.inf)])
def test_logits_that_do_not_fit_are_not_added(tmp_path, bad):
    store = create(tmp_path / "store")
    with pytest.raises(UserError, match="finite logits of shape"):
        store.add(0, bad)
    assert store.missing() == [0, 1, 2, 3]


def test_members_other_than_planned_are_refused(filled, logits):
    with pytest.raises(UserError, match="planned for shadow 0"):
        filled.add(0, logits[0], MEMBERS[:, 1])
    with pytest.raises(UserError, match="a shadow from 0 to 3"):
        filled.add(4, logits[0])


def test_logits_of_another_shape_in_a_store_are_an_error(filled):
    np.save(filled.folder / "logits" / "0002.npy", np.zeros((N, 1, 4), np.float32))
    with pytest.raises(UserError, match="3 classes"):
        ShadowStore.open(filled.folder).shadows()


def test_another_version_or_a_damaged_description_is_refused(filled):
    path = filled.folder / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(UserError, match="version 99"):
        ShadowStore.open(filled.folder)
    path.write_text("[")
    with pytest.raises(UserError, match="JSON"):
        ShadowStore.open(filled.folder)


def test_a_folder_with_something_else_is_neither_opened_nor_written_to(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="an empty folder"):
        create(tmp_path)
    with pytest.raises(UserError, match=r"no logits"):
        ShadowStore.open(tmp_path)
    with pytest.raises(UserError, match="a folder of shadows"):
        ShadowStore.open(tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.fixture
def user_folder(tmp_path, logits):
    for number, values in enumerate(logits):
        np.save(tmp_path / f"net-{number}.npy", values[:, 0].astype(np.float64))
    np.save(tmp_path / "members.npy", MEMBERS.astype(int))
    np.save(tmp_path / "labels.npy", LABELS)
    return tmp_path


def test_a_users_folder_is_read(user_folder, logits):
    store = ShadowStore.open(user_folder)
    assert (store.missing(), store.classes, store.queries, store.digest) == ([], 3, 1, None)
    expectation = Shadows.from_arrays(logits, MEMBERS, LABELS)
    np.testing.assert_array_equal(store.shadows().margins(slice(0, N)), expectation.margins(slice(0, N)))
    assert store.shadows().pairs.tolist() == [1, 0, 3, 2]
    with pytest.raises(UserError, match="a store that tfinv made"):
        store.add(0, logits[0])


def test_arrays_in_columns_are_read_as_well(user_folder, logits):
    np.save(user_folder / "net-1.npy", np.asfortranarray(logits[1, :, 0]))
    np.testing.assert_array_equal(ShadowStore.open(user_folder).shadows().logits(1, slice(2, 4)), logits[1, 2:4])


def test_labels_of_a_users_folder_may_come_from_elsewhere(user_folder):
    (user_folder / "labels.npy").unlink()
    with pytest.raises(UserError, match=r"labels\.npy in"):
        ShadowStore.open(user_folder)
    assert ShadowStore.open(user_folder, LABELS).labels.tolist() == LABELS.tolist()


def test_labels_other_than_those_of_a_users_folder_are_refused(user_folder):
    with pytest.raises(UserError, match="4 others"):
        ShadowStore.open(user_folder, LABELS[::-1])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("members.npy", MEMBERS[:, :3], "examples, shadows"),
        ("members.npy", np.full((N, 4), 7), "of 0 and 1"),
        ("net-2.npy", np.zeros((N, 4)), "3 classes"),
        ("net-2.npy", np.zeros((5, 3)), "logits of 6 examples"),
        ("net-2.npy", np.array(["a"] * N), "real numbers"),
        ("labels.npy", np.full(N, 3), "labels below 3"),
    ],
)
def test_files_that_do_not_fit_are_refused(user_folder, name, array, message):
    np.save(user_folder / name, array)
    with pytest.raises(UserError, match=message):
        ShadowStore.open(user_folder)


def test_half_of_a_users_file_is_refused(user_folder):
    path = user_folder / "net-3.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"a whole \.npy file"):
        ShadowStore.open(user_folder)


def test_every_shadow_is_a_target_once_and_never_its_own_reference(filled, logits):
    targets = list(filled.leave_one_out())
    assert [number for number, _, _ in targets] == [0, 1, 2, 3]
    for number, values, rest in targets:
        np.testing.assert_array_equal(values, logits[number])
        others = [2, 3] if number < 2 else [0, 1]
        np.testing.assert_array_equal(rest.members, MEMBERS[:, others])
        np.testing.assert_array_equal(rest.logits(0, slice(None)), logits[others[0]])


def test_a_pair_alone_leaves_no_reference(tmp_path, logits):
    store = create(tmp_path / "store", members=MEMBERS[:, :2])
    store.add(0, logits[0])
    store.add(1, logits[1])
    with pytest.raises(UserError, match="at least four"):
        list(store.leave_one_out())


def test_digests_tell_images_and_labels_apart():
    images = np.zeros((2, 2, 2, 1), np.float32)
    digests = {
        examples_digest(images, LABELS[:2]),
        examples_digest(images, LABELS[2:4]),
        examples_digest(images + 1, LABELS[:2]),
        examples_digest(images.reshape(2, 4), LABELS[:2]),
    }
    assert len(digests) == 4
    assert examples_digest(images.copy(), LABELS[:2]) in digests
