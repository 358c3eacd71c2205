"""Results of a command: one versioned JSON object, and the reading of its rows."""

from tfinv.reporting.results.results import Check, Figure, Results

__all__ = ["Check", "Figure", "Results"]
