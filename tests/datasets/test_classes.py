"""Order of class folders, and the match of their names with a model's."""

import numpy as np
import pytest

from tfinv.datasets import Dataset, classes, load, loading
from tfinv.errors import UserError

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_numbered_folders_go_by_number_and_say_so(tmp_path, write_classes):
    names = [str(i) for i in range(12)]
    root = write_classes(tmp_path / "x", dict.fromkeys(names, 2))
    dataset = load(root, "all")
    assert dataset.class_names == tuple(names)
    level_of = {name: 2 * i for i, name in enumerate(names)}  # as write_classes counts
    for label, name in enumerate(names):
        assert sorted(dataset.pixels[dataset.labels == label, 0, 0, 0]) == [level_of[name], level_of[name] + 1]
    (note,) = dataset.notes
    assert "in the order of their numbers, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;" in note
    assert "Keras sorts them 0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9" in note
    advised = note.rpartition("--class_names=")[2]
    of_keras = load(root, "all", class_names=advised.split(","))  # as the note says
    assert of_keras.class_names == tuple(sorted(names))
    np.testing.assert_array_equal(of_keras.pixels, dataset.pixels)  # the same images in the same order
    place = np.array([sorted(names).index(name) for name in names])
    np.testing.assert_array_equal(of_keras.labels, place[dataset.labels])


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (("1", "0", "2"), ("0", "1", "2")),
        (("010", "9", "007"), ("007", "9", "010")),
        (("10", "9", "cat"), ("10", "9", "cat")),  # not all are numbers
        (("b", "a", "C"), ("C", "a", "b")),
        (("-1", "0", "1"), ("-1", "0", "1")),
    ],
)
def test_order(names, ordered):
    assert classes.in_order(names)[0] == ordered


def test_a_long_order_is_shortened():
    names = [str(i) for i in range(100)]
    (note,) = classes.in_order(names)[1]
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..., 99;" in note
    assert classes.show(["a"] * 3) == "0 a, 1 a, 2 a"
    assert classes.show(names).endswith("10 10, ..., 99 99")


def test_ferplus_folders_are_told_how_the_csv_numbers_them():
    ordered, (note,) = classes.in_order(FER)
    assert ordered == tuple(sorted(FER))
    assert f"--class_names={','.join(FER)}" in note
    labels, _ = classes.match(ordered, FER, "class folders")
    assert [FER[label] for label in labels] == list(ordered)


@pytest.mark.parametrize(
    ("names", "model", "labels"),
    [
        (("cat", "dog"), ("dog", "cat"), [1, 0]),
        (("Sea Lion", "cat"), ("cat", "sea_lion"), [1, 0]),
        (("sea-lion", "CAT"), ("cat", "Sea lion"), [1, 0]),
        (("03_cat", "1 dog"), ("dog", "eel", "cat"), [2, 0]),
        (("cat", "dog"), ("0 dog", "1 cat"), [1, 0]),
        (("dog",), ("cat", "dog", "eel"), [1]),  # of a subset
        (("02", "0"), ("0", "1", "2"), [2, 0]),
        (("2", "0"), ("cat", "dog", "eel"), [2, 0]),  # numbers of the classes
        (("1", "2", "3"), ("cat", "dog", "eel"), [0, 1, 2]),  # from 1
        (("101 dalmatians", "7 dwarfs"), ("7 dwarfs", "101 dalmatians"), [1, 0]),
        (("1_a", "2_a"), ("2_a", "1_a"), [1, 0]),  # whole names first: without numbers both are the same
    ],
)
def test_match(names, model, labels):
    assert classes.match(names, model, "class folders")[0].tolist() == labels


@pytest.mark.parametrize(
    ("names", "model", "reason"),
    [
        (("cat", "ox"), ("cat", "dog"), "none of the model's: ox"),
        (("1_cat", "2_cat"), ("cat", "dog"), "not clear which: 1_cat, 2_cat"),
        (("cat",), ("1_cat", "2_cat"), "not clear which: cat"),
        (("0", "3"), ("cat", "dog"), "3 beyond the 2 names"),
        (("1", "12"), ("0", "1"), "none of the model's: 12"),
    ],
)
def test_names_that_do_not_match_are_refused_with_both_lists(names, model, reason):
    with pytest.raises(UserError) as caught:
        classes.match(names, model, "class folders")
    message = str(caught.value)
    assert message.startswith(
        f"Expected class folders that can be told by the model's class names, {', '.join(model)}. "
    )
    assert f"Received: {', '.join(names)} ({reason})" in message


def test_numbers_of_classes_are_noted():
    for names, first in ((("0", "2"), 0), (("1", "3"), 1)):
        assert classes.match(names, ("cat", "dog", "eel"), "class folders")[1] == (
            f"class folders are taken as numbers of the model's classes, from {first}",
        )


def test_the_split_does_not_depend_on_the_models_order(tmp_path, write_classes):
    root = write_classes(tmp_path / "x", {"cat": 5, "dog": 5, "eel": 5})
    for split in ("train", "test", "all"):
        plain, matched = load(root, split), load(root, split, class_names=("eel", "dog", "cat"))
        np.testing.assert_array_equal(plain.pixels, matched.pixels)
        np.testing.assert_array_equal(matched.labels, 2 - plain.labels)


def test_a_test_class_that_train_lacks_comes_in_by_name(tmp_path, write_classes):
    write_classes(tmp_path / "train", {"a": 2})
    write_classes(tmp_path / "test", {"a": 1, "c": 1})
    test = load(tmp_path, "test", class_names=("a", "b", "c"))
    assert sorted(test.labels) == [0, 2]


def test_sets_by_name_are_matched_unless_their_names_are_numbers(monkeypatch):
    images, labels = np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 1, 1, 0])
    sets = {
        name: Dataset(name, "test", images, labels, names)
        for name, names in (("pets", ("cat", "dog")), ("digits", "01"))
    }
    for name, dataset in sets.items():
        monkeypatch.setitem(loading._SOURCES, name, lambda *_, dataset=dataset: dataset)
    pets, digits = (load(name, "test", class_names=("Dog", "cat")) for name in sets)
    assert pets.labels.tolist() == (1 - labels).tolist()
    assert pets.class_names == ("Dog", "cat")
    assert pets.notes == ("labels matched with the model's classes by name: cat is 1, dog is 0",)
    assert (digits.labels.tolist(), digits.notes) == (labels.tolist(), ())
    with pytest.raises(UserError, match=r"classes of pets .*Received: cat, dog \(none of the model's: dog\)"):
        load("pets", "test", class_names=("cat", "ox"))
