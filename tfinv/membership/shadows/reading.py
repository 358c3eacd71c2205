"""Reading of margins in chunks: what an attack holds in memory at a time does not grow with the number of examples."""

import numbers
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tfinv.errors import expected
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.signals import margin

# Margins of shadows in one chunk: 4 MiB of float64. Less is read in too many pieces, more falls out of the processor's cache.
_CHUNK = 2**19
# Examples on which no two models that were trained apart agree to the last bit.
_TELLING = 8


class Chunk(NamedTuple):
    """Margins of r examples in float64: `target` (r, Q), `shadows` (r, S, Q); `members` (r, S) bool; `rows`, which they are."""

    rows: slice
    target: np.ndarray
    shadows: np.ndarray
    members: np.ndarray


def chunks(evidence: Evidence, queries: int | None = None) -> Iterator[Chunk]:
    """Reads the margins of the target and of its shadows.

    Args:
      evidence: with logits and shadows.
      queries: the first so many queries; None for all of them.

    Raises:
      UserError: the shadows have other queries, classes or labels than the target, fewer queries than are asked for, or the target
        is one of them.
    """
    shadows, logits = check_shadows(evidence, queries)
    size = max(1, _CHUNK // (shadows.size * (queries or shadows.queries)))
    for start in range(0, len(evidence), size):
        rows = slice(start, min(start + size, len(evidence)))
        # In memory shadow by shadow, as their margins are: sums over shadows then go through both in order.
        members = np.ascontiguousarray(shadows.members[rows].T).T
        target = margin(logits[rows, :queries], evidence.labels[rows])
        chunk = Chunk(rows, target, shadows.margins(rows, queries), members)
        if start == 0:
            _check_target(chunk)
        yield chunk


def check_queries(queries: Any) -> None:
    """Raises UserError unless the hyper-parameter is None or a positive integer."""
    if queries is not None and (not isinstance(queries, numbers.Integral) or isinstance(queries, bool) or queries < 1):
        raise expected("queries of at least 1, or None", queries, "Change the argument `queries`.")


def check_shadows(evidence: Evidence, queries: int | None = None) -> tuple[Shadows, np.ndarray]:
    """Returns the shadows and the target's logits.

    Raises:
      UserError: see `chunks`.
    """
    shadows, logits = evidence.shadows, evidence.logits
    assert shadows is not None  # as MembershipAttack.check_needs has it
    assert logits is not None
    sizes = (shadows.queries, shadows.classes)
    if sizes != logits.shape[1:]:
        received = f"shadows of {sizes[0]} and {sizes[1]}"
        expectation = f"shadows of {logits.shape[1]} queries and {logits.shape[2]} classes, as the target"
        raise expected(expectation, received, "Query the target as the shadows were, or use other shadows.")
    if queries is not None and queries > shadows.queries:
        raise expected(f"at most {shadows.queries} queries, which the shadows have", queries, "Change queries=.")
    if not np.array_equal(shadows.labels, evidence.labels):
        count = int(np.sum(shadows.labels != evidence.labels))
        raise expected("shadows of the same examples", f"{count} other labels", "Bring the examples into their order.")
    return shadows, logits


def _check_target(chunk):
    """Refuses a target that is one of its own shadows: of these, one knows exactly what the target knows."""
    if len(chunk.target) < _TELLING or (chunk.target == chunk.target[0]).all():
        return
    same = np.flatnonzero((chunk.shadows == chunk.target[:, np.newaxis]).all(axis=(0, 2)))
    if len(same):
        hint = "Leave it and its complement out: shadows.without([...]), or ShadowStore.leave_one_out()."
        raise expected("a target that is none of its shadows", f"shadow {same[0]} with the target's logits", hint)
