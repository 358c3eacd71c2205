"""Checks that members and non-members are alike in all but membership, and are not the same images; no model is asked."""

import dataclasses

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold

from tfinv.errors import expected
from tfinv.evaluation.check import Check, percent
from tfinv.evaluation.inversion.provenance import image_hashes
from tfinv.evaluation.membership.intervals import auc_interval

# Root-mean-square difference of an image and its copy, over the image's own deviation: what JPEG of quality 95 and rounding change.
_NEAR = 0.1
_REPEATED = 0.01
_SIDE = 8
_BLOCK = 256
_CANDIDATES = 50
_MOST = 2000
_FOLDS = 5
_FEWEST = 20
_CONFIDENCE = 0.99
_LEVEL = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Overlap:
    """Non-members that are members' images.

    Attributes:
      exact: (n,) bool, equal at 8 bits.
      near: (n,) bool, nearly equal, or nearly equal to a member's mirror image; not those that are exact.
    """

    exact: np.ndarray
    near: np.ndarray

    @property
    def either(self) -> np.ndarray:
        """(n,) bool: what to leave out of the non-members."""
        return self.exact | self.near


def find_overlap(members: np.ndarray, nonmembers: np.ndarray) -> Overlap:
    """Finds non-members that are copies of members: the same pixels, encoded again, slightly altered, or mirrored.

    It does not see crops, shifts or other colours. Memory holds the distances of 256 non-members at a time.

    Args:
      members: (m, H, W, C) in [0, 1].
      nonmembers: (n, H, W, C) likewise.

    Raises:
      UserError: the images are of different shapes, or there are none.
    """
    _check(members, nonmembers)
    hashes = set(image_hashes(members))
    exact = np.array([h in hashes for h in image_hashes(nonmembers)], bool)
    deviations = nonmembers.reshape(len(nonmembers), -1).std(axis=1, dtype=np.float64)
    near = np.zeros(len(nonmembers), bool)
    queries = block_means(nonmembers)
    for images in (members, members[:, :, ::-1]):
        references = block_means(images)
        for start in range(0, len(nonmembers), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(nonmembers)))
            # Averaging brings images nearer, so no copy is lost here.
            distances = _distances(queries[rows], references)
            close = distances <= _NEAR * deviations[rows, None] + 1e-3
            # An image of one level is near to anything of that level.
            for row in rows[close.any(1) & ~exact[rows] & ~near[rows] & (deviations[rows] > 1 / 255)]:
                nearest = np.argsort(distances[row - start])[:_CANDIDATES]
                error = np.sqrt(np.mean((images[nearest] - nonmembers[row]) ** 2, axis=(1, 2, 3), dtype=np.float64))
                near[row] = error.min() <= _NEAR * deviations[row]
    return Overlap(exact, near)


def members_disjoint(members: np.ndarray, nonmembers: np.ndarray) -> Check:
    """Checks that no non-member is a member's image, and that neither side repeats its images.

    Args:
      members: see `find_overlap`.
      nonmembers: likewise.

    Raises:
      UserError: see `find_overlap`.
    """
    overlap = find_overlap(members, nonmembers)
    repeated = {
        name: 1 - len(set(image_hashes(images))) / len(images)
        for name, images in (("members", members), ("non-members", nonmembers))
    }
    return Check(
        "members-disjoint",
        not overlap.either.any() and all(share <= _REPEATED for share in repeated.values()),
        f"of {len(nonmembers):,} non-members {int(overlap.exact.sum()):,} are members at 8 bits, {int(overlap.near.sum()):,} "
        f"nearly (within {percent(_NEAR)} of their deviation, or mirrored); repeated are "
        f"{', '.join(f'{percent(share)} of the {name}' for name, share in repeated.items())} (at most {percent(_REPEATED)})",
        "A member among the non-members is a false positive that is none, and at a low FPR a single one moves the threshold; "
        "repeated images count as if they were several. Leave them out: `find_overlap` says which.",
    )


