"""The FER2013 builder, on its dummy data and on damaged files. See test_att_faces.py on TFDS's own test case."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import dataset_metadata

from tfinv.datasets import load, loading
from tfinv.errors import UserError


def test_builds_from_the_dummy_data(dummy_data, tmp_path):
    builder = tfds.builder("fer2013", data_dir=tmp_path / "tfds")
    assert type(builder) is loading.Fer2013
    config = tfds.download.DownloadConfig(manual_dir=dummy_data / "manual")
    builder.download_and_prepare(download_config=config)
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert counts == {"train": 3, "validation": 2, "test": 2}
    examples = [e for split in counts for e in tfds.as_numpy(builder.as_dataset(split=split))]
    assert [example["label"] for example in examples] == [0, 3, 6, 1, 4, 5, 2]
    assert {example["image"].shape for example in examples} == {(48, 48, 1)}


def test_metadata():
    metadata = loading.Fer2013.get_metadata()
    assert "35,887" in metadata.description
    assert "Goodfellow" in metadata.citation
    assert metadata.tags
    assert set(metadata.tags) <= set(dataset_metadata.valid_tags())


def test_keeps_the_splits_and_order_of_the_file(dummy_data):
    train = load("fer2013", data_dir=dummy_data)
    assert train.class_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert train.labels.tolist() == [0, 3, 6]
    for i, image in enumerate(train.pixels):
        expected = np.full((48, 48, 1), i)
        expected[i] = 9
        np.testing.assert_array_equal(image, expected)
    assert load("fer2013", "validation", data_dir=dummy_data).labels.tolist() == [1, 4]
    assert load("fer2013", "test", data_dir=dummy_data).labels.tolist() == [5, 2]
    assert load("fer2013", "all", data_dir=dummy_data).labels.tolist() == [0, 3, 6, 1, 4, 5, 2]
    assert load("fer2013", "all", data_dir=dummy_data, limit=4).labels.tolist() == [0, 3, 6, 1]


def archive(content, name="fer2013/fer2013.csv"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, data in (("fer2013/README", b"text"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def test_reads_the_archive_as_kaggle_gives_it(dummy_data):
    csv = dummy_data / "manual" / "fer2013.csv"
    (dummy_data / "manual" / "fer2013.tar.gz").write_bytes(archive(csv.read_bytes()))
    csv.unlink()
    assert load("fer2013", "all", data_dir=dummy_data).labels.tolist() == [0, 3, 6, 1, 4, 5, 2]
    assert sorted(p.name for p in (dummy_data / "manual").iterdir()) == ["att_faces.zip", "fer2013.tar.gz"]


@pytest.mark.parametrize("how", ["truncated", "flipped", "garbage", "empty", "without"])
def test_refuses_a_corrupt_archive(dummy_data, how):
    csv = dummy_data / "manual" / "fer2013.csv"
    content = csv.read_bytes()
    csv.unlink()
    data = archive(content)
    middle = len(data) // 2
    damaged = {
        "truncated": data[:middle],
        "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
        "garbage": b"<html>not found</html>",
        "empty": b"",
        "without": archive(content, "fer2013/other.csv"),
    }
    path = dummy_data / "manual" / "fer2013.tar.gz"
    path.write_bytes(damaged[how])
    with pytest.raises(UserError, match=rf"{path}.*Download it again"):
        load("fer2013", data_dir=dummy_data)
    assert_nothing_prepared(dummy_data)


ROW = "0," + " ".join(["7"] * 2304) + ",Training"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:3], "3 rows of Training .*Received: 2"),
        (lambda lines: lines[:-1], "2 rows of PrivateTest .*Received: 1"),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "line 8: not the three fields"),
        (lambda lines: [*lines[:-1], lines[-1][:-3]], "line 8: not the three fields"),
        (lambda lines: [*lines, ROW], "3 rows of Training .*Received: 4"),
        (lambda lines: ["a,b", *lines[1:]], "line 1: the header 'a,b'"),
        (lambda lines: [lines[0], "7" + ROW[1:], *lines[2:]], "line 2: emotion 7"),
        (lambda lines: [lines[0], "x" + ROW[1:], *lines[2:]], "line 2: invalid literal"),
        (lambda lines: [lines[0], ROW.replace("7", "256", 1), *lines[2:]], "line 2: 2304 grey levels, or some"),
        (lambda lines: [lines[0], ROW.replace("7", "-1", 1), *lines[2:]], "line 2: 2304 grey levels, or some"),
        (lambda lines: [lines[0], ROW.replace("7 ", "", 1), *lines[2:]], "line 2: 2303 grey levels"),
        (lambda lines: [lines[0], ROW.replace("7", "\u00e9", 1), *lines[2:]], "line 2: invalid literal"),
        (lambda lines: [lines[0], "0,,Training", *lines[2:]], "line 2: 0 grey levels"),
        (lambda lines: [], "3 rows of Training"),
    ],
)
def test_refuses_a_damaged_csv(dummy_data, change, message):
    path = dummy_data / "manual" / "fer2013.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load("fer2013", data_dir=dummy_data)
    assert_nothing_prepared(dummy_data)


VARIANTS = {
    "blanks and another order": lambda rows: [", ".join((row[0], row[2], row[1])) for row in rows],
    "byte-order mark": lambda rows: ["\ufeff" + ",".join(rows[0]), *map(",".join, rows[1:])],
    "quoted": lambda rows: [",".join(f'"{field}"' for field in row) for row in rows],
    "Windows lines": lambda rows: [",".join(row) + "\r" for row in rows],
    "blank last line": lambda rows: [*map(",".join, rows), ""],
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv", "fer2013/icml_face_data.csv"])
def test_reads_kaggles_other_csv_files(variant, name, dummy_data):
    whole = load("fer2013", "all", data_dir=dummy_data)
    prepared = dummy_data / "tensorflow_datasets"
    prepared.rename(dummy_data / "before")
    csv = dummy_data / "manual" / "fer2013.csv"
    rows = [line.split(",") for line in csv.read_text().splitlines()]
    csv.unlink()
    path = dummy_data / "manual" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("\n".join(VARIANTS[variant](rows)).encode())
    again = load("fer2013", "all", data_dir=dummy_data)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    np.testing.assert_array_equal(again.labels, whole.labels)


def test_a_csv_without_usage_is_told_what_it_lacks(dummy_data):
    path = dummy_data / "manual" / "fer2013.csv"
    path.write_text("emotion,pixels\n0,1 2 3\n")
    with pytest.raises(
        UserError, match=r"emotion, pixels and Usage, as fer2013.csv .* or icml_face_data.csv .*'emotion,pixels'"
    ):
        load("fer2013", data_dir=dummy_data)


def pictures(folder, whole, told=True, names=None):
    """Writes a data set of three training, two public and two private images as Kaggle's folders of pictures."""
    usages = ["Training"] * 3 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    names = names or dict(zip(whole.class_names, whole.class_names, strict=True))
    for part in ("train", "test"):
        for name in names.values():
            (folder / part / name).mkdir(parents=True)
    for i, (usage, image, label) in enumerate(zip(usages, whole.pixels, whole.labels, strict=True)):
        name = f"{usage}_{100 - 9 * i}.png" if told else f"im{i}.png"
        place = folder / ("train" if usage == "Training" else "test") / names[whole.class_names[label]]
        Image.fromarray(image[..., 0]).save(place / name)


