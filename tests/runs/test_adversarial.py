"""Adversarial images on disk: parts of any process become one array, or none."""

import errno
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.datasets import load
from tfinv.errors import UserError
from tfinv.runs.adversarial import AdversarialFiles
from tfinv.runs.adversarial_forms import Contents, folder_names

IMAGES = np.arange(16, dtype=np.float32).reshape(4, 2, 2, 1)


def files_in(folder, count=4, form="npy", shape=(2, 2, 1), bounds=(0.0, 255.0), names=("a", "b", "c", "d")):
    contents = Contents(count, shape, bounds, names)
    return AdversarialFiles(folder / "adversarial", folder / "parts", contents, form)


def test_parts_of_several_processes_become_one_array(tmp_path):
    for rows in ([0, 2], [1, 3]):  # each in a process of its own
        adversarial = files_in(tmp_path)
        adversarial.write("pgd(eps=.5)", np.array(rows), IMAGES[rows])
    assert not (tmp_path / "adversarial").exists()
    adversarial.finish(np.arange(4))
    array = np.load(tmp_path / "adversarial" / "pgd(eps=.5).npy")
    np.testing.assert_array_equal(array, IMAGES)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(np.load(tmp_path / "adversarial" / "labels.npy"), np.arange(4))
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_run_that_was_killed_while_it_joined_ends_the_same(tmp_path):
    files_in(tmp_path).write("fgsm", np.arange(4), IMAGES)
    files_in(tmp_path).finish(np.arange(4))
    files_in(tmp_path).write("fgsm", np.arange(2), IMAGES[:2])  # a part that it had not yet removed
    files_in(tmp_path).finish(np.arange(4))
    np.testing.assert_array_equal(np.load(tmp_path / "adversarial" / "fgsm.npy"), IMAGES)


def test_a_missing_part_is_an_error_and_leaves_no_array(tmp_path):
    files_in(tmp_path).write("fgsm", np.arange(3), IMAGES[:3])
    with pytest.raises(UserError, match=r"of all 4 images .*Received: none of 1\. Remove --workdir"):
        files_in(tmp_path).finish(np.arange(4))
    assert not (tmp_path / "adversarial" / "fgsm.npy").exists()


def test_a_part_that_could_not_be_made_is_made_again(tmp_path, monkeypatch):
    def full(path, **_):
        path.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(UserError, match=r"No space left on device.*--workdir"):
            files_in(tmp_path).write("fgsm", np.arange(4), IMAGES)
    files_in(tmp_path).write("fgsm", np.arange(4), IMAGES)
    files_in(tmp_path).finish(np.arange(4))
    np.testing.assert_array_equal(np.load(tmp_path / "adversarial" / "fgsm.npy"), IMAGES)


@pytest.mark.parametrize(
    "names",
    [
        [f"worst_case(members='{','.join(['pgd(steps=1,restarts=1)'] * 12)}') eps={eps}" for eps in (0.1, 0.2)],
        [f"worst_case(surrogate='{path}')" for path in ("a/b.keras", "a-b.keras")],
    ],
    ids=["long", "with folders"],
)
def test_a_name_that_is_no_files_stays_one_of_its_own(names, tmp_path):
    for value, name in enumerate(names):
        files_in(tmp_path, 1).write(name, np.arange(1), np.full((1, 2, 2, 1), value, np.float32))
    files_in(tmp_path, 1).finish(np.zeros(1, int))
    arrays = sorted(p for p in (tmp_path / "adversarial").iterdir() if p.name != "labels.npy")
    assert {float(np.load(p).max()) for p in arrays} == {0.0, 1.0}
    assert all(p.name.startswith("worst_case") for p in arrays)


# In the bounds -1 to 1; what is no level of 8 bits is rounded to the nearest.
LEVELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3))
COLOURED = (LEVELS / 255 * 2 - 1 + np.random.default_rng(1).uniform(-0.003, 0.003, LEVELS.shape)).clip(-1, 1)
LABELS = np.array([2, 0, 3, 0, 2, 3])


def saved(folder, form, names=("eel", "ant", "bee", "cat"), **options):
    adversarial = files_in(folder, 6, form, (5, 4, 3), (-1.0, 1.0), names)
    for rows in ([0, 1, 2, 3], [4, 5]):
        adversarial.write("pgd", np.array(rows), COLOURED[rows].astype(np.float32))
    return adversarial.finish(LABELS, **options)


@pytest.mark.parametrize("names", [("ant", "bee", "cat", "eel"), ("eel", "ant", "bee", "cat"), tuple("0123")])
def test_png_files_are_read_by_keras_and_by_our_loader(names, tmp_path):
    saved(tmp_path, "png", names)
    folder = tmp_path / "adversarial" / "pgd"
    data = keras.utils.image_dataset_from_directory(folder, image_size=(5, 4), batch_size=6, verbose=False)
    images, labels = next(data.as_numpy_iterator())
    loaded = load(folder, "all")
    for pixels, numbers in ((images, labels), (loaded.pixels, loaded.labels)):
        images_of = {int(label): [] for label in numbers}
        for image, label in zip(pixels, numbers, strict=True):
            images_of[int(label)].append(image.astype(int).tolist())
        for label in set(LABELS):
            assert sorted(images_of[label]) == sorted(LEVELS[label == LABELS].tolist())
    matched = load(folder, "all", class_names=names)
    assert matched.class_names == names
    assert sorted(matched.labels) == sorted(LABELS)
    assert sorted(p.name for p in folder.rglob("*.png")) == [f"{i}.png" for i in range(6)]


