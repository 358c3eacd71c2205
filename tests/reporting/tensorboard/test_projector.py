import dataclasses

import numpy as np
import PIL.Image
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from tfinv.errors import UserError
from tfinv.reporting.tensorboard.projector import Points, write_projector


def _points(kind, n, value):
    rng = np.random.default_rng(n)
    images = np.full((n, 4, 8, 1), value, np.float32)
    return Points(kind, rng.normal(size=(n, 5)), images, [f"class\t{i}\n" for i in range(n)], list(range(100, 100 + n)))


def test_the_files_hold_each_point_once_and_in_order(tmp_path):
    points = [_points("training", 3, 0.0), _points("none, miface", 2, 1.0)]
    folder = write_projector(tmp_path, points, name="cnn")
    assert folder == tmp_path / "projector"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    assert (embedding.tensor_name, list(embedding.tensor_shape)) == ("cnn", [5, 5])
    vectors = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(vectors, np.concatenate([p.features for p in points]), rtol=1e-5)
    lines = (folder / embedding.metadata_path).read_text().splitlines()
    assert lines[:2] == ["kind\tclass\tindex", "training\tclass 0\t100"]
    assert lines[4:] == ["none, miface\tclass 0\t100", "none, miface\tclass 1\t101"]
    width, height = embedding.sprite.single_image_dim
    assert (width, height) == (64, 32)
    with PIL.Image.open(folder / embedding.sprite.image_path) as image:
        sheet = np.asarray(image)
    assert sheet.shape == (3 * 32, 3 * 64, 3)  # three by three places for five points
    assert (sheet[:32] == 0).all()  # the training images have no frame
    assert (sheet[35:61, 3:61] == 255).all()
    assert tuple(sheet[32, 0]) == (0xD5, 0x5E, 0x00)


def test_written_again_it_stands_once(tmp_path):
    for _ in range(2):
        folder = write_projector(tmp_path, [_points("training", 3, 0.5)])
    assert len(list(folder.iterdir())) == 5


def test_a_run_stays_inside_the_log_folder(tmp_path):
    folder = write_projector(tmp_path / "tb", [_points("training", 1, 0.5)], run="../../x")
    assert folder.parent == tmp_path / "tb"


@pytest.mark.parametrize(
    "change",
    [
        {"features": np.zeros((2, 5))},
        {"features": np.full((3, 5), np.nan)},
        {"features": np.zeros((3, 5, 1))},
        {"images": np.zeros((3, 4, 8), np.float32)},
        {"images": np.full((3, 4, 8, 1), 2.0, np.float32)},
        {"labels": ["a"]},
        {"indices": [1]},
        {"features": np.zeros((0, 5))},
        {"features": np.zeros((20_001, 5))},
    ],
)
def test_points_that_do_not_fit_are_refused(tmp_path, change):
    with pytest.raises(UserError, match=r"^Expected .* Received: .*"):
        write_projector(tmp_path, [dataclasses.replace(_points("training", 3, 0.5), **change)])
    assert not list(tmp_path.iterdir())


def test_kinds_must_share_their_features(tmp_path):
    other = dataclasses.replace(_points("x", 2, 0.5), features=np.zeros((2, 4)))
    with pytest.raises(UserError, match="features of one shape"):
        write_projector(tmp_path, [_points("training", 3, 0.5), other])