@pytest.mark.parametrize("told", [True, False], ids=["with their usage", "without"])
def test_reads_kaggles_folders_in_the_order_of_the_csvs_numbers(told, dummy_data):
    whole = load("fer2013", "all", data_dir=dummy_data)
    (dummy_data / "tensorflow_datasets").rename(dummy_data / "before")
    (dummy_data / "manual" / "fer2013.csv").unlink()
    others = ("Angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral")
    names = None if told else dict(zip(whole.class_names, others, strict=True))
    pictures(dummy_data / "manual" / "fer2013", whole, told, names)
    label_of = {image.tobytes(): label for image, label in zip(whole.pixels, whole.labels, strict=True)}
    sizes = {"train": 3, "validation": 2, "test": 2} if told else {"train": 3, "test": 4}
    for split, size in sizes.items():
        part = load("fer2013", split, data_dir=dummy_data)
        assert part.class_names == whole.class_names
        assert part.labels.tolist() == [label_of[image.tobytes()] for image in part.pixels]
        assert len(part) == size
    assert len(load("fer2013", "all", data_dir=dummy_data)) == 7
    if not told:
        with pytest.raises(
            UserError, match=r"fer2013 among train, test, which its files tell apart. Received: 'validation'"
        ):
            load("fer2013", "validation", data_dir=dummy_data)


def test_damaged_folders_are_refused(dummy_data):
    whole = load("fer2013", "all", data_dir=dummy_data)
    (dummy_data / "tensorflow_datasets").rename(dummy_data / "before")
    (dummy_data / "manual" / "fer2013.csv").unlink()
    folder = dummy_data / "manual" / "fer2013"
    pictures(folder, whole)
    (folder / "train" / "angry").rename(folder / "train" / "bored")
    with pytest.raises(UserError, match=r"Kaggle's copies of FER2013 as pictures.*Received: bored, disgust, fear"):
        load("fer2013", data_dir=dummy_data)
    (folder / "train" / "bored").rename(folder / "train" / "angry")
    victim = next((folder / "train").rglob("*.png"))
    content = victim.read_bytes()
    victim.write_bytes(content[:60])
    with pytest.raises(UserError, match=rf"48 x 48 pixels. Received: {victim}"):
        load("fer2013", data_dir=dummy_data)
    victim.unlink()
    with pytest.raises(UserError, match=rf"3 pictures of train in {folder}. Received: 2"):
        load("fer2013", data_dir=dummy_data)
    assert_nothing_prepared(dummy_data)


def assert_nothing_prepared(data_dir):
    assert not list((data_dir / "tensorflow_datasets" / "fer2013").glob("*"))


@pytest.mark.data
def test_the_real_set(full_data):
    parts = {split: load("fer2013", split, data_dir=full_data) for split in ("train", "validation", "test")}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 28709,
        "validation": 3589,
        "test": 3589,
    }
    train = parts["train"]
    np.testing.assert_array_equal(np.bincount(train.labels), [3995, 436, 4097, 7215, 4830, 3171, 4965])
    assert train.labels[0] == 0
    assert train.pixels[0, 0, :8, 0].tolist() == [70, 80, 82, 72, 58, 58, 60, 63]
    assert train.image_shape == (48, 48, 1)
