"""Whether one training image among many is noticed, and nothing that only looks like one."""

import numpy as np

from tfinv.datasets import Dataset
from tfinv.evaluation.inversion import provenance
from tfinv.evaluation.inversion.provenance import no_training_data_used, without_copies

RNG = np.random.default_rng(0)
TRAINING = Dataset(
    "t", "train", RNG.integers(0, 256, (50, 6, 6, 1)).astype(np.uint8), np.arange(50) % 5, tuple("abcde")
)
OTHERS = np.random.default_rng(1).uniform(size=(100, 6, 6, 1)).astype(np.float32)


def test_other_images_pass():
    check = no_training_data_used({"auxiliary images": OTHERS, "starts": None}, TRAINING)
    assert check.passed is True
    assert "auxiliary images: 0 of 100" in check.evidence


def test_one_planted_image_is_found(monkeypatch):
    images = OTHERS.copy()
    images[63] = TRAINING.images_at(slice(17, 18))[0] * 0.998 + 0.001  # another float, the same 8 bits
    for block in (4096, 7):
        monkeypatch.setattr(provenance, "_BLOCK", block)
        check = no_training_data_used({"auxiliary images": images, "starts": OTHERS[:3]}, TRAINING)
        assert check.passed is False
        assert "auxiliary images: 1 of 100 are training images" in check.evidence
        assert "starts: 0 of 3" in check.evidence
    images[63, 0, 0, 0] = 1 - images[63, 0, 0, 0]
    assert no_training_data_used({"auxiliary images": images}, TRAINING).passed is True


def test_copies_are_left_out_and_nothing_else():
    images = OTHERS.copy()
    images[[3, 63]] = TRAINING.images[[17, 0]]
    candidates = Dataset("other", "train", images, np.arange(100) % 5, tuple("abcde"))
    others = without_copies(candidates, TRAINING)
    np.testing.assert_array_equal(others.images, np.delete(images, [3, 63], axis=0))
    np.testing.assert_array_equal(others.labels, np.delete(candidates.labels, [3, 63]))
    assert no_training_data_used({"auxiliary images": others.images}, TRAINING).passed is True
    copies = candidates.subset([3, 63])
    assert without_copies(copies, TRAINING) is copies
    assert no_training_data_used({"auxiliary images": copies.images}, TRAINING).passed is False


def test_means_of_the_training_set_are_found():
    for mean in (TRAINING.images.mean(0), TRAINING.images[TRAINING.labels == 3].mean(0)):
        check = no_training_data_used({"average image": mean[None]}, TRAINING)
        assert check.passed is False
        assert "1 that are means of training images" in check.evidence
    assert no_training_data_used({"average image": OTHERS.mean(0)[None]}, TRAINING).passed is True


def test_a_blank_image_is_nobodys():
    blank = Dataset("t", "train", np.zeros((2, 6, 6, 1), np.uint8), np.zeros(2, int), ("a",))
    assert no_training_data_used({"starts": np.zeros((4, 6, 6, 1))}, blank).passed is None
    assert no_training_data_used({"starts": None}, TRAINING).passed is None
