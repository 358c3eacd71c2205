"""Scalars of calibration and corruptions."""

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfinv.reporting.results.summary import Row, group, summarise

_ABOUT = "Mean over the seeds."
_OVER_SEVERITY = (
    "Mean over the seeds; step: severity, 0 without corruption. Set Smoothing to 0 to see the figures themselves."
)


def audit_scalars(
    calibration: Sequence[Row], corruptions: Sequence[Row], accuracy: Sequence[Row] = ()
) -> dict[str, list[Any]]:
    """Returns what is written of each experiment: `calibration/<measure>`, and `corruption/<name>` over the severity.

    Args:
      calibration: rows of kind "calibration".
      corruptions: rows of kind "corruption".
      accuracy: rows of kind "accuracy", for the accuracy without corruption at step 0.
    """
    runs: dict[str, list[Any]] = {}
    for (experiment, measure), rows in group(calibration, "experiment", "measure").items():
        mean = summarise(rows, "value").mean
        if mean is not None:
            _add(runs, experiment, f"calibration/{measure}", mean, 0, _ABOUT)
    for (experiment, name), rows in group(corruptions, "experiment", "corruption").items():
        clean = [r for r in accuracy if r["experiment"] == experiment and r["attack"] == "none"]
        points = {0: clean, **{int(s): at for (s,), at in sorted(group(rows, "severity").items())}}
        for severity, at in points.items():
            mean = summarise(at, "accuracy").mean
            if mean is not None:
                _add(runs, experiment, f"corruption/{name}", mean, severity, _OVER_SEVERITY)
    return runs


def _add(runs: dict[str, list[Any]], experiment: Any, tag: str, value: float, step: int, about: str) -> None:
    write = functools.partial(tf.summary.scalar, tag, value, step, about)
    runs.setdefault(str(experiment), []).append(write)
