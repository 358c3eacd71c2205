"""Natural corruptions of images at five severities, and the accuracy under each (Hendrycks and Dietterich 2019).

`operations.py` has one function a corruption, `severities.py` their strengths, `measure.py` applies and measures them.
"""

from tfinv.evaluation.corruptions.measure import corrupt, corruption_rows
from tfinv.evaluation.corruptions.severities import CORRUPTIONS, SEVERITIES

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "corruption_rows"]
