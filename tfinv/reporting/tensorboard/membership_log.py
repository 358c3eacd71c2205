"""Measures of membership attacks in TensorBoard: AUC, advantage, and TPR over the FPR, as scalars."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfinv.reporting.results.summary import Row, group, summarise
from tfinv.reporting.tables.membership import curve_rows
from tfinv.reporting.tables.membership_cells import at, fprs

_ABOUT = "Mean over targets and seeds. Set Smoothing to 0 to see the figures themselves."
_OVER_FPR = f"Step: the FPR in ten-thousandths. {_ABOUT}"


def membership_scalars(rows: Sequence[Row]) -> dict[str, list[Callable[[], Any]]]:
    """Returns for each experiment the calls of `tf.summary` that write its measures.

    The tags are `membership <attack>/auc` and `membership <attack>/advantage`, at step 0, and `membership <attack>/tpr`. Its step
    is the FPR in ten-thousandths; of two FPRs with the same step, the larger gets the next.

    Args:
      rows: of kind "membership".
    """
    runs: dict[str, list[Callable[[], Any]]] = {}
    for (experiment, attack), line in group(curve_rows(rows), "experiment", "attack").items():
        points = [(m, 0, [r for r in line if r["measure"] == m], _ABOUT) for m in ("auc", "advantage")]
        step = -1
        for fpr in reversed(fprs(line)):
            step = max(round(10_000 * fpr), step + 1)
            points.append(("tpr", step, at(line, fpr), _OVER_FPR))
        for measure, place, measured, about in points:
            mean = summarise(measured, "value").mean
            if mean is not None:
                write = functools.partial(tf.summary.scalar, f"membership {attack}/{measure}", mean, place, about)
                runs.setdefault(str(experiment), []).append(write)
    return runs