def test_an_npz_is_read_by_our_loader_to_the_last_bit(tmp_path):
    saved(tmp_path, "npz")
    path = tmp_path / "adversarial" / "pgd.npz"
    with np.load(path) as file:
        assert sorted(file.files) == ["class_names", "images", "labels"]
        np.testing.assert_array_equal(file["images"], np.float32((np.float32(COLOURED).astype(float) + 1) / 2))
        np.testing.assert_array_equal(file["labels"], LABELS)
    assert load(path, "all").class_names == ("eel", "ant", "bee", "cat")
    assert [p.name for p in (tmp_path / "adversarial").iterdir()] == ["pgd.npz"]


def test_a_tfrecord_has_images_labels_and_names(tmp_path):
    saved(tmp_path, "tfrecord")
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        "image/class/text": tf.io.FixedLenFeature([], tf.string),
        "image/index": tf.io.FixedLenFeature([], tf.int64),
    }
    records = tf.data.TFRecordDataset(str(tmp_path / "adversarial" / "pgd.tfrecord"))
    examples = [tf.io.parse_single_example(record, features) for record in records]
    assert [int(example["image/index"]) for example in examples] == list(range(6))
    assert [int(example["image/class/label"]) for example in examples] == LABELS.tolist()
    assert [example["image/class/text"].numpy() for example in examples[:3]] == [b"bee", b"eel", b"cat"]
    images = [tf.io.decode_image(example["image/encoded"]).numpy() for example in examples]
    np.testing.assert_array_equal(images, LEVELS)


def test_grey_images_are_grey_files(tmp_path):
    files_in(tmp_path, form="png").write("fgsm", np.arange(4), IMAGES)
    files_in(tmp_path, form="png").finish(np.arange(4))
    whole = load(tmp_path / "adversarial" / "fgsm", "all")
    assert whole.image_shape == (2, 2, 1)
    np.testing.assert_array_equal(whole.pixels[np.argsort(whole.labels)], IMAGES)


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (("cat", "dog"), ["cat", "dog"]),
        (("dog", "cat"), ["0_dog", "1_cat"]),
        (("a/b", "..", "a b"), ["0_a-b", "1_class", "2_a b"]),
        (("b", "a.", "a"), ["0_b", "1_a", "2_a"]),
        (tuple(str(i) for i in range(12)), [f"{i:02d}" for i in range(12)]),
        (("1", "2"), ["0_1", "1_2"]),
    ],
)
def test_class_folders_sort_as_the_labels_and_are_file_names(names, folders):
    assert folder_names(Contents(1, (2, 2, 1), class_names=names), np.array([0])) == folders
    assert folders == sorted(folders)


def test_what_rounding_changes_is_counted(tmp_path):
    """A model that is fooled by anything beyond the levels themselves."""

    def predict(images):
        fooled = np.abs(images - np.rint((images + 1) * 127.5) / 127.5 + 1).max((1, 2, 3)) > 1e-4
        return np.where(fooled[:, None], np.eye(4)[3], np.eye(4)[0])  # label 0 is right for whole levels alone

    outcome = saved(tmp_path, "png", predict=predict)["pgd"]
    # Labels 2, 0, 3, 0, 2, 3: before rounding all are called 3, after it all are called 0.
    assert (outcome.fooling, outcome.still_fooling, outcome.total) == (4, 2, 6)
    again = files_in(tmp_path, 6, "png", (5, 4, 3), (-1.0, 1.0)).finish(LABELS)
    assert again == {"pgd": outcome}


@pytest.mark.parametrize("form", ["npy", "npz", "png", "tfrecord"])
def test_what_was_removed_is_missed(form, tmp_path):
    saved(tmp_path, form)
    adversarial = files_in(tmp_path, 6, form, (5, 4, 3), (-1.0, 1.0), ("eel", "ant", "bee", "cat"))
    assert adversarial.has("pgd", np.arange(4, 6))
    removed = next((tmp_path / "adversarial").rglob({"png": "3.png"}.get(form, f"pgd.{form}")))
    removed.unlink()
    assert not adversarial.has("pgd", np.arange(4, 6))
    adversarial.write("pgd", np.arange(4, 6), np.float32(COLOURED[4:]))
    assert adversarial.has("pgd", np.arange(4, 6))
    assert not adversarial.has("pgd", np.arange(4))
    adversarial.write("pgd", np.arange(4), np.float32(COLOURED[:4]))
    adversarial.finish(LABELS)
    assert removed.exists()


def test_channels_that_no_picture_has_are_refused_before_anything_is_attacked(tmp_path):
    with pytest.raises(UserError, match=r"--save=png. Received: 4 channels. Pass --save=npy"):
        files_in(tmp_path, form="png", shape=(2, 2, 4))
    files_in(tmp_path, form="npy", shape=(2, 2, 4))
