"""Records the course of an optimisation while it runs."""

import numpy as np

from tfinv.inversion.base import Inversion
from tfinv.inversion.problem import Course, Problem
from tfinv.pool import State


class Recorder:
    """Collects records of a state that has the arrays `best_points` and `best_cost`.

    Args:
      method: decodes the points.
      problem: its `record` says of how many rows to keep pictures; with 0 nothing is recorded.
    """

    def __init__(self, method: Inversion, problem: Problem):
        self._method, self._problem = method, problem
        self._records: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def record(self, steps: int, state: State) -> None:
        """Records the state after so many steps, unless that number of steps has been recorded."""
        problem = self._problem
        if problem.record and steps not in self._records:
            images = self._method.decode_in_batches(problem, state["best_points"])
            self._records[steps] = (state["best_cost"].copy(), problem.confidence(images), images[: problem.record])

    def course(self) -> Course | None:
        """All records; None if there are none."""
        if not self._records:
            return None
        costs, confidences, images = (np.stack(parts) for parts in zip(*self._records.values(), strict=True))
        return Course(np.array(list(self._records)), costs, confidences, images)
