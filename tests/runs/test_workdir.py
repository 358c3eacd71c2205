import keras
import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.runs.workdir import Workdir


def never():
    raise AssertionError("computed again")


def test_a_finished_stage_is_not_computed_again(tmp_path):
    first = Workdir(tmp_path, {"seed": 0})
    assert first.json("rows", lambda: [1, 2]) == [1, 2]
    np.testing.assert_array_equal(first.arrays("images", lambda: {"x": np.arange(3)})["x"], [0, 1, 2])
    model = first.model("net", lambda folder: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    again = Workdir(tmp_path, {"seed": 0})
    assert again.json("rows", never) == [1, 2]
    np.testing.assert_array_equal(again.arrays("images", never)["x"], [0, 1, 2])
    np.testing.assert_array_equal(again.model("net", lambda folder: never()).get_weights()[0], model.get_weights()[0])


def test_a_folder_of_another_format_is_refused(tmp_path, monkeypatch):
    Workdir(tmp_path, {}).json("stage", lambda: 1)
    monkeypatch.setattr("tfinv.runs.workdir._FORMAT", 99)
    with pytest.raises(UserError, match="99 now"):
        Workdir(tmp_path, {})


def test_a_begun_folder_is_refused_where_it_is_not_to_be_resumed(tmp_path):
    Workdir(tmp_path / "a", {}, resume=False).json("stage", lambda: 1)
    with pytest.raises(UserError, match=r"--noresume\. Received: .*a\. Change --workdir"):
        Workdir(tmp_path / "a", {}, resume=False)
    Workdir(tmp_path / "a", {})


def test_a_training_keeps_its_backup_until_its_model_is_stored(tmp_path):
    workdir, backups = Workdir(tmp_path, {}), []

    class Unwritable(keras.Sequential):
        def save(self, *_, **__):
            raise OSError("No space left on device")

    def make(folder, kind=keras.Sequential):
        (folder / "backup").mkdir(parents=True, exist_ok=True)
        backups.append(folder / "backup")
        return kind([keras.Input((2,)), keras.layers.Dense(1)])

    with pytest.raises((OSError, UserError)):
        workdir.model("net", lambda folder: make(folder, Unwritable))
    assert backups[0].exists()
    workdir.model("net", make)
    assert not backups[1].exists()
    assert backups[0] == backups[1]


def test_a_stage_that_fails_leaves_nothing(tmp_path):
    workdir = Workdir(tmp_path, {})
    workdir.json("whole", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        workdir.json("rows", lambda: 1 / 0)
    with pytest.raises(TypeError):
        workdir.json("rows", lambda: object())

    class Broken:
        def __array__(self, *_, **__):
            raise OSError("No space left on device")

    with pytest.raises(UserError, match="No space left"):
        workdir.arrays("rows", lambda: {"x": np.arange(3), "y": Broken()})
    assert [p.name for p in (tmp_path / "stages").iterdir()] == ["whole.json"]
    assert workdir.json("rows", lambda: 3) == 3


def test_another_configuration_is_refused(tmp_path):
    Workdir(tmp_path, {"seed": 0, "eps": [0.1]}).json("stage", lambda: 1)
    with pytest.raises(UserError, match=r"seed=0 there, 1 now.*--workdir"):
        Workdir(tmp_path, {"seed": 1, "eps": [0.1]})


def test_a_damaged_stage_is_named(tmp_path):
    workdir = Workdir(tmp_path, {})
    workdir.json("rows", lambda: 3)
    (tmp_path / "stages" / "rows.json").write_text('{"half')
    with pytest.raises(UserError, match=r"rows\.json"):
        workdir.json("rows", never)


def test_a_run_that_was_refused_leaves_its_folder_to_the_next(tmp_path):
    Workdir(tmp_path, {"eps": 8})
    Workdir(tmp_path, {"eps": 0.1}, resume=False).json("stage", lambda: 1)
    assert Workdir(tmp_path, {"eps": 0.1}).json("stage", never) == 1


def test_a_worker_may_be_there_before_the_one_that_writes(tmp_path):
    """And find what a refused run has left."""
    Workdir(tmp_path, {"eps": 8})
    Workdir(tmp_path, {"eps": 0.1}, writes=False)
    Workdir(tmp_path, {"eps": 0.1}).json("stage", lambda: 1)
    assert Workdir(tmp_path, {"eps": 0.1}, writes=False).json("stage", never) == 1
    with pytest.raises(UserError, match=r"eps=0\.1 there, 8 now"):
        Workdir(tmp_path, {"eps": 8}, writes=False)


def test_what_is_damaged_is_named(tmp_path):
    workdir = Workdir(tmp_path, {})
    workdir.arrays("images", lambda: {"x": np.arange(3)})
    workdir.model("net", lambda folder: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    for path in ("stages/images.npz", "models/net.keras"):
        (tmp_path / path).write_bytes(b"garbage")
    with pytest.raises(UserError, match=r"Expected a whole stage of an earlier run. Received: .*images\.npz.*Remove"):
        workdir.arrays("images", never)
    with pytest.raises(UserError, match=r"Expected a whole model. Received: .*net\.keras.*Remove"):
        workdir.model("net", lambda folder: never())
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"Expected the configuration of a run. Received: .*config.json"):
        Workdir(tmp_path, {})
