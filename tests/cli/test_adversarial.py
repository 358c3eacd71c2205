"""Adversarial images on disk: what is left by a run that could not write, and what takes its place."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv_cli.adversarial import AdversarialFiles

IMAGES = np.arange(16, dtype=np.float32).reshape(4, 2, 2, 1)


def test_a_chunk_at_a_time_becomes_one_array(tmp_path):
    for rows in ([0, 2], [1, 3]):  # each in a process of its own
        kept = AdversarialFiles(tmp_path, 4, (2, 2, 1))
        kept.write("pgd(eps=.5)", np.array(rows), IMAGES[rows])
    assert not list(tmp_path.glob("pgd(eps=.5).npy"))
    kept.finish(np.arange(4))
    np.testing.assert_array_equal(np.load(tmp_path / "pgd(eps=.5).npy"), IMAGES)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), np.arange(4))


def test_a_file_that_could_not_be_made_is_made_again(tmp_path, monkeypatch):
    kept = AdversarialFiles(tmp_path, 4, (2, 2, 1))

    def full(path, **_):
        path.write_bytes(b"\x93NUMPY")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "open_memmap", full)
        with pytest.raises(UserError, match=r"No space left on device.*--workdir"):
            kept.write("fgsm", np.arange(4), IMAGES)
    kept.write("fgsm", np.arange(4), IMAGES)
    kept.finish(np.arange(4))
    np.testing.assert_array_equal(np.load(tmp_path / "fgsm.npy"), IMAGES)


@pytest.mark.parametrize(
    "names",
    [
        [f"worst_case(members='{','.join(['pgd(steps=1,restarts=1)'] * 12)}') eps={eps}" for eps in (0.1, 0.2)],
        [f"worst_case(surrogate='{path}')" for path in ("a/b.keras", "a-b.keras")],
    ],
    ids=["long", "with folders"],
)
def test_a_name_that_is_no_files_stays_one_of_its_own(names, tmp_path):
    kept = AdversarialFiles(tmp_path, 1, (2, 2, 1))
    for value, name in enumerate(names):
        kept.write(name, np.arange(1), np.full((1, 2, 2, 1), value, np.float32))
    kept.finish(np.zeros(1, int))
    found = sorted(p for p in tmp_path.iterdir() if p.name != "labels.npy")
    assert {float(np.load(p).max()) for p in found} == {0.0, 1.0}
    assert all(p.name.startswith("worst_case") for p in found)
