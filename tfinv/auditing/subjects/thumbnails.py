"""Images of a subject by split and place, for the pages of single images."""

import numpy as np

from tfinv.auditing.subjects.subject import Subject


def unit_images(subject: Subject, split: str, rows: np.ndarray) -> np.ndarray:
    """Returns images, (k, H, W, C) float32 in [0, 1]; those of other splits than the subject's come from its members and others.

    Args:
      subject: whose images they are.
      split: they belong to.
      rows: (k,) places in the split, of records that the audit wrote.
    """
    if split == subject.data.split:
        return subject.data.images_at(np.asarray(rows))
    sides = subject.membership
    assert sides is not None  # only the question of membership takes images of other splits
    place = {
        int(row): number
        for number, (name, row) in enumerate(zip(sides.splits, sides.rows, strict=True))
        if name == split
    }
    return sides.examples.images_at(np.array([place[int(row)] for row in rows]))
