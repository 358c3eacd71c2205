"""Folders of audits by hand: results with grades, and the table of images."""

import numpy as np

from audit_rows import EPS, accuracy, audit
from tfinv.auditing.grading import grade
from tfinv.auditing.policy import load_policy
from tfinv.auditing.records import write_records


def write_audit(folder, right, smallest, *changes, config=(), checks=()):
    """Writes an audit of images of which (n,) are right, the first of them with the smallest eps (m,) that fools each."""
    n, m = len(right), len(smallest)
    results = audit(accuracy(0.6, "fgsm", EPS, n=m), *changes, checks=checks)
    for row in results.rows_of("accuracy"):
        if row["attack"] != "none":
            row["n"] = m
    results.config |= {"seed": 0, "images_contents": "i", "model_contents": str(folder), **dict(config)}
    results.rows += grade(results, load_policy())
    results.write(folder)
    labels = np.arange(n) % 10
    columns = {
        "split": np.full(n + 2, "test"),
        "index": np.arange(n + 2),
        # Two more, of which no question of the test speaks.
        "label": np.append(labels, [-1, -1]),
        "prediction": np.append(np.where(right, labels, (labels + 1) % 10), [-1, -1]),
        "smallest_eps": np.append(smallest, np.full(n - m + 2, np.nan)),
        "fooled_by": np.full(n + 2, ""),
    }
    write_records(folder, columns)
    return folder
