"""Distances between the distributions of two sets of features: the Fréchet distance, and PRDC."""

import dataclasses

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf

from tfinv.errors import expected

_BLOCK = 1024  # rows of a distance matrix at a time


def frechet_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians (Dowson & Landau 1982).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), where the trace of the root is the sum of the roots of the eigenvalues of
    S1^(1/2) S2 S1^(1/2): symmetric, so real also where a covariance is singular.

    Args:
      mean: (d,).
      covariance: (d, d), symmetric, not negative.
      other_mean: (d,).
      other_covariance: (d, d).
    """
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ np.asarray(other_covariance, np.float64) @ root)
    shared = np.sqrt(np.maximum(inner, 0)).sum()
    gap = np.sum(np.square(np.asarray(mean, np.float64) - other_mean))
    return max(0.0, float(gap + np.trace(covariance) + np.trace(other_covariance) - 2 * shared))


def fid(real: np.ndarray, fake: np.ndarray, *, shrink: bool = False) -> float:
    """Fréchet distance of two sets of features (Heusel et al. 2017), here an evaluator's and not Inception's.

    It is biased upwards where images are few (Chong & Forsyth 2020), so compare only values of equal n, by one evaluator.

    Args:
      real: (m, d).
      fake: (n, d).
      shrink: whether to shrink the covariances after Ledoit & Wolf (2004), which small sets need; such values have another bias,
        and are comparable only with each other.

    Raises:
      UserError: m or n is not above d, so that the covariance is singular, and `shrink` is not set.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    fewest, size = min(len(real), len(fake)), real.shape[1]
    if fewest < 2 or (not shrink and fewest <= size):
        raise expected(
            f"more images than the {size} features", fewest, "Take more images, fewer features, or set shrink=True."
        )

    def moments(x):
        return x.mean(0), np.atleast_2d(ledoit_wolf(x)[0] if shrink else np.cov(x, rowvar=False))

    return frechet_distance(*moments(real), *moments(fake))


@dataclasses.dataclass(frozen=True)
class PRDC:
    """Precision, recall, density and coverage, item by item; each figure is the mean of its array.

    Attributes:
      precision: (n,) bool: the fake lies in the ball of a real one.
      recall: (m,) bool: the real one lies in the ball of a fake.
      density: (n,) number of balls of real ones in which the fake lies, over k; may exceed 1.
      coverage: (m,) bool: the ball of the real one holds a fake.
    """

    precision: np.ndarray
    recall: np.ndarray
    density: np.ndarray
    coverage: np.ndarray


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 3) -> PRDC:
    """Measures precision, recall, density and coverage, by balls that reach to each k-th nearest neighbour (Naeem et al. 2020).

    Args:
      real: (m, d), m > k.
      fake: (n, d), n > k.
      k: neighbours; 5 in the paper, 3 is usual for inversions.

    Raises:
      UserError: a set has no more than k members.
    """
    if k < 1 or min(len(real), len(fake)) <= k:
        raise expected(
            f"more than k={k} images in either set", f"{len(real)} and {len(fake)}", "Change the argument `k`."
        )
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    inside, recall, coverage = np.zeros(len(fake)), np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(fake), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = cdist(fake[block], real)
        in_real = distances < real_radii
        inside[block] = in_real.sum(1)
        coverage |= in_real.any(0)
        recall |= (distances < fake_radii[block, None]).any(0)
    return PRDC(inside > 0, recall, inside / k, coverage)


def _radii(points, k):
    """(n,) distance of each point to its k-th nearest other."""
    radii = [
        np.partition(cdist(points[i : i + _BLOCK], points), k, axis=1)[:, k] for i in range(0, len(points), _BLOCK)
    ]
    return np.concatenate(radii)
