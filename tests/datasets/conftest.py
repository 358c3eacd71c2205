import io
import os
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image

import tfinv  # noqa: F401  before TensorFlow, which it silences
from tfinv.datasets import loading


@pytest.fixture(autouse=True)
def no_ambient_data(monkeypatch, request):
    """Tests see no data folder of the machine, except those that are marked to need it."""
    if request.node.get_closest_marker("data") is None:
        monkeypatch.delenv("TFINV_DATA_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")


@pytest.fixture(scope="session")
def full_data():
    if "TFINV_DATA_DIR" not in os.environ:
        pytest.skip("TFINV_DATA_DIR is unset")
    return pathlib.Path(os.environ["TFINV_DATA_DIR"])


@pytest.fixture
def dummy_data(tmp_path, monkeypatch):
    """A data folder whose manual/ has the builders' dummy files; the builders expect what is in those."""
    manual = tmp_path / "data" / "manual"
    manual.mkdir(parents=True)
    monkeypatch.setattr(loading.AttFaces, "NUM_PERSONS", 3)
    monkeypatch.setattr(loading.AttFaces, "FACES_PER_PERSON", 2)
    monkeypatch.setattr(loading, "_ATT_TRAIN_PER_PERSON", 1)
    monkeypatch.setattr(loading.Fer2013, "NUM_EXAMPLES", {"train": 3, "validation": 2, "test": 2})
    package = pathlib.Path(loading.__file__).parent
    for name, file in (("att_faces", "att_faces.zip"), ("fer2013", "fer2013.csv")):
        (manual / file).write_bytes((package / name / "dummy_data" / file).read_bytes())
    return manual.parent


@pytest.fixture
def write_faces():
    """Writes an archive of faces; `replace` puts other bytes in a member, or drops it if None; `additions` are more members."""

    def write(path, persons=3, faces=2, prefix="", replace=(), additions=()):
        members = {
            f"s{p}/{f}.pgm": b"P5\n92 112\n255\n" + bytes([10 * p + f]) * (92 * 112)
            for p in range(1, persons + 1)
            for f in range(1, faces + 1)
        }
        members |= dict(replace)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in [*members.items(), *additions]:
                if data is not None:
                    archive.writestr(prefix + name, data)

    return write


@pytest.fixture
def png():
    """Bytes of a PNG file of one level."""

    def make(level=0, size=(4, 6), mode="L"):
        file = io.BytesIO()
        Image.new(mode, (size[1], size[0]), level).save(file, "png")
        return file.getvalue()

    return make


@pytest.fixture
def write_classes(png):
    """Writes class folders, each with images of distinct levels: {"cat": 5, "dog": 3}."""

    def write(root, counts, start=0, **kwargs):
        level = start
        for name, count in counts.items():
            (root / name).mkdir(parents=True)
            for i in range(count):
                (root / name / f"{i}.png").write_bytes(png(level, **kwargs))
                level += 1
        return root

    return write


@pytest.fixture
def levels():
    """The distinct first values of images, by which tests tell images apart."""
    return lambda dataset: sorted(np.unique(dataset.pixels[:, 0, 0, 0]).tolist())
