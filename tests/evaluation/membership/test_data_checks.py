"""Members and non-members that are alike and disjoint, and those that are not."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tfinv.errors import UserError
from tfinv.evaluation.membership import data_checks


def photographs(seed, n=200, size=20, channels=3):
    """Smooth random images in [0, 1], no two alike."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, size, size, 1)) + 0.3 * rng.normal(size=(n, size, size, channels))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 0))
    return np.clip(0.5 + 0.25 * smooth / smooth.std(), 0, 1).astype(np.float32)


def jpeg(images, quality=95):
    copies = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
        copies.append(np.asarray(Image.open(file), np.float32) / 255)
    return np.stack(copies)


def test_disjoint_photographs():
    check = data_checks.members_disjoint(photographs(0), photographs(1, 150))
    assert (check.name, check.passed) == ("members-disjoint", True)
    assert check.evidence.startswith("of 150 non-members 0 are members at 8 bits, 0 nearly")


@pytest.mark.parametrize(
    ("alter", "exact"),
    [
        (lambda x: x, True),
        (lambda x: np.rint(x * 255) / 255, True),
        (jpeg, False),
        (lambda x: x[:, :, ::-1], False),
        (lambda x: np.clip(x + 0.01, 0, 1), False),
    ],
)
def test_copies_are_seen(alter, exact):
    members, nonmembers = photographs(0), photographs(1)
    nonmembers[[3, 50, 199]] = alter(members[[7, 0, 199]])
    overlap = data_checks.find_overlap(members, nonmembers)
    np.testing.assert_array_equal(np.flatnonzero(overlap.exact if exact else overlap.near), [3, 50, 199])
    np.testing.assert_array_equal(np.flatnonzero(overlap.either), [3, 50, 199])
    check = data_checks.members_disjoint(members, nonmembers)
    assert check.passed is False
    assert ("3 are members at 8 bits, 0 nearly" if exact else "0 are members at 8 bits, 3 nearly") in check.evidence


def test_blank_images_are_no_copies_of_other_blank_images():
    members, nonmembers = photographs(0, 20), photographs(1, 20)
    members[0], nonmembers[0] = 0.5, 0.502
    assert not data_checks.find_overlap(members, nonmembers).near.any()


def test_repeated_images_are_seen():
    members = photographs(0)
    members[10:20] = members[0]
    check = data_checks.members_disjoint(members, photographs(1))
    assert check.passed is False
    assert "5.00 % of the members" in check.evidence
    members = photographs(0)
    members[1] = members[0]
    assert data_checks.members_disjoint(members, photographs(1)).passed is True


def test_block_means_bring_images_no_farther_apart():
    a, b = photographs(0, 30, size=19), photographs(1, 30, size=19)
    blocks = np.linalg.norm(data_checks.block_means(a) - data_checks.block_means(b), axis=1)
    pixels = np.sqrt(np.mean((a - b) ** 2, axis=(1, 2, 3)))
    assert (blocks <= pixels + 1e-6).all()
    assert (blocks > 0.5 * pixels).all()
    small = photographs(0, 5, size=4)
    assert np.linalg.norm(data_checks.block_means(small), axis=1) == pytest.approx(
        np.sqrt(np.mean(small**2, axis=(1, 2, 3))), rel=1e-5
    )


def test_one_distribution_is_alike():
    images = photographs(0, 800)
    labels = np.arange(800) % 3
    check = data_checks.members_and_nonmembers_alike(images[:400], images[400:], labels[:400], labels[400:])
    assert (check.name, check.passed) == ("members-and-nonmembers-alike", True)
    assert "on 400 members and 400 non-members" in check.evidence


@pytest.mark.parametrize(
    "alter",
    [
        lambda x: np.clip(x + 0.04, 0, 1),
        lambda x: 0.5 + 0.8 * (x - 0.5),
        lambda x: jpeg(x, 5),
        lambda x: ndimage.gaussian_filter(x, (0, 1.2, 1.2, 0)),
    ],
    ids=["brighter", "duller", "jpeg", "blurred"],
)
def test_another_preparation_is_seen(alter):
    images = photographs(0, 600)
    check = data_checks.members_and_nonmembers_alike(images[:300], alter(images[300:]))
    assert check.passed is False


def test_another_mixture_of_classes_is_seen():
    images, rng = photographs(0, 600), np.random.default_rng(0)
    labels = rng.integers(0, 2, 300), (rng.random(300) < 0.75).astype(int)
    assert data_checks.members_and_nonmembers_alike(images[:300], images[300:], *labels).passed is False
    assert data_checks.members_and_nonmembers_alike(images[:300], images[300:]).passed is True


def test_too_few_to_tell():
    images = photographs(0, 40)
    assert data_checks.members_and_nonmembers_alike(images[:10], images[10:]).passed is None


def test_images_of_two_sizes_are_refused():
    with pytest.raises(UserError, match="one size"):
        data_checks.members_disjoint(photographs(0, 3), photographs(0, 3, size=8))
    with pytest.raises(UserError, match="one size"):
        data_checks.members_and_nonmembers_alike(photographs(0, 3), photographs(0, 3)[:0])