def members_and_nonmembers_alike(
    members: np.ndarray,
    nonmembers: np.ndarray,
    member_labels: np.ndarray | None = None,
    nonmember_labels: np.ndarray | None = None,
    *,
    seed: int = 0,
) -> Check:
    """Checks that a classifier that never saw the model can't tell members from non-members.

    Extremely randomised trees on 8 x 8 pixels, contrast and sharpness are scored out of five folds; they don't see a light JPEG
    compression. It fails where the 99 % interval of their AUC lies above .5, or where the classes are in another mixture
    (chi-squared test at 1 %). Of more than 2,000 images a side a random part is taken.

    Args:
      members: (m, H, W, C) in [0, 1].
      nonmembers: (n, H, W, C) likewise.
      member_labels: (m,) classes.
      nonmember_labels: (n,) likewise.
      seed: of the part, the folds and the trees.

    Raises:
      UserError: the images are of different shapes, or there are none.
    """
    _check(members, nonmembers)
    rng = np.random.default_rng(seed)
    sides = []
    for images, labels in ((members, member_labels), (nonmembers, nonmember_labels)):
        rows = np.sort(rng.permutation(len(images))[:_MOST])
        sides.append((np.asarray(images[rows], np.float32), None if labels is None else np.asarray(labels)[rows]))
    advice = (
        "The attack may tell the two apart by what they are, and not by what the model learnt: then a null target, too, is "
        "attacked with success. Draw members and non-members from one set at random, prepared in one way, with one mixture "
        "of classes."
    )
    sizes = [len(images) for images, _ in sides]
    if min(sizes) < _FEWEST:
        evidence = f"{sizes[0]} members and {sizes[1]} non-members are too few to tell"
        return Check("members-and-nonmembers-alike", None, evidence, advice)
    features = np.concatenate([_features(images) for images, _ in sides])
    is_member = np.repeat([1, 0], sizes)
    scores = np.zeros(len(is_member))
    for train, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(features, is_member):
        trees = ExtraTreesClassifier(100, min_samples_leaf=5, random_state=seed).fit(features[train], is_member[train])
        # Folds have classifiers of their own, so only places within a fold are compared.
        scores[test] = stats.rankdata(trees.predict_proba(features[test])[:, 1]) / len(test)
    area = auc_interval(scores[is_member == 1], scores[is_member == 0], _CONFIDENCE)
    mixture = _mixture_p_value([labels for _, labels in sides])
    return Check(
        "members-and-nonmembers-alike",
        area.low <= 0.5 and mixture >= _LEVEL,
        f"AUC {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] (99 %) of a classifier of pixels, on {sizes[0]:,} members and "
        f"{sizes[1]:,} non-members"
        + (
            ""
            if member_labels is None or nonmember_labels is None
            else f"; the same mixture of classes: p = {mixture:.2g}"
        ),
        advice,
    )


def block_means(images: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 blocks, or of pixels where there are fewer, scaled so that no L2 distance exceeds the pixels' RMS distance.

    Args:
      images: (n, H, W, C).

    Returns:
      (n, blocks x C) float32.
    """
    height, width = images.shape[1:3]
    edges = [np.unique(np.linspace(0, size, min(_SIDE, size) + 1).astype(int)) for size in (height, width)]
    sums = np.add.reduceat(np.asarray(images, np.float32), edges[0][:-1], axis=1)
    sums = np.add.reduceat(sums, edges[1][:-1], axis=2)
    areas = np.outer(np.diff(edges[0]), np.diff(edges[1]))[None, :, :, None]
    scaled = sums / np.sqrt(areas * height * width * images.shape[3])
    return scaled.reshape(len(images), -1).astype(np.float32)


def _features(images):
    """(n, f): blocks, contrast, sharpness across and down."""
    across, down = (np.abs(np.diff(images, axis=axis)).mean(axis=(1, 2, 3)) for axis in (2, 1))
    contrast = images.reshape(len(images), -1).std(axis=1)
    return np.column_stack([block_means(images), contrast, across, down])


def _mixture_p_value(labels):
    """p-value of both sides having classes in one mixture (chi-squared); 1 where there are no labels, or one class."""
    if any(side is None for side in labels):
        return 1.0
    counts = np.array([[np.sum(side == c) for c in np.unique(np.concatenate(labels))] for side in labels])
    return float(stats.chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


def _distances(queries, references):
    """(q, r) L2 distances."""
    squares = (queries**2).sum(1)[:, None] + (references**2).sum(1) - 2 * queries @ references.T
    return np.sqrt(np.maximum(squares, 0))


def _check(members, nonmembers):
    if (
        np.ndim(members) != 4
        or np.shape(members)[1:] != np.shape(nonmembers)[1:]
        or not len(members)
        or not len(nonmembers)
    ):
        raise expected(
            "members and non-members as images (n, H, W, C) of one size",
            f"{np.shape(members)} and {np.shape(nonmembers)}",
            "Change `members` or `nonmembers`.",
        )
